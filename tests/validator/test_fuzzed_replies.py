"""Ten thousand replies made from honest ones and spoilt: through the code that reads machines."""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from random import Random

import pytest

from protocol.facts import Facts
from tests.validator import builders
from tests.validator.machine_door import credentials_of, new_machine, opened
from tests.validator.prover import Prover
from validator.domain import facts
from validator.domain.json_line import LineRefused, parse_object
from validator.domain.proof import ProofPlan
from validator.domain.verdict import Outcome
from validator.inspection.machine import MachineInspector
from validator.proof.conversation import ProofUnfinished, ProofWrong, ProverBusy, Randomness
from validator.proof.session import Work, prove
from validator.ssh.command import AnswerLate, Lines, TooMuchOutput
from validator.ssh.connection import Unreachable

FACTS, PROOFS, LOOKS = 9_000, 800, 200
WORK = ProofPlan(1, 5, 2, 16, 5, 2, hash_checks=2, walk_checks=2)
ODD_TEXTS = (
    *("\x1b[31m", "\u202e", "<script>", "\x00", "\ud800", "\x9b2J", "\r\n"),
    "\U0001f600" * 40,
)
ODD_VALUES = (
    *(b"NaN", b"-Infinity", b"1e999", b"9" * 4_400, b"-1", b"1.0", b"true", b"null", b"{}", b"[]"),
    *(b"[" * 3_000, b"18446744073709551616", b'{"__proto__":{}}', b'"\\u0000"', b"0x1", b"01"),
)


def spoilt(line: bytes, chance: Random) -> bytes:
    """Return the line after mostly one thing was done to it, at times more."""
    for _ in range(chance.choice((1, 1, 1, 1, 2, 3))):
        line = chance.choice(WAYS)(line, chance)
    return line


def _cut(line: bytes, chance: Random) -> bytes:
    return line[: chance.randrange(len(line) + 1)]


