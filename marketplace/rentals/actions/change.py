"""This will change what a running rental runs: its image, command, environment or ports."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from marketplace.domain.problem import Refused
from marketplace.placements import ports
from marketplace.placements.actions.alter import alter
from marketplace.placements.models import Placement
from marketplace.placements.registry_login import seal
from marketplace.placements.workload import Parts, changed
from marketplace.rentals import queries
from marketplace.rentals.notebooks import with_token
from protocol.agent import RegistryLogin
from protocol.workload import Workload


class ChangePending(Refused):
    """The machine has not said yet what became of the change before."""

    code = "change_pending"
    status = 409
    sentence = "The change before this one is still being made; wait until it is."
    retry_after_s = 5


def change(
    *, rental_id: UUID, renter_id: int, parts: Parts, registry_login: RegistryLogin | None = None
) -> None:
    """Ask for another workload; what is left out of ``parts`` stays.

    What ran before runs on until the new container does, and after it where that never does: then
    the rental says why. Another image begins with fresh files, volumes stay.

    :raises RentalUnknown: when this renter has no such rental.
    :raises NotRunning: when it does not run.
    :raises ChangePending: when the change before is not done yet.
    :raises ExceedsMachine: when its machine never has that many ports.
    :raises OfferTaken: when its machine has too few ports left.
    :raises ImageMalformed: when no image can have that name.
    :raises WorkloadInvalid: when a part is out of bounds.
    """
    rental = queries.find(rental_id, renter_id)

    def by(placement: Placement) -> Mapping[str, Any]:
        former = Workload.model_validate(placement.workload)
        wanted = with_token(changed(former, parts), former)
        if wanted == former:
            return {}
        if placement.former_workload is not None:
            raise ChangePending
        held = ports.held(placement.machine_id)
        ports.check(wanted, total=placement.machine.ports_total, held=held, of=placement)
        edition = placement.newest_edition + 1
        return {
            "workload": wanted.model_dump(mode="json"),
            "edition": edition,
            "newest_edition": edition,
            "former_workload": placement.workload,
            "former_edition": placement.edition,
            "registry_login": seal(registry_login),
        }

    alter(placement_id=rental.placement_id, by=by)
