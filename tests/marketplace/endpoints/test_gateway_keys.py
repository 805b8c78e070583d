"""Each gateway has a key of its own, and of two processes with one key only one has it."""

from pathlib import Path
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from marketplace.endpoints.actions.register_gateway import HELD, KeyInUse, leave, register
from marketplace.endpoints.gateway import running
from protocol.agent import ObservedState
from tests.marketplace import scene
from tests.marketplace.endpoints.conftest import GATEWAY, Site, newest, process_of

HELD_S = HELD.total_seconds()
OTHER = UUID(int=1)


def take(process: UUID, *, at: float) -> None:
    register(public_key=GATEWAY, process=process, now=scene.after(at))


def test_a_key_is_another_processs_once_the_former_one_ended_or_is_gone_for_a_while(
    site: Site,
) -> None:
    first, second, third = process_of(GATEWAY), OTHER, UUID(int=2)
    take(first, at=5)
    with pytest.raises(KeyInUse, match="BERTH_GATEWAY_KEY of its own"):
        take(second, at=5 + HELD_S - 1)
    take(second, at=5 + HELD_S)
    # It was slow, not gone; it is told, and has no key for it.
    with pytest.raises(KeyInUse):
        take(first, at=6 + HELD_S)
    leave(process=first)
    with pytest.raises(KeyInUse):
        take(third, at=6 + HELD_S)
    leave(process=second)
    take(third, at=6 + HELD_S)


def test_of_two_processes_with_one_key_only_one_says_what_answers(site: Site) -> None:
    site.created()
    site.tell(newest(), ObservedState.RUNNING, at=1, age_ms=0)
    assert not site.look(newest(), at=2, by=OTHER)
    assert site.look(newest(), at=2)


def test_a_gateway_does_not_start_with_the_key_of_another_one(
    db: None, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "TAKE_S", 0.0)
    monkeypatch.setattr("django.utils.timezone.now", lambda: scene.NOW)
    settings.GATEWAY_KEY = str(tmp_path / "gateway_key")
    register(
        public_key=running.identity(tmp_path / "gateway_key").public,
        process=OTHER,
        now=scene.NOW,
    )
    with pytest.raises(CommandError, match="Another gateway runs with this key"):
        call_command("run_gateway")
