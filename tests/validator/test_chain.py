"""Setting weights: the in-memory chain's rules, and how set_weights ends."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import bittensor_core
import pytest

from tests.validator.builders import ALICE, BOB, NOW_MS
from validator.chain.interface import Sent
from validator.chain.memory import BLOCK_MS, RATE_LIMIT_BLOCKS, MemoryChain
from validator.chain.open import open_chain
from validator.chain.subtensor import SubtensorChain
from validator.domain.submission import Outcome
from validator.env import Configuration

KEYPAIR = bittensor_core.Keypair.create_from_uri("//Alice")


class Clock:
    now_ms = NOW_MS

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def chain(tmp_path: Path, clock: Clock) -> MemoryChain:
    made = MemoryChain(tmp_path / "chain.json", now_ms=clock)
    assert [made.register(hotkey) for hotkey in ("owner", ALICE, BOB)] == [0, 1, 2]
    return made


def send(chain: MemoryChain, keypair: bittensor_core.Keypair = KEYPAIR) -> Sent:
    share_by_uid = {0: Fraction(1, 4), 2: Fraction(3, 4)}
    with chain.session() as session:
        return session.send(keypair=keypair, share_by_uid=share_by_uid, version_key=0)


def test_registering_twice_keeps_the_uid(chain: MemoryChain) -> None:
    assert chain.register(ALICE) == 1


def test_weights_are_set_and_seen_again(chain: MemoryChain, tmp_path: Path, clock: Clock) -> None:
    assert chain.look(ALICE).last_update == 0
    assert send(chain).outcome is Outcome.SET
    standing = MemoryChain(tmp_path / "chain.json", now_ms=clock).look(ALICE)
    assert standing.weights == {0: 21_845, 2: 65_535}
    assert (standing.uid, standing.last_update, standing.owner_hotkey) == (1, 1, "owner")


def test_setting_again_within_the_rate_limit_is_too_soon(chain: MemoryChain, clock: Clock) -> None:
    send(chain)
    clock.now_ms += (RATE_LIMIT_BLOCKS - 1) * BLOCK_MS
    assert send(chain).outcome is Outcome.TOO_SOON
    clock.now_ms += BLOCK_MS
    assert send(chain).outcome is Outcome.SET


def test_an_unregistered_validator_is_not_ready(chain: MemoryChain) -> None:
    stranger = bittensor_core.Keypair.create_from_uri("//Stranger")
    assert send(chain, stranger).outcome is Outcome.NOT_READY
    assert chain.read().weights == {}


def test_hotkeys_registered_at_the_same_time_get_different_uids(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from validator.chain.memory import MemoryChain;"
        "print(MemoryChain(Path(sys.argv[1]), now_ms=lambda: 1).register(sys.argv[2]))"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path / "chain.json"), f"hotkey{number}"],
            stdout=subprocess.PIPE,
        )
        for number in range(3)
    ]
    uids = [int(process.communicate(timeout=30)[0]) for process in running]
    assert sorted(uids) == list(range(3))


def test_the_network_named_memory_is_in_memory_and_any_other_is_bittensors() -> None:
    configuration = Configuration()

    def kind(network: str) -> type:
        return type(
            open_chain(configuration, network=network, netuid=27, timeout_s=1, now_ms=lambda: 0)
        )

    assert kind("memory") is MemoryChain
    assert kind("finney") is SubtensorChain


@pytest.mark.parametrize(
    ("settings", "loaded", "absent"),
    [
        (
            "validator.settings",
            "validator.management.commands.set_weights, validator.round, validator.market",
            "bittensor",
        ),
        (
            "marketplace.settings",
            "marketplace.asgi, marketplace.celery_app, marketplace.gathering",
            "bittensor",
        ),
        ("", "miner_agent.cli, berth.cli.app", "bittensor_core"),
    ],
)
def test_nothing_but_setting_weights_loads_the_bittensor_sdk(
    settings: str, loaded: str, absent: str
) -> None:
    """It costs 2 s and 60 MB, and must never be in a web worker; a machine needs no hotkey."""
    setup = "import django; django.setup()" if settings else "pass"
    script = f"import sys; {setup}; import {loaded}; sys.exit({absent!r} in sys.modules)"
    environment = {"DJANGO_SETTINGS_MODULE": settings, "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, timeout=60)
    assert done.returncode == 0
