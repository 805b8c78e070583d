"""Disk and line on the validator's clock: with the real prover, and with machines that lie."""

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from prover.disk import Disk
from prover.lines import Session
from prover.main import Prover
from prover.network import Network
from validator.domain import speeds
from validator.domain.speeds import SpeedPlan, Speeds, are_due, parts_down
from validator.proof.conversation import ProverBusy, Randomness
from validator.proof.speeds import limits, measure_speeds
from validator.ssh.command import Lines

SEEDED = random.Random(11)
RANDOMNESS = Randomness(draw=SEEDED.randbytes, below=SEEDED.randrange)
SMALL = SpeedPlan(
    disk_mib=2,
    disk_reads_few=5,
    disk_reads_many=20,
    disk_threads=3,
    network_parts=3,
    network_part_bytes=1000,
    answer_s_max=5.0,
)
WHOLE = ("disk_write_mb_s", "disk_reads_s", "network_down_mb_s", "network_up_mb_s")

Answered = Callable[[str, dict[str, Any]], Sequence[dict[str, Any]]]


class _Line:
    """A machine's prover at the other end of a stream, in this process."""

    def __init__(self, answered: Answered) -> None:
        self._answered = answered
        self._waiting = b""
        self._more = asyncio.Event()
        self.heard_at = 0.0

    def write(self, content: bytes) -> None:
        for line in content.splitlines():
            demand = json.loads(line)
            for answer in self._answered(demand["op"], demand):
                self._waiting += json.dumps(answer, separators=(",", ":")).encode() + b"\n"
        self._more.set()

    async def read(self, bytes_max: int) -> bytes:
        while not self._waiting:
            self._more.clear()
            await self._more.wait()
        self.heard_at = asyncio.get_running_loop().time()
        part, self._waiting = self._waiting[:bytes_max], self._waiting[bytes_max:]
        return part

    def close(self) -> None:
        pass


def honest(folder: Path | str) -> Answered:
    """The prover's own demands, as its loop calls them."""
    session = Session()
    demands = {
        **Disk(session, folder=str(folder)).demands(),
        **Network(session).demands(),
    }

    def answered(op: str, demand: dict[str, Any]) -> Sequence[dict[str, Any]]:
        if op in ("hello", "bye"):
            session.bind = bytes.fromhex(demand.get("bind", ""))
            return [{"op": op}] if op == "hello" else []
        answers = demands[op](demand)
        told = [answers] if isinstance(answers, dict) else list(answers)
        return [{"op": op, **answer} for answer in told]

    return answered


def but(answered: Answered, wrong: str, changes: dict[str, Any]) -> Answered:
    """The same machine, which answers one demand otherwise."""
    return lambda op, demand: [
        {**answer, **changes} if op == wrong else answer for answer in answered(op, demand)
    ]


async def measured(answered: Answered, plan: SpeedPlan = SMALL) -> Speeds:
    lines = Lines(_Line(answered), limits(plan))
    return await measure_speeds(lines, machine=b"m", randomness=RANDOMNESS, rtt_s=0.0, plan=plan)


