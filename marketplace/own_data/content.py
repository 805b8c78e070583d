"""This will gather what is kept about a person into one zip: JSON for programs, CSV for money.

Each table that names a person is taken by itself, so that a new one is never forgotten. What opens
something (digests, keys of sessions) is left out: a file lies around.
"""

import csv
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import BinaryField, ForeignObjectRel, Model, Q, QuerySet

from marketplace.accounts.models import User
from marketplace.domain.oversight import ActKind
from marketplace.ledger.models import Transfer
from marketplace.oversight.models import Act
from marketplace.placements.models import PlacementEvent

#: of one table, the newest
ROWS_MAX = 100_000
#: what opens something, or is about somebody else
HIDDEN: Mapping[str, frozenset[str]] = {
    "accounts.User": frozenset({"password"}),
    "accounts.ApiKey": frozenset({"digest"}),
    "endpoints.Endpoint": frozenset({"key_digest", "registry_login"}),
    "machines.EnrolmentToken": frozenset({"token_sha256"}),
    "mfa.Authenticator": frozenset({"data"}),
    "usersessions.UserSession": frozenset({"session_key"}),
    "oversight.Act": frozenset({"by_id", "by_name"}),
    "own_data.Export": frozenset({"content"}),
}
#: tables whose rows are somebody's own doing as staff, and about others
OF_STAFF = frozenset({("oversight.Act", "by"), ("admin.LogEntry", "user")})
#: whose reason the person was told; why staff did anything else is a word among staff
TOLD_ACTS = frozenset({ActKind.BAN, ActKind.SETTLE, ActKind.ANSWER_APPEAL})
AMONG_STAFF = ("reason", "before", "after")
#: what a cell begins with that is a formula to some programs
FORMULA = tuple("=+-@\t\r")
README = """\
What {site} keeps about {email}, as of {at:%Y-%m-%d %H:%M:%S} UTC.

One JSON file for each table, with all its rows about you (the newest {rows}), and your
transfers as CSV. Amounts are integers in micro-USD, times are UTC. Left out is what would open
something: passwords, the secrets of second steps, the digests of keys; and what the site's staff
noted for themselves when they did something, unless you were told it. API keys and the secrets of
web hooks are not kept at all.
"""


def written(user: User, *, site: str, now: datetime) -> bytes:
    """Return the zip."""
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as archive:
        about = README.format(site=site, email=user.email, at=now, rows=f"{ROWS_MAX:,}")
        archive.writestr("README.txt", about)
        for name, rows in _tables(user):
            archive.writestr(f"{name}.json", json.dumps(rows, cls=DjangoJSONEncoder, indent=1))
        archive.writestr("transfers.csv", _transfers(user))
    return kept.getvalue()


def tables_about_people() -> Iterator[ForeignObjectRel]:
    """Return each relation of a table to the person that its rows are about."""
    for relation in User._meta.related_objects:
        of = (relation.related_model._meta.label, relation.field.name)
        if of not in OF_STAFF:
            yield relation


def columns(model: type[Model]) -> list[str]:
    """Return the columns of a table that are handed out."""
    hidden = HIDDEN.get(model._meta.label, frozenset())
    return [
        field.attname
        for field in model._meta.concrete_fields
        if field.attname not in hidden and not isinstance(field, BinaryField)
    ]


def _tables(user: User) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    yield "account", _rows(User.objects.filter(pk=user.pk))
    for relation in tables_about_people():
        model = relation.related_model
        mine = model._base_manager.filter(**{relation.field.name: user.pk})
        rows = _rows(mine)
        yield (
            f"{model._meta.app_label}-{model._meta.model_name}",
            ([_told(row) for row in rows] if model is Act else rows),
        )
    events = PlacementEvent.objects.filter(placement__rental__renter=user)
    yield "rentals-events", _rows(events)


def _rows(found: QuerySet[Any]) -> list[dict[str, Any]]:
    return list(found.order_by("-pk").values(*columns(found.model))[:ROWS_MAX])


def _told(act: dict[str, Any]) -> dict[str, Any]:
    if act["kind"] in TOLD_ACTS:
        return act
    return {name: value for name, value in act.items() if name not in AMONG_STAFF}


def _transfers(user: User) -> str:
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(("id", "at", "kind", "amount_microusd", "from", "to", "cause", "note"))
    mine = Transfer.objects.filter(Q(debit__user=user) | Q(credit__user=user))
    rows = mine.order_by("-id").values_list(
        *("id", "at", "kind", "amount_microusd", "debit__kind", "credit__kind", "cause", "note")
    )
    for row in rows[:ROWS_MAX]:
        table.writerow(f"'{one}" if str(one).startswith(FORMULA) else one for one in row)
    return text.getvalue()
