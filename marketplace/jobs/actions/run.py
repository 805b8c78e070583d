"""This will start a job: hold the money, place the workload, open the meter, or do nothing."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Greatest

from marketplace.accounts.actions import lock_account
from marketplace.domain.features import Feature
from marketplace.domain.matching import Slice
from marketplace.domain.placement import DEADLINES
from marketplace.domain.problem import Refused
from marketplace.domain.report import PREPARING_S_MAX
from marketplace.domain.terms import Limits
from marketplace.jobs.actions import upload
from marketplace.jobs.actions.upload import KEPT
from marketplace.jobs.models import Blob, Job
from marketplace.machines.actions import lock
from marketplace.metering.actions.begin import (
    IdempotencyConflict,
    begin,
    check_room,
    terms_of,
)
from marketplace.offers import queries as offers
from marketplace.oversight import switches
from marketplace.placements import workload as workloads
from protocol.agent import RegistryLogin
from protocol.hardware import Resources
from protocol.message import canonical_bytes
from protocol.workload import JobFile, PlacementKind, Workload

#: on top of the run limit, and free of charge: from now until its process starts at the latest, and
#: from its end until what it left is here. A machine ends what is funded no longer, outputs or not
BESIDE_RUN = timedelta(seconds=DEADLINES.offered_s + PREPARING_S_MAX + DEADLINES.outputs_s)


class InputUnknown(Refused):
    """A job names a file that its renter did not upload, or too long ago."""

    code = "input_unknown"
    status = 409


@dataclass(frozen=True, slots=True)
class Input:
    """An uploaded file, and where the job finds it below /input."""

    path: str
    digest: str


@dataclass(frozen=True, slots=True)
class Asked:
    """Everything that a renter asks of one offer."""

    offer_id: UUID
    parts: workloads.Parts
    inputs: Sequence[Input]
    resources: Resources
    run_limit_s: int
    outputs_bytes_max: int
    #: refuse where an hour costs more by now; None: any price
    price_hour_microusd_max: int | None = None
    registry_login: RegistryLogin | None = None

    @property
    def limits(self) -> Limits:
        """Return what bounds its price."""
        return Limits(self.run_limit_s, None, None, self.price_hour_microusd_max)


def run(*, renter_id: int, asked: Asked, idempotency_key: str, now: datetime) -> Job:
    """Return the new job, or the one that this key already started.

    :raises Refused: with its own code when anything is in the way; then nothing is held or placed.
    """
    workload = workloads.new(
        PlacementKind.JOB,
        asked.parts,
        inputs=_inputs(renter_id, asked.inputs, now),
        outputs_bytes_max=asked.outputs_bytes_max,
        resources=asked.resources,
    )
    # Of a login only the name: a digest of the password would outlive it.
    username = asked.registry_login.username if asked.registry_login else ""
    others = repr((str(asked.offer_id), asked.limits, username))
    digest = hashlib.sha256(canonical_bytes(workload) + others.encode()).hexdigest()
    idempotency = idempotency_key, digest
    if (known := _known(renter_id, *idempotency)) is not None:
        return known
    switches.check(Feature.RENTALS)
    return _run_once(renter_id, asked, workload, idempotency, now)


def _inputs(renter_id: int, inputs: Sequence[Input], now: datetime) -> list[JobFile]:
    wanted = {one.digest for one in inputs}
    blobs = Blob.objects.filter(
        renter_id=renter_id, placement=None, digest__in=wanted, expires_at__gt=now
    )
    sizes = dict(blobs.values_list("digest", "size_bytes"))
    for one in inputs:
        if one.digest not in sizes:
            raise InputUnknown(f"Upload the file {one.digest} first; it is not here any more.")
    return [
        JobFile(path=one.path, digest=one.digest, size_bytes=sizes[one.digest]) for one in inputs
    ]


def _known(renter_id: int, idempotency_key: str, digest: str) -> Job | None:
    job = Job.objects.filter(renter_id=renter_id, idempotency_key=idempotency_key).first()
    if job is not None and job.request_digest != digest:
        raise IdempotencyConflict
    return job


def _run_once(
    renter_id: int, asked: Asked, workload: Workload, idempotency: tuple[str, str], now: datetime
) -> Job:
    with transaction.atomic():
        # One after the other: the same key at once finds the first's job, and all see what is kept.
        lock_account.lock(user_id=renter_id)
        if (known := _known(renter_id, *idempotency)) is not None:
            return known
        # Then everybody locks the machine, its placements, their meters and the money.
        machine_id, resources = offers.machine_of(asked.offer_id), workload.resources
        may_have_room = lock.lock_where_open(machine_id=machine_id, asked=Slice.of(resources))
        if not may_have_room:
            # Refused here and not locked, unless something was given back just now.
            check_room(offers.rentable(asked.offer_id, now=now, renter_id=renter_id), resources)
            lock.lock(machine_id=machine_id)
        offer = offers.rentable(asked.offer_id, now=now, renter_id=renter_id)
        check_room(offer, resources)
        # The run limit is what it costs at most; what comes before the start costs nothing.
        terms = terms_of(offer, resources, asked.limits, now)
        job_id, term_ms = uuid4(), terms.term_ms + BESIDE_RUN // timedelta(milliseconds=1)
        funded_until = now + timedelta(milliseconds=term_ms)
        meter = begin(
            renter_id=renter_id,
            offer=offer,
            workload=workload,
            terms=replace(terms, term_ms=term_ms),
            keys=(),
            registry_login=asked.registry_login,
            cause=f"job:{job_id}:hold",
            proven_ms_max=asked.run_limit_s * 1000,
            now=now,
        )
        digests = [file.digest for file in workload.inputs]
        uploads = Blob.objects.filter(renter_id=renter_id, placement=None, digest__in=digests)
        until = Greatest("expires_at", Value(funded_until + KEPT))
        # They were here a moment ago; a pass that forgets what is over may have come in between.
        if uploads.update(expires_at=until) < len(set(digests)):
            raise InputUnknown("A file that it needs was forgotten just now; upload it again.")
        job = Job.objects.create(
            id=job_id,
            renter_id=renter_id,
            offer=offer,
            placement_id=meter.placement_id,
            meter=meter,
            run_limit=timedelta(seconds=asked.run_limit_s),
            worst_total_microusd=terms.worst_total_microusd,
            idempotency_key=idempotency[0],
            request_digest=idempotency[1],
            started_at=now,
        )
        # What it may leave has its place before it starts; by now it is counted.
        upload.check_room(renter_id=renter_id, more_bytes=0)
        return job
