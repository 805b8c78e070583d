"""This will find people and their keys."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower

from marketplace.accounts import api_key
from marketplace.accounts.models import ApiKey, SshKey, User
from marketplace.domain.scope import covers

#: ``last_used_at`` is written at most this often, so that a busy key costs no write per request
USED_RESOLUTION = timedelta(minutes=1)
#: where deleted accounts have their address; reserved, so that no letter ever gets there
NOWHERE = "deleted.invalid"
#: of one person's API keys; those that work are fewer (issue_api_key.KEYS_MAX)
API_KEYS_READ = 200


def ssh_keys(user_id: int, only: Sequence[UUID] | None = None) -> Sequence[SshKey]:
    """Return the person's keys, oldest first; ``only`` narrows to these ids, None means all."""
    rows = SshKey.objects.filter(user_id=user_id).select_related("added_by")
    rows = rows.order_by("created_at", "id")
    return tuple(rows if only is None else rows.filter(pk__in=only))


def proven_emails(user_id: int) -> QuerySet[User, str]:
    """Return the addresses that the person has proven to be theirs.

    Anybody may sign up with any address, so that what is meant for its owner asks for the proof.
    """
    proven: QuerySet[User, str] = (
        EmailAddress.objects.filter(user_id=user_id, verified=True)
        .order_by("id")
        .values_list(Lower("email"), flat=True)
    )
    return proven


def is_asked_for_proof(user: User) -> bool:
    """Say whether letters to the person go nowhere until they prove an address."""
    return settings.SENDS_MAIL and not user.is_team and not proven_emails(user.pk).exists()


def api_keys(user_id: int) -> Sequence[ApiKey]:
    """Return the person's keys that still work, newest first."""
    rows = ApiKey.objects.filter(user_id=user_id, revoked_at=None).select_related(
        "spend_limit", "made_by"
    )
    return tuple(rows.order_by("-created_at", "id"))


def api_keys_known(user_id: int, *, by: ApiKey, now: datetime) -> Sequence[ApiKey]:
    """Return the keys that open something now and that the key ``by`` knows of, newest first."""
    lasting = Q(expires_at=None) | Q(expires_at__gt=now)
    rows = ApiKey.objects.filter(lasting, user_id=user_id, revoked_at=None)
    rows = rows.select_related("spend_limit").order_by("-created_at", "id")
    return tuple(key for key in rows[:API_KEYS_READ] if knows(by, key))


def knows(by: ApiKey, key: ApiKey) -> bool:
    """Say whether the key ``by`` may list and revoke another: one that may do no more than it.

    So a key that was found in a script ends none that its owner needs to end it. One that is held
    to an amount is held to itself, too.
    """
    if by.pk == key.pk:
        return True
    return not hasattr(by, "spend_limit") and covers(by.scopes, key.scopes)


def key_with_limit(key_id: UUID) -> ApiKey:
    """Return a key that opened something a moment ago, with what it is held to."""
    return ApiKey.objects.select_related("spend_limit").get(pk=key_id)


def key_of(raw: str, now: datetime) -> ApiKey | None:
    """Return the key, with its person, and note its use; None: it opens nothing."""
    if not api_key.well_formed(raw):
        return None
    lasting = Q(expires_at=None) | Q(expires_at__gt=now)
    rows = ApiKey.objects.select_related("user").filter(lasting)
    key = rows.filter(digest=api_key.digest(raw), revoked_at=None, user__is_active=True).first()
    if key is None:
        return None
    _note_use(key, now)
    return key


def _note_use(key: ApiKey, now: datetime) -> None:
    stale = now - USED_RESOLUTION
    if key.last_used_at is None or key.last_used_at <= stale:
        unseen = Q(last_used_at=None) | Q(last_used_at__lte=stale)
        ApiKey.objects.filter(unseen, pk=key.pk).update(last_used_at=now)


def is_deleted(user: User) -> bool:
    """Say whether its person deleted the account: it has an address at NOWHERE then."""
    return user.email.endswith(f"@{NOWHERE}")