def _flip(line: bytes, chance: Random) -> bytes:
    changed = bytearray(line or b"x")
    for _ in range(chance.randint(1, 8)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _remove(line: bytes, chance: Random) -> bytes:
    start, end = sorted(chance.randrange(len(line) + 1) for _ in range(2))
    return line[:start] + line[end:]


def _repeat(line: bytes, chance: Random) -> bytes:
    start, end = sorted(chance.randrange(len(line) + 1) for _ in range(2))
    return line[:end] + line[start:end] * chance.randint(1, 3) + line[end:]


def _insert(line: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(line) + 1)
    return line[:at] + chance.randbytes(chance.randint(1, 30)) + line[at:]


def _replace_value(line: bytes, chance: Random) -> bytes:
    places = [at for at, byte in enumerate(line) if byte == ord(":")]
    if not places:
        return chance.choice(ODD_VALUES)
    at = chance.choice(places)
    ends = [end for end in (line.find(mark, at) for mark in b",}") if end > 0]
    return line[: at + 1] + chance.choice(ODD_VALUES) + line[min(ends, default=at + 1) :]


def _odd_text(line: bytes, chance: Random) -> bytes:
    places = [at for at, byte in enumerate(line) if byte == ord('"')]
    at = chance.choice(places) if places else 0
    odd = json.dumps(chance.choice(ODD_TEXTS))[1:-1].encode()
    return line[: at + 1] + odd + line[at + 1 :]


def _repeat_key(line: bytes, chance: Random) -> bytes:
    return line.replace(b"{", b'{"op":"x","hardware":1,', 1)


def _another(line: bytes, chance: Random) -> bytes:
    return chance.randbytes(chance.randint(0, 200))


WAYS = (
    *(_cut, _flip, _remove, _repeat, _insert, _replace_value, _repeat_key, _another),
    *(_odd_text, _odd_text),
)


class Pipe:
    """What a machine says, in parts of chance's sizes; then nothing more."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._left = b""

    @property
    def heard_at(self) -> float:
        return asyncio.get_running_loop().time()

    def say(self, content: bytes) -> None:
        self._left += content

    def write(self, content: bytes) -> None:
        """Take a demand and forget it."""

    def close(self) -> None:
        """End."""

    async def read(self, bytes_max: int) -> bytes:
        size = self._chance.choice((1, 7, 500, bytes_max))
        part, self._left = self._left[:size], self._left[size:]
        return part


class FuzzedMachine(Pipe):
    """Proves honestly, but for one answer."""

    def __init__(self, chance: Random) -> None:
        super().__init__(chance)
        self._prover = Prover()
        self._left_until_spoilt = chance.randrange(6)
        #: the answer as it should have been and as it was
        self.spoilt: tuple[bytes, bytes] = (b"", b"")

    def write(self, content: bytes) -> None:
        demand = json.loads(content)
        if demand["op"] == "bye":
            return
        line = json.dumps(self._prover.answer(demand)).encode()
        if self._left_until_spoilt == 0:
            self.spoilt = line, spoilt(line, self._chance)
            line = self.spoilt[1]
        self._left_until_spoilt -= 1
        self.say(line + b"\n")


def texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts(inner)


def assert_sentence(error: Exception) -> None:
    said = str(error)
    assert said.isascii()
    assert said.isprintable()
    assert len(said) < 300


def assert_plain(told: Facts) -> None:
    for text in texts(told.model_dump(mode="json")):
        assert text.isascii()
        assert text.isprintable()
        assert not set("<>") & set(text)
        assert len(text) <= 128


async def test_spoilt_facts_are_refused_or_harmless() -> None:
    honest = builders.facts(builders.hardware(gpus=(builders.gpu(1), builders.gpu(2))))
    line = honest.model_dump_json().encode()
    found: Counter[str] = Counter()
    loop = asyncio.get_running_loop()
    for seed in range(FACTS):
        chance = Random(seed)
        pipe = Pipe(chance)
        pipe.say(spoilt(line, chance) + b"\n")
        try:
            told = facts.parse(await Lines(pipe).receive_line(deadline=loop.time() + 60))
        except (facts.FactsRefused, Unreachable, TooMuchOutput) as error:
            assert_sentence(error)
            found["refused"] += 1
        else:
            assert_plain(told)
            found["read"] += 1
    # Both happen often: the fuzz neither misses the reader nor leaves all lines as they are.
    assert found["read"] > FACTS / 50, found
    assert found["refused"] > FACTS / 2, found


ENDS = (ProofWrong, ProofUnfinished, ProverBusy, AnswerLate, Unreachable)


async def test_a_spoilt_answer_never_proves_anything() -> None:
    found: Counter[str] = Counter()
    for seed in range(PROOFS):
        chance = Random(seed)
        machine = FuzzedMachine(chance)
        drawn = Randomness(draw=chance.randbytes, below=chance.randrange)
        try:
            measured = await prove(
                Lines(machine), work=Work(cpu=WORK), machine=b"m", randomness=drawn, rtt_s=0.0
            )
        except ENDS as error:
            assert_sentence(error)
            found[type(error).__name__] += 1
        else:
            assert measured.measurement.cpus == WORK.procs
            # Only what says the same in other words.
            assert _proven_by(machine.spoilt[0]) == _proven_by(machine.spoilt[1])
            found["proven"] += 1
    assert found["ProofWrong"] > PROOFS / 2, found
    assert found["proven"] < PROOFS / 4, found


def _proven_by(line: bytes) -> Mapping[str, object]:
    try:
        said = parse_object(line.split(b"\n")[0], bytes_max=1_000_000)
    except LineRefused:
        return {}
    return {name: said[name] for name in ("op", "root", "items", "pages") if name in said}


async def test_spoilt_facts_over_ssh_end_in_an_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("validator.ssh.command.FACTS_S_MAX", 0.5)
    logging.getLogger("asyncssh").setLevel(logging.WARNING)
    chance = Random(11)
    machine = new_machine()
    line = builders.facts().model_dump_json().encode()
    found: Counter[Outcome] = Counter()
    async with opened(machine):
        inspector = MachineInspector(
            log_in=credentials_of(machine),
            allow_private=True,
            proof_memory_bytes_max=1,
            randomness=Randomness(draw=chance.randbytes, below=chance.randrange),
        )
        place = {"machine_key": machine.machine_key, "control_port": machine.port}
        target = builders.target(**place, cpus_free=0)
        for _ in range(LOOKS):
            machine.facts = spoilt(line, chance) + b"\n"
            seen = await inspector.look(target)
            assert seen.detail.isascii()
            assert seen.detail.isprintable()
            found[seen.outcome] += 1
    assert set(found) <= {Outcome.SEEN, Outcome.FACTS_MALFORMED, Outcome.SILENT}
    assert found[Outcome.FACTS_MALFORMED] > LOOKS / 2
