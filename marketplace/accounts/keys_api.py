"""This will list and revoke a person's API keys over the REST API; the web makes them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Self
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema, Status

from marketplace.accounts import queries
from marketplace.accounts.actions import revoke_api_key
from marketplace.accounts.bearer import ApiKeyBearer, caller, caller_key
from marketplace.accounts.models import ApiKey

router = Router(tags=["account"], auth=ApiKeyBearer())


class ApiKeyReply(Schema):
    id: UUID
    name: str
    #: how it begins; the rest is not kept
    prefix: str
    #: what it may do; empty: all that you may
    scopes: list[str]
    #: the most that it may ever set aside, and what is counted of that; null: no limit of its own
    spend_limit_microusd: int | None
    spend_counted_microusd: int | None
    created_at: datetime
    #: null: it lasts until it is revoked
    expires_at: datetime | None
    #: to the minute; null: never
    last_used_at: datetime | None
    #: it is the one that asks
    current: bool

    @classmethod
    def of(cls, key: ApiKey, *, by: ApiKey) -> Self:
        """Return a key as another one of its owner reads it."""
        limit = getattr(key, "spend_limit", None)
        return cls(
            id=key.pk,
            name=key.name,
            prefix=key.prefix,
            scopes=key.scopes,
            spend_limit_microusd=limit.limit_microusd if limit else None,
            spend_counted_microusd=limit.counted_microusd if limit else None,
            created_at=key.created_at,
            expires_at=key.expires_at,
            last_used_at=key.last_used_at,
            current=key.pk == by.pk,
        )


@router.get("/api-keys", response=list[ApiKeyReply])
def api_keys(request: HttpRequest) -> Sequence[ApiKeyReply]:
    """List the API keys that work, newest first: this one, and those that may do no more than it.

    A key with a spend limit is told of itself alone.
    """
    by = _asking(request)
    known = queries.api_keys_known(caller(request).pk, by=by, now=timezone.now())
    return [ApiKeyReply.of(key, by=by) for key in known]


@router.delete("/api-keys/{key_id}", response={204: None})
def revoke(request: HttpRequest, key_id: UUID) -> Status[None]:
    """Refuse an API key from now on: this one, or one that may do no more than it."""
    revoke_api_key.revoke(
        user_id=caller(request).pk,
        key_id=key_id,
        by=_asking(request),
        now=timezone.now(),
    )
    return Status(204, None)


@router.delete("/me/key", response={204: None})
def revoke_own(request: HttpRequest) -> Status[None]:
    """Refuse the API key that asks from now on, whatever it may do; it needs no scope."""
    by = _asking(request)
    revoke_api_key.revoke(user_id=by.user_id, key_id=by.pk, by=by, now=timezone.now())
    return Status(204, None)


def _asking(request: HttpRequest) -> ApiKey:
    key_id = caller_key(request)
    assert key_id is not None  # noqa: S101 - ApiKeyBearer let the caller in by it
    return queries.key_with_limit(key_id)
