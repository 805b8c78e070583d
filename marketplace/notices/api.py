"""This will serve a person's notices and web hooks over the REST API."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Path, Query, Router, Schema, Status
from pydantic import Field

from marketplace.accounts.acting import actor_id
from marketplace.accounts.bearer import ApiKeyBearer, caller, caller_key
from marketplace.accounts.once import IdempotencyKey, Made, once, once_of
from marketplace.domain.notices import LETTERS
from marketplace.json_body import JsonBody
from marketplace.ledger.actions import spend_limit
from marketplace.notices import queries
from marketplace.notices.actions import add_hook, mark_read, rotate_secret, send_test
from marketplace.notices.actions.set_letters import set_letter
from marketplace.notices.models import Notice, WebHook

router = Router(tags=["notices"], auth=ApiKeyBearer())
Number = Annotated[int, Field(ge=1, lt=1 << 63)]


class NoticeReply(Schema):
    id: int
    #: such as balance_low
    kind: str
    title: str
    text: str
    #: what a program may want to know of it
    data: dict[str, Any]
    at: datetime
    #: null: not yet
    read_at: datetime | None


class NoticeList(Schema):
    items: list[NoticeReply]
    #: as ``cursor`` it gives the next page; null: there is none
    next_cursor: int | None


class ReadRequest(JsonBody):
    #: the newest notice that was seen; older ones are taken as seen too
    up_to: Number


class ReadReply(Schema):
    #: notices that were unread before
    read: int


class WebHookRequest(JsonBody):
    url: Annotated[str, Field(max_length=add_hook.URL_LENGTH_MAX)]


class WebHookReply(Schema):
    id: UUID
    url: str
    created_at: datetime
    #: attempts that failed since one arrived
    failures: int
    #: why the newest attempt failed; empty: it arrived
    problem: str
    #: since then nothing is sent there; null: it is on
    off_at: datetime | None
    #: when it got its newest secret, beside which the one before signs for a day; null: never
    rotated_at: datetime | None
    #: what signs its events; shown this once
    secret: str | None = None

    @classmethod
    def of(cls, hook: WebHook, secret: str | None = None) -> Self:
        """Return the reply for one hook."""
        return cls(
            id=hook.id,
            url=hook.url,
            created_at=hook.created_at,
            failures=hook.failures,
            problem=hook.problem,
            off_at=hook.off_at,
            rotated_at=hook.rotated_at,
            secret=secret,
        )


class WebHookList(Schema):
    items: list[WebHookReply]


class EventReply(Schema):
    #: of the event that is on its way
    id: UUID


class LetterReply(Schema):
    kind: str
    #: when such a letter is sent
    about: str
    on: bool


class LetterList(Schema):
    items: list[LetterReply]


class LetterRequest(JsonBody):
    on: bool


@router.get("/notices", response=NoticeList)
def index(
    request: HttpRequest,
    *,
    unread: bool = False,
    cursor: Annotated[int | None, Query(ge=1, lt=1 << 63)] = None,
) -> NoticeList:
    """List what you were told, newest first."""
    page = queries.page(caller(request).pk, before=cursor, unread=unread)
    return NoticeList(items=[_notice(one) for one in page.items], next_cursor=page.older)


@router.post("/notices/read", response=ReadReply)
def read(request: HttpRequest, payload: ReadRequest) -> ReadReply:
    """Note that you have seen a notice and all before it."""
    user_id = caller(request).pk
    seen = mark_read.mark_read(user_id=user_id, up_to=payload.up_to, now=timezone.now())
    return ReadReply(read=seen)


@router.get("/letters", response=LetterList)
def letters(request: HttpRequest) -> LetterList:
    """Say of what kinds of notices you get letters."""
    off = queries.letters_off(caller(request).pk)
    items = [LetterReply(kind=kind, about=LETTERS[kind], on=kind not in off) for kind in LETTERS]
    return LetterList(items=items)


@router.put("/letters/{kind}", response=LetterList)
def turn_letter(
    request: HttpRequest, kind: Annotated[str, Path(max_length=40)], payload: LetterRequest
) -> LetterList:
    """Get letters of this kind or none; the page and web hooks tell of it either way.

    A key with a spend limit may not.
    """
    _check_whole_key(request)
    set_letter(user_id=caller(request).pk, kind=kind, on=payload.on)
    return letters(request)


@router.get("/web-hooks", response=WebHookList)
def web_hooks(request: HttpRequest) -> WebHookList:
    """List your web hooks."""
    return WebHookList(items=[WebHookReply.of(hook) for hook in queries.hooks(caller(request).pk)])


@router.post("/web-hooks", response={201: WebHookReply})
def create_web_hook(
    request: HttpRequest, payload: WebHookRequest, idempotency_key: IdempotencyKey = None
) -> Status[WebHookReply]:
    """Add an address that each of your notices is sent to from now on, signed by its secret.

    A key with a spend limit may not, nor remove one or turn one on.
    """
    _check_whole_key(request)
    user_id, now = caller(request).pk, timezone.now()

    def make() -> Made:
        added = add_hook.add(
            user_id=user_id, url=payload.url, made_by_id=actor_id(request), now=now
        )
        return Made(str(added.hook.pk), added.secret)

    made = once(once_of(request, user_id, idempotency_key, payload), make, now=now)
    return Status(201, _made(made, user_id))


@router.delete("/web-hooks/{hook_id}", response={204: None})
def delete_web_hook(request: HttpRequest, hook_id: UUID) -> Status[None]:
    """Remove a web hook; what was on its way there is dropped."""
    _check_whole_key(request)
    add_hook.remove(user_id=caller(request).pk, hook_id=hook_id)
    return Status(204, None)


@router.post("/web-hooks/{hook_id}/on", response=WebHookReply)
def turn_web_hook_on(request: HttpRequest, hook_id: UUID) -> WebHookReply:
    """Send your notices there again, from the next one on."""
    _check_whole_key(request)
    user_id = caller(request).pk
    add_hook.turn_on(user_id=user_id, hook_id=hook_id, made_by_id=actor_id(request))
    return WebHookReply.of(queries.hook(hook_id, user_id))


@router.post("/web-hooks/{hook_id}/rotate", response=WebHookReply)
def rotate_web_hook_secret(
    request: HttpRequest, hook_id: UUID, idempotency_key: IdempotencyKey = None
) -> WebHookReply:
    """Give a web hook a new secret, shown this once; the one before signs too for a day."""
    _check_whole_key(request)
    user_id, now = caller(request).pk, timezone.now()

    def make() -> Made:
        rotated = rotate_secret.rotate(user_id=user_id, hook_id=hook_id, now=now)
        return Made(str(hook_id), rotated.secret)

    return _made(once(once_of(request, user_id, idempotency_key), make, now=now), user_id)


@router.post("/web-hooks/{hook_id}/test", response={202: EventReply})
def test_web_hook(request: HttpRequest, hook_id: UUID) -> Status[EventReply]:
    """Send a web hook an event of the kind ``test``."""
    sent = send_test.send_test(user_id=caller(request).pk, hook_id=hook_id, now=timezone.now())
    return Status(202, EventReply(id=sent.pk))


def _made(made: Made, user_id: int) -> WebHookReply:
    return WebHookReply.of(queries.hook(UUID(made.told), user_id), made.secret)


def _check_whole_key(request: HttpRequest) -> None:
    spend_limit.check_own(api_key_id=caller_key(request), hold_key_id=None)


def _notice(notice: Notice) -> NoticeReply:
    return NoticeReply(
        id=notice.pk,
        kind=notice.kind,
        title=notice.title,
        text=notice.text,
        data=notice.data,
        at=notice.at,
        read_at=notice.read_at,
    )
