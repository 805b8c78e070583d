"""This will find people's notices and web hooks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, Q

from marketplace import plain_sql
from marketplace.accounts.models import Membership
from marketplace.accounts.queries import proven_emails
from marketplace.accounts.teams import letters_to
from marketplace.domain.notices import ABOUT_MONEY
from marketplace.domain.problem import Refused
from marketplace.domain.scope import Scope
from marketplace.domain.team import Role, may
from marketplace.endpoints.models import Endpoint
from marketplace.notices.models import Delivery, LettersOff, Notice, WebHook

PAGE = 50


class WebHookUnknown(Refused):
    code = "not_found"
    status = 404
    sentence = "You have no such web hook."


@dataclass(frozen=True, slots=True)
class Page:
    """Some notices, newest first."""

    items: tuple[Notice, ...]
    #: the page of older ones is the one before this number; None: there is none
    older: int | None


def page(user_id: int, *, before: int | None = None, unread: bool = False) -> Page:
    """Return a page of the person's notices. ``before``: what ``older`` of the newer page said."""
    rows = Notice.objects.filter(user_id=user_id).order_by("-id")
    if unread:
        rows = rows.filter(read_at=None)
    if before is not None:
        rows = rows.filter(id__lt=before)
    found = tuple(rows[: PAGE + 1])
    return Page(found[:PAGE], found[PAGE - 1].pk if len(found) > PAGE else None)


def unread(user_id: int) -> int:
    """Return how many notices the person has not seen."""
    # As it is written: each page asks, and for Django to write it takes longer than to answer it.
    ((count,),) = plain_sql.fetch(
        "SELECT COUNT(*) FROM notices_notice WHERE user_id = %(user_id)s AND read_at IS NULL",
        user_id=user_id,
    )
    return int(count)


def letters_off(user_id: int) -> frozenset[str]:
    """Return the kinds of which the person gets no letters."""
    return frozenset(LettersOff.objects.filter(user_id=user_id).values_list("kind", flat=True))


def letter_addresses(notice: Notice) -> Sequence[str]:
    """Return where the notice's letter goes: an address that somebody has proven, or none.

    A team's goes to its owners, who know each other, and to who pays for it if it is about money.
    """
    if not notice.user.is_team:
        return tuple(proven_emails(notice.user_id)[:1])
    roles = (Role.BILLING,) if notice.kind in ABOUT_MONEY else ()
    return letters_to(notice.user_id, *roles)


def hooks(user_id: int) -> Sequence[WebHook]:
    """Return the person's web hooks, oldest first."""
    return tuple(WebHook.objects.filter(user_id=user_id).order_by("created_at", "id"))


def hook(hook_id: UUID, user_id: int) -> WebHook:
    """Return one web hook of the person.

    :raises WebHookUnknown: when they have no such one.
    """
    found = WebHook.objects.filter(id=hook_id, user_id=user_id).first()
    if found is None:
        raise WebHookUnknown
    return found


def due_hooks(now: datetime, *, rows_max: int) -> Sequence[WebHook]:
    """Return hooks that something is due for, those first that were tried longest ago."""
    due = Delivery.objects.filter(hook=OuterRef("pk"), next_at__lte=now)
    rows = WebHook.objects.filter(_is_answered_for(), Exists(due), off_at=None)
    return tuple(rows.order_by("tried_at", "id")[:rows_max])


def left_hooks(*, rows_max: int) -> Sequence[WebHook]:
    """Return hooks of teams that are on, although whoever made them may make none there now."""
    rows = WebHook.objects.filter(~_is_answered_for(), off_at=None).select_related("made_by")
    return tuple(rows.order_by("created_at", "id")[:rows_max])


def left_endpoints(*, rows_max: int) -> Sequence[Endpoint]:
    """Return endpoints of teams whose key somebody was shown who may rent nothing there now."""
    knows = Q(key_made_by=None) | _member(with_scope=Scope.RENTALS_WRITE, of="renter", who="key_")
    rows = Endpoint.objects.filter(~knows, deleted_at=None).select_related("key_made_by")
    return tuple(rows.order_by("created_at", "id")[:rows_max])


def _is_answered_for() -> Q:
    """Say whether whoever made a hook still makes hooks there; one of no team is its person's."""
    return Q(made_by=None) | _member(with_scope=Scope.ACCOUNT_WRITE, of="user")


def _member(*, with_scope: Scope, of: str, who: str = "") -> Q:
    """Say whether who made it is in the team ``of`` with a role that has this scope."""
    roles = [role for role in Role if may(role, with_scope)]
    members = Membership.objects.filter(
        team=OuterRef(of), person=OuterRef(f"{who}made_by"), role__in=roles
    )
    return Q(Exists(members.filter(person__is_active=True)))


def due_deliveries(hook_id: UUID, now: datetime, *, rows_max: int) -> Sequence[Delivery]:
    """Return what is due for the hook, oldest first, each with its notice."""
    rows = Delivery.objects.filter(hook_id=hook_id, next_at__lte=now).select_related("notice")
    return tuple(rows.order_by("next_at", "notice_id")[:rows_max])


def address_of(notice: Notice) -> str:
    """Return the whole address of the page that the notice is about; empty: there is none."""
    path = _path(notice.data)
    return settings.PUBLIC_URL + path if path else ""


def _path(data: Mapping[str, Any]) -> str:
    path = data.get("url", "")
    return path if isinstance(path, str) and path.startswith("/") else ""
