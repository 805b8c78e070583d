"""Setting weights: the in-memory chain's rules, and how set_weights ends."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import bittensor_core
import pytest

from tests.validator.builders import ALICE, BOB, NOW_MS
from validator.chain.interface import Outcome, Submission
from validator.chain.memory import BLOCK_MS, RATE_LIMIT_BLOCKS, MemoryChain
from validator.chain.open import open_chain
from validator.chain.subtensor import SubtensorChain
from validator.domain.weights import Burn
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


def submission(*, dry_run: bool = False, burn: Burn | None = None) -> Submission:
    shares = {BOB: Fraction(3, 4), "gone": Fraction(1, 4)}
    return Submission(shares, KEYPAIR, burn=burn or Burn(), dry_run=dry_run)


def test_registering_twice_keeps_the_uid(chain: MemoryChain) -> None:
    assert chain.register(ALICE) == 1


def test_weights_are_set_by_uid_and_the_missing_are_named(chain: MemoryChain) -> None:
    report = chain.submit(submission())
    assert report.outcome is Outcome.SET
    assert report.plan is not None
    assert report.plan.missing == ("gone",)
    assert chain.read().weights == {ALICE: {2: 65_535}}


def test_another_process_sees_what_was_set(
    chain: MemoryChain, tmp_path: Path, clock: Clock
) -> None:
    chain.submit(submission(burn=Burn(0, 500_000)))
    other = MemoryChain(tmp_path / "chain.json", now_ms=clock)
    assert other.read().weights == {ALICE: {0: 65_535, 2: 65_535}}


def test_setting_again_within_the_rate_limit_is_too_soon(chain: MemoryChain, clock: Clock) -> None:
    chain.submit(submission())
    clock.now_ms += (RATE_LIMIT_BLOCKS - 1) * BLOCK_MS
    assert chain.submit(submission()).outcome is Outcome.TOO_SOON
    clock.now_ms += BLOCK_MS
    assert chain.submit(submission()).outcome is Outcome.SET


def test_a_dry_run_sets_nothing(chain: MemoryChain) -> None:
    report = chain.submit(submission(dry_run=True))
    assert report.outcome is Outcome.DRY_RUN
    assert report.plan is not None
    assert report.plan.weight_by_uid == {2: 65_535}
    assert chain.read().weights == {}


def test_an_unregistered_validator_is_not_ready(tmp_path: Path, clock: Clock) -> None:
    chain = MemoryChain(tmp_path / "chain.json", now_ms=clock)
    chain.register(BOB)
    assert chain.submit(submission()).outcome is Outcome.NOT_READY


def test_nothing_to_set_is_rejected_not_all_zero(tmp_path: Path, clock: Clock) -> None:
    chain = MemoryChain(tmp_path / "chain.json", now_ms=clock)
    chain.register(ALICE)
    assert chain.submit(submission()).outcome is Outcome.REJECTED
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
        return type(open_chain(configuration, network=network, netuid=27, now_ms=lambda: 0))

    assert kind("memory") is MemoryChain
    assert kind("finney") is SubtensorChain


def test_the_whole_validator_loads_without_the_bittensor_sdk() -> None:
    """It costs 2 s and 60 MB, and must never be in a web worker."""
    script = (
        "import sys, django; from django.conf import settings; django.setup();"
        "import validator.management.commands.set_weights, validator.management.commands"
        ".run_validator; sys.exit('bittensor' in sys.modules)"
    )
    environment = {"DJANGO_SETTINGS_MODULE": "validator.settings", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, timeout=60)
    assert done.returncode == 0
