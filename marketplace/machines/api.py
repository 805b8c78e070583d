"""This will give hosts enrolment tokens over the REST API."""

import shlex
from datetime import datetime

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema, Status

from marketplace.accounts.bearer import ApiKeyBearer, caller
from marketplace.accounts.once import IdempotencyKey, Made, once, once_of
from marketplace.machines.actions import issue_token

router = Router(tags=["host"], auth=ApiKeyBearer())


class TokenReply(Schema):
    token: str
    expires_at: datetime
    #: what to run on the machine, as root
    command: str


@router.post("/host/enrolment-tokens", response={201: TokenReply})
def create_token(
    request: HttpRequest, idempotency_key: IdempotencyKey = None
) -> Status[TokenReply]:
    """Make a one-time token that enrols one machine as yours."""
    host_id, now = caller(request).pk, timezone.now()

    def make() -> Made:
        issued = issue_token.issue_token(host_id=host_id, now=now)
        return Made(issued.expires_at.isoformat(), issued.token)

    made = once(once_of(request, host_id, idempotency_key), make, now=now)
    return Status(
        201,
        TokenReply(
            token=made.secret,
            expires_at=datetime.fromisoformat(made.told),
            command=install_command(made.secret),
        ),
    )


def install_command(token: str) -> str:
    """Return the line that a host copies to a bare machine; there the token is no argument.

    Whoever is on the machine can read every program's arguments, and ``echo`` is no program.
    """
    script = shlex.quote(f"{settings.PUBLIC_URL}/install")
    return f'echo {token} | sh -c "$(curl -fsS {script})"'


def enrol_command(token: str) -> str:
    """Return the line for a machine that has the agent already."""
    return f"echo {token} | berth-agent enroll --url {shlex.quote(settings.PUBLIC_URL)}"
