"""Events reach the web hooks of whom they are about, signed, and are tried again in bounds."""

import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from pytest_django.fixtures import Settings

from marketplace.accounts.models import User
from marketplace.domain.notices import HOOK_WAITS
from marketplace.notices.actions import add_hook, rotate_secret, send_test
from marketplace.notices.actions.deliver import deliver
from marketplace.notices.models import Delivery, Notice, WebHook
from tests.architecture.sources import TREE
from tests.marketplace.notices.conftest import Receiver

pytestmark = pytest.mark.django_db(transaction=True)
Tell = Callable[..., bool]


def test_an_event_arrives_once_and_signed(
    alice: User, bob: User, receiver: Receiver, tell: Tell, now: datetime
) -> None:
    added = add_hook.add(user_id=alice.pk, url=receiver.url, now=now)
    assert [tell(alice, "one"), tell(alice, "one"), tell(bob, "one")] == [True, False, True]
    assert [deliver(now=now), deliver(now=now + timedelta(days=9))] == [1, 0]
    ((path, headers, body),) = receiver.got
    told = json.loads(body)
    assert path == "/berth?a=1"
    assert (told["kind"], told["title"], told["attempt"]) == ("balance_low", "Told of one", 1)
    assert told["url"].endswith("/money/")
    assert UUID(told["id"]) == UUID(headers["Berth-Event"]) == Delivery.objects.get().pk
    signed = headers["Berth-Timestamp"].encode() + b"." + body
    expected = hmac.new(added.secret.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["Berth-Signature"] == f"v1={expected}"


def documented(now: datetime) -> Callable[[str, str, str, bytes], bool]:
    """Return the function by which docs/notices.md tells our events from others', at that time."""
    page = (TREE / "docs" / "notices.md").read_text()
    names: dict[str, Any] = {}
    exec(page.partition("```python\n")[2].partition("```")[0], names)
    names["time"] = SimpleNamespace(time=now.timestamp)
    is_ours: Callable[[str, str, str, bytes], bool] = names["is_ours"]
    return is_ours


def test_the_secret_before_the_newest_signs_for_a_day(
    alice: User, receiver: Receiver, tell: Tell, now: datetime
) -> None:
    added = add_hook.add(user_id=alice.pk, url=receiver.url, now=now)
    secrets = [added.secret]
    for hours in (1, 2):
        at = now + timedelta(hours=hours)
        made = rotate_secret.rotate(user_id=alice.pk, hook_id=added.hook.pk, now=at)
        secrets.append(made.secret)
    assert len(set(secrets)) == 3
    signed = []
    for minutes in (2 * 60, 26 * 60 - 1, 26 * 60):
        at = now + timedelta(minutes=minutes)
        tell(alice, str(minutes))
        assert deliver(now=at) == 1
        _, headers, body = receiver.got[-1]
        is_ours, told = documented(at), (headers["Berth-Timestamp"], headers["Berth-Signature"])
        signed.append([is_ours(secret, *told, body) for secret in secrets])
        assert not is_ours(secrets[2], told[0], "v1=,", body)
        assert not is_ours(secrets[2], *told, body + b" ")
        assert not documented(at + timedelta(minutes=6))(secrets[2], *told, body)
    assert signed == [[False, True, True], [False, True, True], [False, False, True]]


@pytest.mark.parametrize(
    ("status", "words"), [(500, "It answered 500."), (302, "redirects are not followed")]
)
def test_a_refused_event_is_tried_again_under_the_same_id(
    alice: User, receiver: Receiver, tell: Tell, now: datetime, status: int, words: str
) -> None:
    other = Receiver(port=receiver.port)
    receiver.status, receiver.answer_headers = status, {"Location": other.url + "&elsewhere"}
    add_hook.add(user_id=alice.pk, url=receiver.url, now=now)
    tell(alice, "one")
    tell(alice, "two")
    assert deliver(now=now) == 0
    hook = WebHook.objects.get()
    assert (hook.failures, words in hook.problem) == (1, True)
    # The second was not tried, as the first failed; no redirect was followed.
    assert [path for path, _, _ in receiver.got] == ["/berth?a=1"]
    assert sorted(Delivery.objects.values_list("attempts", flat=True)) == [0, 1]
    receiver.status = 204
    assert deliver(now=now + HOOK_WAITS[0] - timedelta(seconds=1)) == 0
    assert deliver(now=now + HOOK_WAITS[0]) == 2
    told = [json.loads(body) for _, _, body in receiver.got]
    assert (told[1]["id"], told[1]["attempt"]) == (told[0]["id"], 2)
    hook.refresh_from_db()
    assert (hook.failures, hook.failing_since, hook.problem) == (0, None, "")


def test_a_hook_at_which_nothing_arrives_is_turned_off_and_its_owner_told(
    alice: User, receiver: Receiver, tell: Tell, now: datetime
) -> None:
    receiver.status = 503
    added = add_hook.add(user_id=alice.pk, url=receiver.url, now=now)
    tell(alice, "one")
    at, tries = now, 0
    while (due := Delivery.objects.get(notice__cause="one").next_at) is not None:
        at = max(at, due)
        deliver(now=at)
        tries += 1
    assert tries == len(receiver.got) == 1 + len(HOOK_WAITS)
    tell(alice, "two", now=now + timedelta(days=3))
    deliver(now=now + timedelta(days=3))
    assert WebHook.objects.get().off_at == now + timedelta(days=3)
    assert Notice.objects.filter(user=alice, kind="web_hook_off").count() == 1
    tell(alice, "three", now=now + timedelta(days=4))
    assert not Delivery.objects.filter(next_at__isnull=False).exists()
    receiver.status = 200
    add_hook.turn_on(user_id=alice.pk, hook_id=added.hook.pk)
    tell(alice, "four", now=now + timedelta(days=4))
    assert deliver(now=now + timedelta(days=4)) == 1


def test_no_address_inside_our_own_network_is_asked(
    alice: User, receiver: Receiver, tell: Tell, now: datetime, settings: Settings
) -> None:
    add_hook.add(user_id=alice.pk, url=receiver.url, now=now)
    settings.PRIVATE_HOOKS = False
    tell(alice, "one")
    assert deliver(now=now) == 0
    assert receiver.got == []
    assert "no address of the public internet" in WebHook.objects.get().problem


def test_a_silent_server_and_an_endless_answer_are_left(
    alice: User, receiver: Receiver, tell: Tell, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marketplace.notices.sending.DEADLINE_S", 0.3)
    receiver.answer_headers = {"X-Long": "x" * 20_000}
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for url in (receiver.url, f"http://127.0.0.1:{silent.getsockname()[1]}/"):
            add_hook.add(user_id=alice.pk, url=url, now=now)
        tell(alice, "one")
        assert deliver(now=now) == 0
    problems = [hook.problem for hook in WebHook.objects.order_by("created_at", "url")]
    assert sorted(problem[:12] for problem in problems) == ["It cannot be", "No answer wi"]


def test_a_name_that_nobody_tells_holds_up_no_other_hook(
    alice: User, receiver: Receiver, tell: Tell, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, look_up = threading.Event(), socket.getaddrinfo

    def slow(host: str, *rest: Any, **more: Any) -> Any:
        if host == "slow.invalid":
            told.wait()
        return look_up(host, *rest, **more)

    monkeypatch.setattr("socket.getaddrinfo", slow)
    monkeypatch.setattr("marketplace.notices.sending.LOOK_UP_S", 0.3)
    for url in (receiver.url, "http://slow.invalid/"):
        add_hook.add(user_id=alice.pk, url=url, now=now)
    tell(alice, "one")
    try:
        assert deliver(now=now) == 1
    finally:
        told.set()
    slow_one = WebHook.objects.get(url="http://slow.invalid/")
    assert "nobody says within 0.3 seconds where slow.invalid is" in slow_one.problem


def test_a_test_goes_to_one_hook_and_is_no_news(
    alice: User, bob: User, receiver: Receiver, now: datetime
) -> None:
    added = add_hook.add(user_id=alice.pk, url=receiver.url, now=now)
    add_hook.add(user_id=alice.pk, url=receiver.url + "&b=2", now=now)
    send_test.send_test(user_id=alice.pk, hook_id=added.hook.pk, now=now)
    with pytest.raises(Exception, match="no such web hook"):
        send_test.send_test(user_id=bob.pk, hook_id=added.hook.pk, now=now)
    assert deliver(now=now) == 1
    ((path, _, body),) = receiver.got
    assert (path, json.loads(body)["kind"]) == ("/berth?a=1", "test")
    assert not Notice.objects.filter(read_at=None).exists()


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "https://",
        "https://a@example.com/",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://[::1/",
        "https://exämple.com/",
        "https://example.com/ x",
        "https://example.com/\r\nX: y",
        "https://example.com/#part",
        "https://example.com/" + "x" * 500,
        "",
    ],
)
def test_an_address_that_cannot_be_is_refused(
    alice: User, now: datetime, settings: Settings, url: str
) -> None:
    settings.PRIVATE_HOOKS = False
    with pytest.raises(add_hook.AddressRefused):
        add_hook.add(user_id=alice.pk, url=url, now=now)


def test_hooks_are_counted_and_no_address_is_there_twice(alice: User, now: datetime) -> None:
    add_hook.add(user_id=alice.pk, url="https://example.com/0", now=now)
    with pytest.raises(add_hook.WebHookKnown):
        add_hook.add(user_id=alice.pk, url=" https://example.com/0 ", now=now)
    for number in range(1, add_hook.HOOKS_MAX):
        add_hook.add(user_id=alice.pk, url=f"https://example.com/{number}", now=now)
    with pytest.raises(add_hook.TooManyWebHooks):
        add_hook.add(user_id=alice.pk, url="https://example.com/more", now=now)
