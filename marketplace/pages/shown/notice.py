"""This will prepare notices and web hooks for their pages."""

from dataclasses import dataclass
from datetime import datetime

from marketplace.domain.notices import FORMER_SECRET_FOR
from marketplace.notices.models import Notice, WebHook
from marketplace.pages import wording
from marketplace.pages.shown.moment import Moment


@dataclass(frozen=True, slots=True)
class NoticeLine:
    title: str
    text: str
    at: Moment
    unread: bool
    #: empty: it is about no page of this site
    url: str


@dataclass(frozen=True, slots=True)
class HookLine:
    address: str
    label: str
    tone: str
    #: empty: the newest event arrived, or none was sent
    problem: str
    off: bool
    #: of its secret; empty: it has one alone
    secrets: str
    test_url: str
    rotate_url: str
    on_url: str
    remove_url: str


def line(notice: Notice) -> NoticeLine:
    """Return one notice in words."""
    url = notice.data.get("url", "")
    ours = isinstance(url, str) and url.startswith("/") and not url.startswith("//")
    return NoticeLine(
        title=notice.title,
        text=notice.text,
        at=Moment.of(notice.at),
        unread=notice.read_at is None,
        url=url if ours else "",
    )


def hook_line(hook: WebHook, now: datetime) -> HookLine:
    """Return one web hook in words."""
    label, tone = ("On", "good")
    if hook.off_at is not None:
        label, tone = "Off", "bad"
    elif hook.failures:
        label, tone = f"{wording.count(hook.failures, 'attempt')} failed", "busy"
    url = f"/web-hooks/{hook.pk}"
    return HookLine(
        address=hook.url,
        label=label,
        tone=tone,
        problem=hook.problem,
        off=hook.off_at is not None,
        secrets=_secrets(hook, now),
        test_url=f"{url}/test",
        rotate_url=f"{url}/rotate",
        on_url=f"{url}/on",
        remove_url=f"{url}/remove",
    )


def _secrets(hook: WebHook, now: datetime) -> str:
    if hook.rotated_at is None or now - hook.rotated_at >= FORMER_SECRET_FOR:
        return ""
    until = hook.rotated_at + FORMER_SECRET_FOR
    return f"Its secret before this one signs too until {until:%-d %b %Y, %H:%M} UTC."
