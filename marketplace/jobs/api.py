"""This will serve jobs and their files over the REST API."""

from typing import Annotated
from uuid import UUID, uuid4

from django.db import transaction
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone
from ninja import Header, Router, Status

from marketplace.accounts.bearer import ApiKeyBearer, caller, caller_key
from marketplace.jobs import queries, storage
from marketplace.jobs.actions import cancel, run, upload
from marketplace.jobs.schemas import BlobReply, JobList, JobReply, JobRequest
from marketplace.ledger.actions import spend_limit

router = Router(tags=["jobs"], auth=ApiKeyBearer())
IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)]


@router.post("/blobs", response={201: BlobReply})
def create_blob(request: HttpRequest) -> Status[BlobReply]:
    """Upload a file for your jobs: the body is the file. The same file again is kept longer."""
    blob = upload.upload(renter_id=caller(request).pk, source=request, now=timezone.now())
    reply = BlobReply(digest=blob.digest, size_bytes=blob.size_bytes, expires_at=blob.expires_at)
    return Status(201, reply)


@router.post("/jobs", response={201: JobReply})
def create(
    request: HttpRequest, payload: JobRequest, idempotency_key: IdempotencyKey = None
) -> Status[JobReply]:
    """Run a command once, without a network: its run limit's price is held, its time is charged."""
    renter = caller(request)
    now = timezone.now()
    with transaction.atomic():
        job = run.run(
            renter_id=renter.pk,
            asked=run.Asked(
                offer_id=payload.offer_id,
                parts={
                    "image": payload.image,
                    "command": tuple(payload.command),
                    "environment": payload.environment,
                },
                inputs=[run.Input(path=file.path, digest=file.digest) for file in payload.inputs],
                resources=payload.resources,
                run_limit_s=payload.run_limit_s,
                outputs_bytes_max=payload.outputs_bytes_max,
                price_hour_microusd_max=payload.price_hour_microusd_max,
                registry_login=payload.registry_login,
            ),
            idempotency_key=idempotency_key or str(uuid4()),
            now=now,
        )
        spend_limit.attribute(hold_id=job.meter.hold_id, api_key_id=caller_key(request), now=now)
    return Status(201, JobReply.of(queries.view(job.id, renter.pk)))


@router.get("/jobs", response=JobList)
def index(request: HttpRequest, cursor: UUID | None = None) -> JobList:
    """List your jobs, newest first."""
    page = queries.views(caller(request).pk, after=cursor)
    return JobList(items=[JobReply.of(view) for view in page.items], next_cursor=page.next_id)


@router.get("/jobs/{job_id}", response=JobReply)
def show(request: HttpRequest, job_id: UUID) -> JobReply:
    """Show one of your jobs: how it does, how it exited and what it left."""
    return JobReply.of(queries.view(job_id, caller(request).pk))


@router.post("/jobs/{job_id}/cancel", response=JobReply)
def cancel_job(request: HttpRequest, job_id: UUID) -> JobReply:
    """End a job before it exits: nothing after this call is charged."""
    renter = caller(request)
    cancel.cancel(job_id=job_id, renter_id=renter.pk, now=timezone.now())
    return JobReply.of(queries.view(job_id, renter.pk))


@router.get("/jobs/{job_id}/outputs/{path:path}", response={200: None})
def output(request: HttpRequest, job_id: UUID, path: str) -> StreamingHttpResponse:
    """Return a file that a job left below /output; ``.stdout`` and ``.stderr`` are what it said."""
    blob = queries.output(job_id, caller(request).pk, path)
    return file_of(blob.digest)


def file_of(digest: str) -> StreamingHttpResponse:
    """Return the answer that is a stored file. No browser shows it: it is a stranger's.

    :raises FileLost: when it lies here no longer.
    """
    # Opened before the answer begins: nothing can be refused once its head is sent.
    file = storage.opened(digest)
    reply = StreamingHttpResponse(file, content_type="application/octet-stream")
    reply.headers["Content-Length"] = str(file.size_bytes)
    reply.headers["Content-Disposition"] = "attachment"
    reply.headers["ETag"] = f'"{digest}"'
    return reply
