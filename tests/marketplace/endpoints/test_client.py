"""The terminal's endpoints against the site itself, over HTTP."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_django.live_server_helper import LiveServer

from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.models import User
from marketplace.endpoints import key as keys
from marketplace.endpoints.models import Endpoint, Replica
from protocol.agent import Want
from tests.berth.terminal import Terminal
from tests.marketplace import scene
from tests.marketplace.endpoints.conftest import present
from tests.marketplace.rentals.market import CPU_HOUR_MICROUSD, Market

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_endpoint_from_the_terminal(
    charlie: User,
    alice: User,
    give: Callable[..., None],
    live_server: LiveServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: scene.NOW)
    Market.open(charlie)
    present()
    give(alice, 3 * CPU_HOUR_MICROUSD)
    terminal = Terminal(tmp_path, live_server.url)
    terminal.environment["BERTH_API_KEY"] = issue(
        user_id=alice.pk, name="terminal", now=scene.NOW
    ).secret
    asked = ("--image", "debian:12", "--port", "8080", "--price-max", "3.60", "--json")
    made = terminal.berth("endpoints", "create", "chat", *asked, "--", "serve", "--fast")
    assert made.code == 0, made.err
    assert made.json["command"] == ["serve", "--fast"]
    endpoint = Endpoint.objects.get()
    assert keys.digest(made.json["key"]) == endpoint.key_digest
    late = terminal.berth(
        "endpoints", "create", "late", *asked, "--replicas", "1", "--wait", "--timeout", "1s"
    )
    assert (late.code, late.out) == (1, "")
    assert keys.digest(late.err.split("this once: ")[1].split()[0]) == (
        Endpoint.objects.get(name="late").key_digest
    )
    terminal.berth("endpoints", "rm", "late")
    scaled = terminal.berth("endpoints", "scale", "chat", "2", "--json")
    assert (scaled.json["replicas_wanted"], len(scaled.json["replicas"])) == (2, 2)
    (gone, _) = scaled.json["replicas"]
    dismissed = terminal.berth("endpoints", "dismiss", "chat", gone["placement_id"][:13])
    assert (dismissed.code, "on its machine any more" in dismissed.out) == (0, True)
    assert Replica.objects.get(placement_id=gone["placement_id"]).dismissed_at == scene.NOW
    renewed = terminal.berth("endpoints", "key", str(endpoint.id)[:8], "--json").json["key"]
    endpoint.refresh_from_db()
    assert keys.digest(renewed) == endpoint.key_digest
    shown = terminal.berth("endpoints", "show", "chat").out
    assert renewed not in shown
    assert "0 of 2 ready" in shown
    assert renewed[:10] in shown
    assert terminal.berth("endpoints", "rm", "chat").code == 0
    assert not Replica.objects.filter(placement__want=Want.RUN).exists()
