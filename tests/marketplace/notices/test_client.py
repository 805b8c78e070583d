"""The terminal's notices and web hooks against the site itself, over HTTP."""

import json
from collections.abc import Callable
from datetime import datetime

import pytest
from pytest_django.live_server_helper import LiveServer
from typer.testing import CliRunner

from berth.cli.app import app
from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.models import User
from marketplace.notices.models import Delivery, Notice, WebHook

pytestmark = pytest.mark.django_db(transaction=True)


def test_notices_and_hooks_from_the_terminal(
    alice: User, tell: Callable[..., bool], live_server: LiveServer, now: datetime
) -> None:
    key = issue(user_id=alice.pk, name="t", now=now).secret
    runner = CliRunner(env={"BERTH_URL": live_server.url, "BERTH_API_KEY": key})

    def berth(*words: str) -> str:
        ran = runner.invoke(app, list(words))
        assert ran.exit_code == 0, ran.output
        return ran.output

    made = berth("hooks", "add", "https://example.com/berth")
    assert "whs_" in made
    hook = WebHook.objects.get()
    assert "https://example.com/berth" in berth("hooks")
    tell(alice, "one")
    assert "Told of one" in berth("notices", "--unread", "--seen")
    assert "Told of one" not in berth("notices", "--unread")
    assert not Notice.objects.filter(read_at=None).exists()
    short = str(hook.pk)[:8]
    assert json.loads(berth("hooks", "test", short, "--json")) == {"id": str(hook.pk), "sent": True}
    assert Delivery.objects.filter(hook=hook, notice__kind="test").exists()
    assert "whs_" in berth("hooks", "rotate", str(hook.pk)[:8])
    assert WebHook.objects.get().secret_turn == 1
    WebHook.objects.update(off_at=now)
    assert json.loads(berth("hooks", "on", short, "--json"))["off_at"] is None
    assert WebHook.objects.get().off_at is None
    assert json.loads(berth("hooks", "rm", short, "--json"))["removed"] is True
    assert not WebHook.objects.exists()
