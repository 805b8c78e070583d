"""The terminal's templates against the site itself, over HTTP."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_django.live_server_helper import LiveServer

from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.models import User
from marketplace.placements.models import Placement
from tests.berth.terminal import Terminal
from tests.marketplace import scene
from tests.marketplace.rentals.market import Market, give_key

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_template_is_kept_rented_by_and_deleted_from_the_terminal(
    charlie: User,
    alice: User,
    give: Callable[..., None],
    live_server: LiveServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: scene.NOW)
    market = Market.open(charlie)
    give(alice, 10_000_000)
    give_key(alice)
    terminal = Terminal(tmp_path, live_server.url)
    terminal.environment["BERTH_API_KEY"] = issue(
        user_id=alice.pk, name="terminal", now=scene.NOW
    ).secret
    asked = ("--image", "debian:12", "--port", "8080", "--env", "A=b", "--command", "sleep 1")
    kept = terminal.berth("templates", "save", "my-env", *asked)
    assert (kept.code, kept.out) == (0, "my-env is kept as version 1.\n"), kept.err
    listed = terminal.berth("templates", "--json").json["items"]
    assert [one["name"] for one in listed][-1] == "my-env"
    assert "yours, version 1" in terminal.berth("templates").out
    up = ("up", str(market.offer.id), "--lease", "1h", "--json")
    rented = terminal.berth(*up, "--template", "my-env", "--env", "C=d")
    assert rented.code == 0, rented.err
    workload = Placement.objects.get().workload
    assert workload["image"] == "debian:12"
    assert workload["command"] == ["sleep", "1"]
    assert workload["environment"] == {"A": "b", "C": "d"}
    assert workload["ports"] == [8080]
    assert "--template" in terminal.berth(*up).err
    assert terminal.berth("templates", "rm", "my-env").code == 0
    assert terminal.berth(*up, "--template", "my-env").problem["code"] == "not_found"
