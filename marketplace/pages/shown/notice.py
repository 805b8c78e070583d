"""This will prepare notices and web hooks for their pages."""

from dataclasses import dataclass

from marketplace.notices.models import Notice, WebHook
from marketplace.pages import wording
from marketplace.pages.shown.rental import Moment


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
    test_url: str
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


def hook_line(hook: WebHook) -> HookLine:
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
        test_url=f"{url}/test",
        on_url=f"{url}/on",
        remove_url=f"{url}/remove",
    )
