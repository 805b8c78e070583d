"""This will serve people's keys over the REST API."""

from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema, Status
from pydantic import AwareDatetime, Field

from marketplace.accounts import queries
from marketplace.accounts.acting import actor_id
from marketplace.accounts.actions import (
    add_ssh_key,
    check_password,
    issue_api_key,
    remove_ssh_key,
)
from marketplace.accounts.bearer import ApiKeyBearer, caller
from marketplace.accounts.client_address import client_address
from marketplace.accounts.models import SshKey
from marketplace.accounts.once import IdempotencyKey, Made, once, once_of
from marketplace.domain.scope import Scope
from marketplace.json_body import JsonBody

router = Router(tags=["account"])


class KeyRequest(JsonBody):
    email: Annotated[str, Field(max_length=254)]
    password: Annotated[str, Field(max_length=4096)]
    #: of an authenticator app, or a recovery code, where the account asks for one
    code: Annotated[str, Field(max_length=20)] = ""
    name: Annotated[str, Field(min_length=1, max_length=80)] = "berth"
    #: the most that the key may ever set aside for what it rents; null: no limit of its own
    spend_limit_microusd: Annotated[int, Field(ge=0, le=10**15)] | None = None
    #: what the key may do; empty: all that you may
    scopes: Annotated[tuple[Scope, ...], Field(max_length=20)] = ()
    #: it opens nothing from then on; null: it lasts until it is revoked
    expires_at: AwareDatetime | None = None


class KeyReply(Schema):
    #: shown this once
    key: str


class SshKeyRequest(JsonBody):
    name: Annotated[str, Field(max_length=80)] = ""
    public_key: Annotated[str, Field(max_length=20_000)]


class SshKeyReply(Schema):
    id: UUID
    name: str
    fingerprint: str
    public_key: str


@router.post("/auth/key", response={201: KeyReply}, auth=None)
def create_key(
    request: HttpRequest, payload: KeyRequest, idempotency_key: IdempotencyKey = None
) -> Status[KeyReply]:
    """Trade an e-mail address, a password and a code, where asked for, for a new API key.

    With an idempotency key a call that comes again within a day is told the same key; a code is
    taken once, so that such a call needs another.
    """
    now = timezone.now()
    user = check_password.check(
        email=payload.email,
        password=payload.password,
        code=payload.code,
        address=client_address(request),
        now=now,
    )

    def make() -> Made:
        issued = issue_api_key.issue(
            user_id=user.pk,
            name=payload.name,
            spend_limit_microusd=payload.spend_limit_microusd,
            scopes=payload.scopes,
            expires_at=payload.expires_at,
            now=now,
        )
        return Made(str(issued.key.pk), issued.secret)

    # Who they are was checked: another code, or a password changed meanwhile, is the same call.
    wanted = payload.model_copy(update={"password": "", "code": ""})
    made = once(once_of(request, user.pk, idempotency_key, wanted), make, now=now)
    return Status(201, KeyReply(key=made.secret))


@router.get("/ssh-keys", response=list[SshKeyReply], auth=ApiKeyBearer())
def ssh_keys(request: HttpRequest) -> list[SshKey]:
    """List your SSH public keys."""
    return list(queries.ssh_keys(caller(request).pk))


@router.post("/ssh-keys", response={201: SshKeyReply}, auth=ApiKeyBearer())
def create_ssh_key(request: HttpRequest, payload: SshKeyRequest) -> Status[SshKey]:
    """Add an SSH public key."""
    key = add_ssh_key.add(
        user_id=caller(request).pk,
        name=payload.name,
        public_key=payload.public_key,
        added_by_id=actor_id(request),
        now=timezone.now(),
    )
    return Status(201, key)


@router.delete("/ssh-keys/{key_id}", response={204: None}, auth=ApiKeyBearer())
def delete_ssh_key(request: HttpRequest, key_id: UUID) -> Status[None]:
    """Remove one of your SSH public keys; rentals that run keep it until you set theirs."""
    remove_ssh_key.remove(user_id=caller(request).pk, key_id=key_id)
    return Status(204, None)