def missing(found: Speeds) -> set[str]:
    return {name for name in WHOLE if not getattr(found, name)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


async def test_an_honest_machine_is_measured_whole(folder: Path) -> None:
    assert missing(await measured(honest(folder))) == set()
    assert list(folder.iterdir()) == [], "the file never had a name"


@pytest.mark.parametrize(
    ("op", "changes", "lost"),
    [
        ("disk_read", {"digest": "00" * 32}, {"disk_write_mb_s", "disk_reads_s"}),
        ("disk_fill", {"direct": False}, {"disk_reads_s"}),
        ("disk_fill", {"op": "error"}, {"disk_write_mb_s", "disk_reads_s"}),
        ("net_up", {"data": "AAAA"}, {"network_up_mb_s", "network_down_mb_s"}),
        ("net_up", {"data": "****"}, {"network_up_mb_s", "network_down_mb_s"}),
        ("net_up", {"op": "error"}, {"network_up_mb_s", "network_down_mb_s"}),
        ("net_down", {"digest": "00" * 32}, {"network_up_mb_s", "network_down_mb_s"}),
    ],
)
async def test_a_wrong_answer_leaves_its_part_unmeasured_and_no_other(
    folder: Path, op: str, changes: dict[str, Any], lost: set[str]
) -> None:
    assert missing(await measured(but(honest(folder), op, changes))) == lost


async def test_a_machine_that_reads_elsewhere_is_not_believed(folder: Path) -> None:
    told = honest(folder)

    def answered(op: str, demand: dict[str, Any]) -> Sequence[dict[str, Any]]:
        return told(op, {**demand, "nonce": "07" * 32} if op == "disk_read" else demand)

    assert "disk_reads_s" in missing(await measured(answered))


async def test_a_machine_that_says_nothing_or_too_much_is_left(folder: Path) -> None:
    told = honest(folder)

    def silent(op: str, demand: dict[str, Any]) -> Sequence[dict[str, Any]]:
        return [] if op == "net_up" else told(op, demand)

    quick = SpeedPlan(disk_mib=1, network_parts=1, network_part_bytes=9, answer_s_max=0.2)
    assert missing(await measured(silent, quick)) >= {"network_up_mb_s"}
    flood = but(told, "disk_fill", {"pad": "x" * 100_000})
    assert missing(await measured(flood)) == set(WHOLE)


async def test_a_prover_that_will_not_begin_is_busy() -> None:
    with pytest.raises(ProverBusy):
        await measured(lambda op, demand: [{"op": "error", "message": "Another proof is running."}])


def test_the_whole_prover_has_these_demands() -> None:
    demands = Prover(memory_bytes_most=1, cores=1, with_gpus=False, scratch="").demands
    assert {"disk_fill", "disk_read", "net_part", "net_down", "net_up"} <= set(demands)


@pytest.mark.parametrize(
    ("demand", "message"),
    [
        ({"op": "disk_fill", "mib": 257, "nonce": ""}, "mib must be"),
        ({"op": "disk_fill", "mib": 0, "nonce": ""}, "mib must be"),
        ({"op": "disk_read", "reads": 1, "threads": 33, "nonce": ""}, "threads must be"),
        ({"op": "disk_read", "reads": 1, "threads": 1, "nonce": ""}, "not been filled"),
        ({"op": "net_up", "parts": 1025, "part_bytes": 1, "nonce": ""}, "parts must be"),
        ({"op": "net_up", "parts": 1, "part_bytes": 1 << 19, "nonce": ""}, "part_bytes must be"),
    ],
)
def test_what_is_beyond_a_limit_is_refused(
    folder: Path, demand: dict[str, Any], message: str
) -> None:
    with pytest.raises(Exception, match=message):
        honest(folder)(demand["op"], demand)


def test_a_full_disk_is_not_filled(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prover.disk.ROOM_SHARE", 1 << 60)
    with pytest.raises(Exception, match="too little room"):
        honest(folder)("disk_fill", {"op": "disk_fill", "mib": 1, "nonce": ""})


def test_a_machine_is_measured_at_its_first_proof_and_then_by_chance() -> None:
    assert are_due(proven_before=False, draw=5)
    assert not are_due(proven_before=True, draw=5)
    assert are_due(proven_before=True, draw=0)


def test_a_slow_line_is_asked_for_less() -> None:
    plan = speeds.PLAN
    assert parts_down(plan, up_mb_s=1000) == plan.network_parts
    assert parts_down(plan, up_mb_s=0) < plan.network_parts
    slow = SpeedPlan(network_s_max=1.0)
    assert parts_down(slow, up_mb_s=1) == 7
    assert speeds.megabytes_s(10**6, 10.0, 0.0) == 1
    assert speeds.megabytes_s(10**9, 2.0, 1.0) == 588
    assert speeds.per_second(100, 0.5, 0.0) == 200
