"""This will give a notebook a token of its own, so that a link on its rental's page opens it.

Jupyter takes the token from its environment, and logs none that it did not make itself. It is a
secret as all of an environment is: no log, notice, list or copy of the rental has it, only the page
of who may use it.
"""

import secrets
from collections.abc import Mapping
from uuid import UUID

from marketplace.placements.workload import NOTEBOOK_VARIABLE, changed
from marketplace.rentals.models import Rental
from protocol.workload import Workload

#: is in the name of an image of notebooks, which listen there whether or not it is published
NOTEBOOK, PORT = "jupyter", 8888
#: what Jupyter reads
VARIABLE = NOTEBOOK_VARIABLE
#: how the tokens begin that are made here; others are the renter's own
MADE = "berth-"
TOKEN_BYTES = 24


def token_of(environment: Mapping[str, str]) -> str:
    """Return the token, whoever chose it; empty: there is none."""
    return environment.get(VARIABLE, "")


def token(rental_id: UUID, renter_id: int) -> str:
    """Return what opens the notebook of one rental of this renter; empty: there is none.

    It is asked for only where it is shown.
    """
    rows = Rental.objects.filter(id=rental_id, renter_id=renter_id, forgotten_at=None)
    told = rows.values_list("placement__workload__environment", flat=True).first()
    return token_of(told or {})


def with_token(workload: Workload, former: Workload | None = None) -> Workload:
    """Return the workload with a token where it is a notebook and its renter named none.

    ``former``: what it takes the place of; its token goes on.

    :raises WorkloadInvalid: when its environment has no room for one.
    """
    if NOTEBOOK not in workload.image or VARIABLE in workload.environment:
        return workload
    kept = token_of(former.environment) if former else ""
    made = kept or f"{MADE}{secrets.token_urlsafe(TOKEN_BYTES)}"
    return changed(workload, {"environment": {**workload.environment, VARIABLE: made}})


def for_another(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment as another machine is given it: it makes a token of its own."""
    made = token_of(environment).startswith(MADE)
    return {name: told for name, told in environment.items() if not (made and name == VARIABLE)}
