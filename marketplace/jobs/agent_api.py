"""This will hand a machine its jobs' inputs and take what they leave."""

import hashlib
from datetime import timedelta
from uuid import UUID

from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone
from ninja import Path, Router, Status
from ninja.security.base import AuthBase

from marketplace.accounts.actions import count_attempt
from marketplace.domain.problem import Refused
from marketplace.jobs import queries, storage
from marketplace.jobs.actions import keep_output
from marketplace.jobs.api import file_of
from marketplace.machines.actions.authenticate import Sender, authenticate_digest
from protocol.paths import HEADER_SIGNATURE
from protocol.signing import Digest

NOTHING = hashlib.sha256(b"").hexdigest()
#: for longer than a signed request is taken: a minute before its time and one after it
ASKED_ONCE = count_attempt.Limit("a machine's request for a file", 1, timedelta(minutes=3))


class BlobUnknown(Refused):
    """No job that this machine shall run names the file, or it is here no longer."""

    code = "not_found"
    status = 404
    sentence = "No job of this machine has such an input."


class RequestReplayed(Refused):
    """Its signature proves who made it, not who sent it."""

    code = "replayed"
    status = 401
    sentence = "This request came before; sign it again with the present time."


class SignedForFile(AuthBase):
    """Lets in the enrolled machine that signed for the file which the address names."""

    openapi_type = "apiKey"
    openapi_in = "header"
    openapi_name = HEADER_SIGNATURE

    def __call__(self, request: HttpRequest) -> Sender:
        """Return who signed it.

        :raises Refused: when no enrolled machine did.
        """
        match = request.resolver_match
        # The signature holds for a body only if it is what the address says: that is checked.
        sent = match.kwargs["digest"] if match and request.method == "PUT" else NOTHING
        return authenticate_digest(
            headers=request.headers,
            method=request.method or "",
            path=request.path,
            digest=sent,
            now=timezone.now(),
        )


router = Router(tags=["agent"], auth=SignedForFile())


@router.get("/blobs/{digest}", response={200: None})
def give(request: HttpRequest, digest: Path[Digest]) -> StreamingHttpResponse:
    """Return a file that a job of the machine that signed this has as an input."""
    sender = _sender(request)
    _take_once(sender, request.path)
    if not queries.is_input_of(sender.machine_id, digest):
        raise BlobUnknown
    try:
        return file_of(digest)
    except storage.FileLost:
        raise BlobUnknown from None


@router.put("/placements/{placement_id}/blobs/{digest}", response={204: None})
def take(request: HttpRequest, placement_id: UUID, digest: Path[Digest]) -> Status[None]:
    """Keep a file that a job of the machine that signed this has left."""
    keep_output.keep(
        machine_id=_sender(request).machine_id,
        placement_id=placement_id,
        digest=digest,
        source=request,
        now=timezone.now(),
    )
    return Status(204, None)


def _take_once(sender: Sender, path: str) -> None:
    """Accept a request that did not come before.

    :raises RequestReplayed: when it did, whoever sent it.
    """
    subject = f"{sender.machine_id} {sender.signed.sent_at_ms} {path}"
    try:
        count_attempt.count(limit=ASKED_ONCE, subject=subject, now=timezone.now())
    except count_attempt.TooManyAttempts:
        raise RequestReplayed from None


def _sender(request: HttpRequest) -> Sender:
    sender: Sender = request.auth  # type: ignore[attr-defined]
    return sender
