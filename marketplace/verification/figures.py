"""This will say what validators measured of a machine, which rentals are held against."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, QuerySet

from marketplace.domain.delivered import Figures, listed
from marketplace.kept_sql import kept
from marketplace.machines.models import Machine
from marketplace.verification import relied_on
from marketplace.verification.lists import ListOf
from marketplace.verification.models import VerdictRecord
from protocol.validator import MeasuredLook, Measurement, SignedVerdict

#: the newest, of which the middle one counts
LOOKS_MOST = 9


def figures(machine_id: UUID, *, now: datetime) -> Figures:
    """Return the machine's figures of now, by validators whose single word is relied on."""
    return figures_of([machine_id], now=now).get(machine_id, Figures())


def figures_of(
    machines: QuerySet[Machine] | Collection[UUID], *, now: datetime
) -> dict[UUID, Figures]:
    """Return the figures of those machines that were measured, in one query."""
    return {
        machine_id: listed([MeasuredLook.model_validate(one) for one in measured])
        for machine_id, measured in _looks(machines, now)
        if measured
    }


@kept(Machine)
def _looks(machines: QuerySet[Machine], now: datetime) -> QuerySet[Machine, tuple[Any, ...]]:
    measuring = VerdictRecord.objects.filter(
        relied_on.verdicts(now), machine=OuterRef("pk"), measured__isnull=False
    )
    looks = ListOf(measuring.order_by("-checked_at", "-id"), "measured", most=LOOKS_MOST)
    return machines.order_by("id").values_list("id", looks)


def measurements(machine_id: UUID, *, since: datetime, now: datetime) -> list[Measurement]:
    """Return what such validators measured themselves of what was free of it since, newest first.

    ``since``: a look of that very moment is not one of them.
    """
    looks = VerdictRecord.objects.filter(
        relied_on.verdicts(now),
        machine_id=machine_id,
        measured__isnull=False,
        checked_at__gt=since,
        checked_at__lte=now,
    )
    newest = looks.order_by("-checked_at", "-id").values_list("signed", flat=True)[:LOOKS_MOST]
    found = [SignedVerdict.model_validate(one).verdict.measurement for one in newest]
    return [one for one in found if one is not None]
