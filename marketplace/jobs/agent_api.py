"""This will hand a machine its jobs' inputs and take what they leave."""

import hashlib
from uuid import UUID

from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone
from ninja import Path, Router, Status

from marketplace.domain.problem import Refused
from marketplace.jobs import queries, storage
from marketplace.jobs.actions import keep_output
from marketplace.jobs.api import file_of
from marketplace.machines.actions.authenticate import Sender, authenticate_digest
from protocol.signing import Digest

router = Router(tags=["agent"], auth=None)
NOTHING = hashlib.sha256(b"").hexdigest()


class BlobUnknown(Refused):
    """No job that this machine shall run names the file, or it is here no longer."""

    code = "not_found"
    status = 404
    sentence = "No job of this machine has such an input."


@router.get("/blobs/{digest}", response={200: None})
def give(request: HttpRequest, digest: Path[Digest]) -> StreamingHttpResponse:
    """Return a file that a job of the machine that signed this has as an input."""
    sender = _sender(request, NOTHING)
    path = storage.path_of(digest)
    if not queries.is_input_of(sender.machine_id, digest) or not path.exists():
        raise BlobUnknown
    return file_of(digest, path.stat().st_size)


@router.put("/placements/{placement_id}/blobs/{digest}", response={204: None})
def take(request: HttpRequest, placement_id: UUID, digest: Path[Digest]) -> Status[None]:
    """Keep a file that a job of the machine that signed this has left."""
    # The signature holds for this body only if the body is what the address says: that is checked.
    sender = _sender(request, digest)
    keep_output.keep(
        machine_id=sender.machine_id,
        placement_id=placement_id,
        digest=digest,
        source=request,
        now=timezone.now(),
    )
    return Status(204, None)


def _sender(request: HttpRequest, digest: str) -> Sender:
    return authenticate_digest(
        headers=request.headers,
        method=request.method or "",
        path=request.path,
        digest=digest,
        now=timezone.now(),
    )
