"""This will name the signed verdicts that scores follow from, and what they measured."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet, Subquery

from marketplace.domain.claims import covers
from marketplace.machines.models import Gpu, Machine
from marketplace.verification import queries, relied_on
from marketplace.verification.lists import ListOf
from marketplace.verification.models import VerdictRecord
from marketplace.verification.proven_together import proven_together
from protocol.hardware import Hardware
from protocol.message import canonical_bytes
from protocol.validator import (
    LOOKS_MOST,
    CardFigures,
    GpuMeasurement,
    GpuProof,
    MeasuredLook,
    ProvenTogether,
    SignedVerdict,
    VerdictState,
)

#: what ended longer ago says nothing about a machine any more
LAPSED_MAX = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What admitted validators signed about one machine, as far as it enters a score."""

    #: newest last
    looks: tuple[MeasuredLook, ...]
    #: of each GPU that ever passed a proof, by uuid
    gpu_proofs: tuple[GpuProof, ...]
    #: what holds these GPUs apart
    together: tuple[ProvenTogether, ...]
    #: of the first verdict of "verified"; empty: there is none
    first_sha256: str
    #: when the newest verdict of "verified" ended or will; None: there never was one
    verified_until: datetime | None
    #: the last word ended, was "verified" and is of what is claimed now
    has_lapsed: bool


def digest(signed: SignedVerdict) -> str:
    """Return the SHA-256 by which records of epochs name a signed verdict."""
    return hashlib.sha256(canonical_bytes(signed)).hexdigest()


def measured(signed: SignedVerdict) -> dict[str, Any] | None:
    """Return the MeasuredLook of a verdict as JSON; None: it measured nothing."""
    found = signed.verdict.measurement
    if found is None:
        return None
    rate = found.cpu_hash_rate // found.cpus if found.cpus else 0
    if not rate and not found.gpus:
        return None
    look = MeasuredLook(
        verdict_sha256=digest(signed),
        checked_at_ms=signed.verdict.checked_at_ms,
        hash_rate_per_cpu=rate,
        card=_least(found.gpus),
    )
    return look.model_dump(mode="json")


def evidence(machines: QuerySet[Machine], now: datetime) -> dict[UUID, Evidence]:
    """Return what stands behind the scores of the machines, in three queries however many."""
    of_it = VerdictRecord.objects.filter(machine=OuterRef("pk"), validator__admitted=True)
    verified = of_it.filter(state=VerdictState.VERIFIED)
    measuring = of_it.filter(relied_on.verdicts(now), measured__isnull=False)
    # One look-up in the index for each: a window function would sort the whole past.
    rows = machines.order_by("id").values_list(
        "id",
        Subquery(verified.order_by("checked_at", "id").values("sha256")[:1]),
        Subquery(verified.order_by("-checked_at", "-id").values("expires_at")[:1]),
        ListOf(measuring.order_by("-checked_at", "-id"), "measured", most=LOOKS_MOST),
    )
    found = list(rows)
    lapsed, gpus = _lapsed(machines, now), _gpus_proven(machines)
    return {
        machine_id: Evidence(
            looks=tuple(MeasuredLook.model_validate(one) for one in reversed(measured or ())),
            gpu_proofs=tuple(_gpu_proof(gpu, at) for gpu, at in gpus[machine_id]),
            together=proven_together((gpu for gpu, _ in gpus[machine_id]), now),
            first_sha256=first or "",
            verified_until=until,
            has_lapsed=machine_id in lapsed,
        )
        for machine_id, first, until, measured in found
    }


def _gpus_proven(machines: QuerySet[Machine]) -> dict[UUID, list[tuple[Gpu, datetime]]]:
    found: dict[UUID, list[tuple[Gpu, datetime]]] = defaultdict(list)
    for gpu in Gpu.objects.filter(machine__in=machines).order_by("uuid", "id"):
        if gpu.proven_at is not None:
            found[gpu.machine_id].append((gpu, gpu.proven_at))
    return found


def _gpu_proof(gpu: Gpu, proven_at: datetime) -> GpuProof:
    return GpuProof(
        uuid=gpu.uuid,
        verdict_sha256=gpu.proven_by,
        checked_at_ms=queries.milliseconds(proven_at),
    )


def _least(gpus: Iterable[GpuMeasurement]) -> CardFigures | None:
    cards = tuple(gpus)
    if not cards:
        return None
    return CardFigures(
        vram_bytes=min(card.vram_bytes_proven for card in cards),
        bandwidth_mb_s=min(card.bandwidth_mb_s for card in cards),
        int8_gops=min(card.int8_gops for card in cards),
    )


def _lapsed(machines: QuerySet[Machine], now: datetime) -> frozenset[UUID]:
    """Return those whose last verdict ended, was "verified" and is of what they claim now."""
    of_it = VerdictRecord.objects.filter(machine=OuterRef("pk"), validator__admitted=True)
    newest = of_it.order_by("-checked_at", "-id")
    lately = of_it.filter(expires_at__gt=now - LAPSED_MAX, expires_at__lte=now)
    rows = (
        machines.filter(Exists(lately), ~Exists(of_it.filter(expires_at__gt=now)))
        .order_by("id")
        .values_list(
            "id",
            "hardware",
            Subquery(newest.values("state")[:1]),
            Subquery(newest.values("signed")[:1]),
        )
    )
    return frozenset(
        machine_id
        for machine_id, claimed, state, signed in rows.iterator(chunk_size=500)
        if state == VerdictState.VERIFIED and _covers(signed, claimed)
    )


def _covers(signed: object, claimed: object) -> bool:
    found = SignedVerdict.model_validate(signed).verdict.hardware
    return found is None or covers(found=found, claimed=Hardware.model_validate(claimed))
