"""This will tell what an account was told, and manage its web hooks."""

from collections.abc import Callable
from datetime import datetime
from urllib.parse import quote

from berth.exchange import Call, Exchange, once
from berth.paging import pages
from berth.reading import read
from berth.shapes import Shape


class Notice(Shape):
    id: int
    kind: str
    title: str
    text: str = ""
    at: datetime
    #: None: not seen yet
    read_at: datetime | None = None


class WebHook(Shape):
    id: str
    url: str
    failures: int = 0
    #: why the newest attempt failed; empty: it arrived
    problem: str = ""
    #: None: it is on
    off_at: datetime | None = None
    #: shown once, when it is made
    secret: str | None = None


class NoticeList(Shape):
    items: tuple[Notice, ...] = ()


class WebHookList(Shape):
    items: tuple[WebHook, ...] = ()


class Letter(Shape):
    """Whether letters of a kind of notice are sent."""

    kind: str
    about: str = ""
    on: bool


class LetterList(Shape):
    items: tuple[Letter, ...] = ()


class Notices:
    """An account's notices and web hooks at one marketplace."""

    def __init__(self, exchange: Exchange, *, new_id: Callable[[], str]) -> None:
        self._exchange = exchange
        self._new_id = new_id

    def all(self, *, unread: bool = False) -> tuple[Notice, ...]:
        """Return the notices, newest first; ``unread``: those not seen yet."""
        found: list[Notice] = []
        for answer in pages(self._exchange, "/notices", {"unread": "true"} if unread else None):
            found += read(NoticeList, answer).items
        return tuple(found)

    def seen(self, *, up_to: int) -> None:
        """Note that this notice and all before it were seen."""
        self._exchange.send(Call("POST", "/notices/read", body={"up_to": up_to}, repeatable=True))

    def letters(self) -> tuple[Letter, ...]:
        """Return of what kinds of notices letters are sent."""
        answer = self._exchange.send(Call("GET", "/letters", repeatable=True))
        return read(LetterList, answer).items

    def turn_letter(self, kind: str, *, on: bool) -> tuple[Letter, ...]:
        """Return of what kinds letters are sent from now on."""
        call = Call("PUT", f"/letters/{quote(kind, safe='')}", body={"on": on}, repeatable=True)
        return read(LetterList, self._exchange.send(call)).items

    def hooks(self) -> tuple[WebHook, ...]:
        """Return the account's web hooks."""
        return read(
            WebHookList, self._exchange.send(Call("GET", "/web-hooks", repeatable=True))
        ).items

    def add_hook(self, url: str) -> WebHook:
        """Return a new web hook with its secret."""
        call = once("/web-hooks", self._new_id(), body={"url": url})
        return read(WebHook, self._exchange.send(call))

    def test_hook(self, hook_id: str) -> None:
        """Have a test sent there."""
        self._exchange.send(Call("POST", f"/web-hooks/{hook_id}/test"))

    def rotate_hook(self, hook_id: str) -> WebHook:
        """Return a web hook with its new secret; the one before signs too for a day."""
        call = once(f"/web-hooks/{hook_id}/rotate", self._new_id())
        return read(WebHook, self._exchange.send(call))

    def turn_hook_on(self, hook_id: str) -> WebHook:
        """Return a web hook to which notices are sent again."""
        call = Call("POST", f"/web-hooks/{hook_id}/on", repeatable=True)
        return read(WebHook, self._exchange.send(call))

    def remove_hook(self, hook_id: str) -> None:
        """Have nothing sent there any more."""
        self._exchange.send(Call("DELETE", f"/web-hooks/{hook_id}"))
