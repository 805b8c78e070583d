"""This will gather what is kept about a person into one zip: JSON for programs, CSV for money.

Each table that names a person is taken by itself, so that a new one is never forgotten. What opens
something (digests, keys of sessions) is left out: a file lies around.
"""

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import (
    BinaryField,
    Case,
    Exists,
    F,
    ForeignObjectRel,
    Model,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)

from marketplace.accounts.models import User
from marketplace.domain.ledger import AccountKind, TransferKind
from marketplace.domain.oversight import ActKind
from marketplace.ledger import returns
from marketplace.ledger.models import Transfer
from marketplace.oversight.models import Act
from marketplace.placements.models import PlacementEvent

#: of one table, the newest
ROWS_MAX = 100_000
#: of all files before they are packed
BYTES_MAX = 64 << 20
#: what opens something, or is about somebody else
HIDDEN: Mapping[str, frozenset[str]] = {
    "accounts.User": frozenset({"password"}),
    "accounts.ApiKey": frozenset({"digest"}),
    "accounts.KeptAnswer": frozenset({"name_digest", "request_digest", "sealed"}),
    "endpoints.Endpoint": frozenset({"key_digest", "registry_login"}),
    "machines.EnrolmentToken": frozenset({"token_sha256"}),
    "mfa.Authenticator": frozenset({"data"}),
    "usersessions.UserSession": frozenset({"session_key"}),
    "oversight.Act": frozenset({"by_id", "by_name"}),
    "own_data.Export": frozenset({"content"}),
    # Who paid is between the site and the host (docs/decisions/0056-reports-about-rentals.md).
    "rentals.RentalReport": frozenset({"payer", "host_microusd"}),
    "ledger.Hold": frozenset({"site_returned_microusd"}),
}
#: tables whose rows are somebody's own doing as staff, and about others
OF_STAFF = frozenset({("oversight.Act", "by"), ("admin.LogEntry", "user")})
#: whose reason the person was told; why staff did anything else is a word among staff
TOLD_ACTS = frozenset(
    {ActKind.BAN, ActKind.SETTLE, ActKind.ANSWER_APPEAL, ActKind.ANSWER_REPORT, ActKind.END_RENTAL}
)
AMONG_STAFF = ("reason", "before", "after")
#: acts of which they were told the reason, and not what else the log says, as who paid
REASON_ALONE = frozenset({ActKind.ANSWER_REPORT})
#: what came back of a charge
RETURNED = Q(kind=TransferKind.REFUND, debit__kind__in=(AccountKind.EARNINGS, AccountKind.FEES))
#: to both of a renter's accounts
TO_BOTH = f"{AccountKind.WALLET} and {AccountKind.CREDIT}"
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
CUT = """
Together it is more than fits in one file, so older rows are missing from: {names}. Ask
the site's operator for the rest.
"""


@dataclass(slots=True)
class _Files:
    """What is written, as long as there is room."""

    archive: zipfile.ZipFile
    room: int
    cut: list[str] = field(default_factory=list)

    def add(self, name: str, parts: Iterable[str], *, first: str = "", last: str = "") -> None:
        """Write a file part by part, so that no table is in memory as a whole."""
        with self.archive.open(name, "w") as file:
            file.write(first.encode())
            for part in parts:
                content = part.encode()
                if len(content) > self.room:
                    self.cut.append(name)
                    break
                self.room -= len(content)
                file.write(content)
            file.write(last.encode())


def written(user: User, *, site: str, now: datetime) -> bytes:
    """Return the zip; where there is too much, the README names the files that end early."""
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as archive:
        files = _Files(archive, BYTES_MAX)
        # Money first: whatever fills the rest takes no room from it.
        files.add("transfers.csv", _transfers(user))
        for name, rows in _tables(user):
            files.add(f"{name}.json", _json(rows), first="[", last="\n]")
        about = README.format(site=site, email=user.email, at=now, rows=f"{ROWS_MAX:,}")
        cut = CUT.format(names=", ".join(files.cut)) if files.cut else ""
        archive.writestr("README.txt", about + cut)
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


def _tables(user: User) -> Iterator[tuple[str, Iterable[dict[str, Any]]]]:
    yield "account", _rows(User.objects.filter(pk=user.pk))
    told: set[str] = set()
    for relation in tables_about_people():
        model = relation.related_model
        rows = _rows(model._base_manager.filter(**{relation.field.name: user.pk}))
        name = f"{model._meta.app_label}-{model._meta.model_name}"
        # A table may name people in several columns: who is in a team, and which team it is.
        name = f"{name}-{relation.field.name}" if name in told else name
        told.add(name)
        yield name, map(_told, rows) if model is Act else rows
    events = PlacementEvent.objects.filter(placement__rental__renter=user)
    yield "rentals-events", _rows(events)


def _rows(found: QuerySet[Any]) -> Iterator[dict[str, Any]]:
    return found.order_by("-pk").values(*columns(found.model))[:ROWS_MAX].iterator()


def _json(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    for number, row in enumerate(rows):
        yield ("," if number else "") + "\n" + json.dumps(row, cls=DjangoJSONEncoder)


def _told(act: dict[str, Any]) -> dict[str, Any]:
    hidden = set(AMONG_STAFF)
    if act["kind"] in TOLD_ACTS:
        hidden = hidden - {"reason"} if act["kind"] in REASON_ALONE else set()
    return {name: value for name, value in act.items() if name not in hidden}


def _transfers(user: User) -> Iterator[str]:
    yield _line(("id", "at", "kind", "amount_microusd", "from", "to", "cause", "note"))
    mine = Transfer.objects.filter(Q(debit__user=user) | Q(credit__user=user))
    # Whose money came back is left empty for its renter.
    who = Case(When(RETURNED & ~Q(debit__user=user), then=Value("")), default=F("debit__kind"))
    elsewhere = returns.parts(mine).exclude(credit__kind=OuterRef("credit__kind"))
    to = Case(
        When(Q(kind=TransferKind.REFUND) & Exists(elsewhere), then=Value(TO_BOTH)),
        default=F("credit__kind"),
    )
    rows = returns.as_one(mine).order_by("-id").annotate(debit_kind=who, credit_kind=to)
    told = rows.values_list(
        *("id", "at", "kind", "whole", "debit_kind", "credit_kind", "cause", "note")
    )
    yield from map(_line, told[:ROWS_MAX].iterator())


def _line(row: Iterable[object]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(f"'{one}" if str(one).startswith(FORMULA) else one for one in row)
    return text.getvalue()
