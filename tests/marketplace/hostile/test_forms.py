"""Every form of every page takes what nobody means: no error of the site, and nothing is kept."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote_plus

import pytest
from django.contrib.messages import get_messages
from django.db import transaction
from django.test import Client

from tests.browser.world import World
from tests.marketplace import staffed
from tests.marketplace.hostile.forms import TOKEN, Form, forms_of
from tests.marketplace.hostile.writes import Writes, watched

URLENCODED = "application/x-www-form-urlencoded"
TURN = "\u202e"
#: short enough for any field, and nothing that one may keep: markup, a turn, an escape, blank
SHORT = f"<i>{TURN}\x1b[2J\u200b"
#: what no field refuses: the end of a string and a comment of SQL, and sums that templates do
CLEAN = "' OR '\";--{{7191*7193}}${7191*7193}"
WORKED_OUT = str(7191 * 7193)
#: fields that take it as it is
FREE = frozenset({"text", "search", "textarea", "password"})
#: no number, though Python has a digit, a float or an integer in each
NUMBERS = ("\u00b2", "9" * 400, "1E+400", "-Infinity")
LONG = "<script>alert(1)</script>" * 2000
#: what a program gets as it is, or nobody reads
AS_WRITTEN = frozenset({"command", "on_start", "environment", "registry_user", "request_key"})
CLEAN_SENT = quote_plus(CLEAN)
#: they end the session, which the other forms need
LEFT_OUT = ("/accounts/logout/",)


class _TakeBack(Exception):
    pass


def cases(form: Form) -> Iterator[Mapping[str, str]]:
    """Yield what to send: each field alone with a short text, and all of them with each value."""
    for name in form.written:
        yield form.sends | {name: SHORT}
    # All at once, so that what is asked for is done.
    yield form.sends | {name: CLEAN for name in form.written if form.kinds[name] in FREE}
    values = (*NUMBERS, LONG)
    for turn in range(len(values)):
        # Each field meets each value, though what is wrong of one hides what comes of another.
        yield form.sends | {
            name: values[(place + turn) % len(values)] for place, name in enumerate(form.written)
        }


def encoded(sent: Mapping[str, str]) -> str:
    """Return the form as a browser sends it."""
    return "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in sent.items())


def send(browser: Client, form: Form, body: str) -> tuple[Any, Writes]:
    """Return the answer and what was written; it is all taken back."""
    with watched() as writes:
        try:
            with transaction.atomic():
                if form.method == "get":
                    reply = browser.get(f"{form.path}?{body}")
                else:
                    reply = browser.post(form.action, body, content_type=URLENCODED)
                if CLEAN_SENT in body and 300 <= reply.status_code < 400:
                    # The page behind it shows what was kept.
                    shown = browser.get(reply.headers["Location"])
                    if shown.status_code >= 500:
                        reply = shown
                    elif not shown.streaming:
                        reply.content += shown.content
                kept = Writes()
                kept.kept = list(writes.kept)
                raise _TakeBack
        except _TakeBack:
            return reply, kept


def wrong(form: Form, body: str, reply: Any, writes: Writes) -> Iterator[str]:
    """Yield what is wrong with the answer."""
    about = f"{form.method} {form.path} {body[:160]}: {reply.status_code}"
    if reply.status_code >= 500:
        yield f"{about} {getattr(reply, 'exc_info', None)}"
        return
    told = [str(one) for one in get_messages(reply.wsgi_request) if one.level_tag == "error"]
    if reply.status_code in (301, 302, 303):
        if re.match(r"/(?![/\\])", reply.headers["Location"]) is None:
            yield f"{about} leads to {reply.headers['Location']}"
    elif not reply.streaming and b"<script>alert" in reply.content:
        yield f"{about} shows markup as it came"
    if not reply.streaming and WORKED_OUT.encode() in reply.content:
        yield f"{about} shows what a template worked out"
    if WORKED_OUT in str(writes.kept):
        yield f"{about} keeps what a template worked out"
    if reply.status_code >= 400 and b"<" not in reply.content:
        yield f"{about} says nothing"
    if (reply.status_code >= 400 or told) and writes.kept:
        yield f"{about} is refused and wrote {writes.kept[0]}"
    turning = {name for name, value in parse_qsl(body) if TURN in value}
    for sql, params in [] if turning <= AS_WRITTEN else writes.kept:
        if TURN in str(params) or "\\u202e" in str(params).lower():
            yield f"{about} keeps a turn: {sql[:90]}"


@pytest.mark.parametrize(("who", "least"), [("a visitor", 5), ("Ada", 60)])
def test_no_form_breaks_keeps_it_or_says_nothing(world: World, who: str, least: int) -> None:
    browser = staffed.browser(world.ada) if who == "Ada" else Client()
    browser.raise_request_exception = False
    jar = {name: one.value for name, one in browser.cookies.items()}
    every = [one for one in forms_of(browser, world) if one.path not in LEFT_OUT]
    found: list[str] = []
    for form in every:
        form.sends.pop(TOKEN, None)
        bodies = [encoded(one) for one in cases(form)] if form.written else []
        shown, name = encoded(form.sends), next(iter(form.written), "x")
        # Neither can be written by hand: half a character, and the one that no column takes.
        for body in (*bodies, f"{shown}&{name}=%ED%A0%80%FF", f"{shown}&{name}=%00"):
            browser.cookies.clear()
            browser.cookies.load(jar)
            reply, writes = send(browser, form, body)
            found += wrong(form, body, reply, writes)
    assert found == []
    assert len(every) >= least
