"""This will take in what machines send of their containers' logs."""

from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Status
from ninja.security.base import AuthBase

from marketplace.logs.actions import keep
from marketplace.machines.actions.authenticate import Sender, authenticate
from protocol.container_log import LogReport
from protocol.paths import HEADER_SIGNATURE


class SignedByMachine(AuthBase):
    """Lets in the enrolled machine that signed the request."""

    openapi_type = "apiKey"
    openapi_in = "header"
    openapi_name = HEADER_SIGNATURE

    def __call__(self, request: HttpRequest) -> Sender:
        """Return who signed it.

        :raises Refused: when no enrolled machine did.
        """
        return authenticate(
            headers=request.headers,
            method=request.method or "",
            path=request.path,
            body=request.body,
            now=timezone.now(),
        )


router = Router(tags=["agent"], auth=SignedByMachine())


@router.post("/placements/{placement_id}/log", response={204: None})
def take(request: HttpRequest, placement_id: UUID, payload: LogReport) -> Status[None]:
    """Keep the end of what a container of the machine that signed this said."""
    # One that comes twice says what it said: a question is answered once.
    sender: Sender = request.auth  # type: ignore[attr-defined]
    keep.keep(
        machine_id=sender.machine_id,
        placement_id=placement_id,
        report=payload,
        now=timezone.now(),
    )
    return Status(204, None)
