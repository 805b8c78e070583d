"""This will answer what a renter's jobs are doing, what they cost and what they left."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet, Sum

from marketplace.domain.job import JobState, state_of
from marketplace.domain.placement import LIVE, PlacementState
from marketplace.domain.problem import Refused
from marketplace.jobs.models import Blob, Job
from marketplace.placements.models import Placement
from protocol.hardware import Resources
from protocol.workload import LOG_BYTES_MOST, LOG_FILES, JobFile, PlacementKind, Workload

VIEWS_MAX = 100
#: what a job may leave beside its outputs
LOGS_BYTES_MAX = len(LOG_FILES) * LOG_BYTES_MOST


class JobUnknown(Refused):
    """There is no such job, or it is somebody else's."""

    code = "not_found"
    status = 404
    sentence = "You have no such job."


class OutputUnknown(Refused):
    """The job left no such file, or it was kept as long as files are."""

    code = "not_found"
    status = 404
    sentence = "The job left no such file, or it is kept no longer."


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as its renter sees it."""

    id: UUID
    state: JobState
    progress: str
    #: None: its process did not exit by itself, or not yet
    exit_code: int | None
    #: why it ended: a stable code and one plain sentence, both empty while it goes on
    reason_code: str
    reason: str
    machine_id: UUID
    #: what the machine's receipts name
    placement_id: UUID
    offer_id: UUID
    image: str
    command: tuple[str, ...]
    inputs: tuple[JobFile, ...]
    outputs: tuple[JobFile, ...]
    resources: Resources
    run_limit_s: int
    price_hour_microusd: int
    worst_total_microusd: int
    cost_microusd: int
    started_at: datetime
    running_at: datetime | None
    #: None until the last charge is posted and the rest of the hold is back
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Views:
    """One page of a renter's jobs."""

    items: tuple[JobView, ...]
    #: the last of this page where another follows; None: this is the last page
    next_id: UUID | None


def view(job_id: UUID, renter_id: int) -> JobView:
    """Return one job of this renter.

    :raises JobUnknown: when there is none.
    """
    return _view(find(job_id, renter_id))


def views(renter_id: int, *, after: UUID | None = None, rows_max: int = VIEWS_MAX) -> Views:
    """Return one page of the renter's jobs, newest first.

    ``after``: what ``Views.next_id`` said on the page before this one. None: begin at the newest.

    :raises JobUnknown: when ``after`` is no job of this renter.
    """
    jobs = _jobs(renter_id)
    if after is not None:
        last = find(after, renter_id)
        jobs = jobs.filter(
            Q(started_at__lt=last.started_at) | Q(started_at=last.started_at, id__gt=last.id)
        )
    found = list(jobs.order_by("-started_at", "id")[: rows_max + 1])
    page = found[:rows_max]
    return Views(
        items=tuple(_view(job) for job in page),
        next_id=page[-1].id if len(found) > rows_max else None,
    )


def find(job_id: UUID, renter_id: int) -> Job:
    """Return one job of this renter.

    :raises JobUnknown: when there is none.
    """
    job = _jobs(renter_id).filter(id=job_id).first()
    if job is None:
        raise JobUnknown
    return job


def output(job_id: UUID, renter_id: int, path: str) -> Blob:
    """Return a file that one of this renter's jobs left, by its path below /output.

    Only what the job's own machine stored for it: a machine may name any digest.
    :raises JobUnknown: when this renter has no such job.
    :raises OutputUnknown: when it left no such file.
    """
    job = find(job_id, renter_id)
    digest = next((file["digest"] for file in job.placement.outputs if file["path"] == path), None)
    blob = Blob.objects.filter(placement_id=job.placement_id, digest=digest).first()
    if blob is None:
        raise OutputUnknown
    return blob


def bytes_of(renter_id: int) -> int:
    """Return how much a renter keeps here: files, and what live jobs may still leave."""
    live = Job.objects.filter(renter_id=renter_id, placement__state__in=LIVE).order_by("id")
    most = dict(live.values_list("placement_id", "placement__workload__outputs_bytes_max"))
    kept = Blob.objects.filter(renter_id=renter_id).exclude(placement_id__in=list(most))
    kept_bytes = kept.aggregate(all=Sum("size_bytes"))["all"] or 0
    return int(kept_bytes) + sum((one or 0) + LOGS_BYTES_MAX for one in most.values())


def is_input_of(machine_id: UUID, digest: str) -> bool:
    """Say whether a job that this machine shall run has the file as an input."""
    jobs = Placement.objects.filter(
        machine_id=machine_id, kind=PlacementKind.JOB, state__in=LIVE
    ).order_by("id")
    workloads = jobs.values_list("workload", flat=True)
    return any(
        file["digest"] == digest for workload in workloads for file in workload.get("inputs", ())
    )


def _jobs(renter_id: int) -> QuerySet[Job]:
    return Job.objects.filter(renter_id=renter_id).select_related("placement", "meter")


def _view(job: Job) -> JobView:
    placement, meter = job.placement, job.meter
    workload = Workload.model_validate(placement.workload)
    settled = meter.closed_at is not None
    return JobView(
        id=job.id,
        state=state_of(
            PlacementState(placement.state),
            exited=placement.exit_code is not None,
            settled=settled,
        ),
        progress=placement.progress,
        exit_code=placement.exit_code,
        reason_code=placement.reason_code,
        reason=placement.reason,
        machine_id=placement.machine_id,
        placement_id=placement.id,
        offer_id=job.offer_id,
        image=workload.image,
        command=workload.command,
        inputs=workload.inputs,
        outputs=tuple(JobFile.model_validate(file) for file in placement.outputs),
        resources=workload.resources,
        run_limit_s=int(job.run_limit.total_seconds()),
        price_hour_microusd=meter.price_hour_microusd,
        worst_total_microusd=job.worst_total_microusd,
        cost_microusd=meter.charged_microusd,
        started_at=job.started_at,
        running_at=placement.running_at,
        ended_at=placement.ended_at if settled else None,
    )
