"""This will lead one proof-of-CPU over a machine's ``proof`` command, on the validator's clock.

Order matters: the roots are in before anything is opened, so the machine cannot know which part of
its work will be looked at. Source: gpu_verification.md 2.10.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from protocol.validator import Measurement
from validator.domain.json_line import LineRefused
from validator.domain.proof import ProofPlan, Timings, measure
from validator.proof import verify
from validator.ssh.command import AnswerLate, Lines, TooMuchOutput

DIGEST_HEX = 64


class ProofWrong(Exception):
    """An answer was not what the demanded work gives."""


class ProverBusy(Exception):
    """The machine would not even begin: another validator's proof runs, or no core is free."""


class ProofUnfinished(Exception):
    """The machine gave up or was too late; that proves nothing, neither way."""


@dataclass(frozen=True, slots=True)
class Randomness:
    """Where nonces and choices come from; a simulation brings its own."""

    #: bytes wanted -> bytes
    draw: Callable[[int], bytes]
    #: upper bound -> a number below it
    below: Callable[[int], int]


@dataclass(frozen=True, slots=True)
class _Committed:
    """What the machine promised before it learnt what would be opened."""

    hash_nonce: bytes
    hash_root: bytes
    fill_nonce: bytes
    walk_nonce: bytes
    walk_root: bytes


async def prove(
    lines: Lines, *, work: ProofPlan, machine: bytes, randomness: Randomness, rtt_s: float
) -> Measurement:
    """Return what the machine proved. ``machine`` ties the answers to its id and host key.

    :raises ProofWrong: when an answer does not match; an honest machine's never fails.
    :raises ProofUnfinished: when it gives up or is late.
    :raises ProverBusy: when it refuses before anything was demanded.
    :raises Unreachable: when the connection ends.
    """
    bind = hashlib.sha256(randomness.draw(32) + machine).digest()
    conversation = _Conversation(lines, work.answer_s_max)
    try:
        await conversation.ask({"op": "hello", "bind": bind.hex()})
        committed, timings = await _commit(conversation, work, randomness, rtt_s)
        opened_hash = await _open(
            conversation, "hash", work.hash_tasks, work.hash_checks, randomness
        )
        opened_walk = await _open(conversation, "walk", work.walks, work.walk_checks, randomness)
    except AnswerLate as error:
        raise ProofUnfinished("An answer of the proof came too late.") from error
    except (LineRefused, TooMuchOutput) as error:
        raise ProofWrong(str(error)) from error
    lines.send({"op": "bye"})
    # Off the loop: hashing here would spoil the clock of every other machine's proof.
    await asyncio.to_thread(_check_hashes, bind, work, committed, opened_hash)
    await asyncio.to_thread(_check_walks, bind, work, committed, opened_walk)
    return measure(work, timings)


class _Conversation:
    def __init__(self, lines: Lines, answer_s_max: float) -> None:
        self._lines = lines
        self._answer_s_max = answer_s_max

    async def ask(self, demand: Mapping[str, object]) -> tuple[Mapping[str, object], float]:
        """Send one demand; return its answer and the seconds it took."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        self._lines.send(demand)
        answer = await self._lines.receive(deadline=started + self._answer_s_max)
        elapsed_s = loop.time() - started
        if answer.get("op") == "error":
            said = str(answer.get("message", "no reason")).rstrip(".")
            if demand["op"] == "hello":
                raise ProverBusy(f"The prover did not begin: {said}.")
            raise ProofUnfinished(f"The prover gave up: {said}.")
        if answer.get("op") != demand["op"]:
            raise ProofWrong("The prover answered another demand.")
        return answer, elapsed_s


async def _commit(
    conversation: _Conversation, work: ProofPlan, randomness: Randomness, rtt_s: float
) -> tuple[_Committed, Timings]:
    hash_nonce, fill_nonce, walk_nonce = (randomness.draw(32) for _ in range(3))
    hashed, hash_s = await conversation.ask(
        {
            "op": "cpu_hash",
            "nonce": hash_nonce.hex(),
            "procs": work.procs,
            "tasks": work.hash_tasks,
            "iterations": work.hash_iterations,
        }
    )
    filled, fill_s = await conversation.ask(
        {"op": "ram_fill", "nonce": fill_nonce.hex(), "pages": work.pages, "procs": work.procs}
    )
    if filled.get("pages") != work.pages:
        raise ProofWrong("The prover filled another number of pages.")
    walked, walk_s = await conversation.ask(
        {
            "op": "ram_walk",
            "nonce": walk_nonce.hex(),
            "walks": work.walks,
            "steps": work.walk_steps,
            "procs": work.procs,
        }
    )
    committed = _Committed(
        hash_nonce=hash_nonce,
        hash_root=_digest(hashed.get("root")),
        fill_nonce=fill_nonce,
        walk_nonce=walk_nonce,
        walk_root=_digest(walked.get("root")),
    )
    return committed, Timings(hash_s=hash_s, fill_s=fill_s, walk_s=walk_s, rtt_s=rtt_s)


@dataclass(frozen=True, slots=True)
class _Opened:
    leaf: int
    digest: bytes
    path: Sequence[bytes]


async def _open(
    conversation: _Conversation, what: str, leaves: int, checks: int, randomness: Randomness
) -> list[_Opened]:
    wanted = [randomness.below(leaves) for _ in range(checks)]
    answer, _ = await conversation.ask({"op": "open", "what": what, "leaves": wanted})
    items = answer.get("items")
    if not isinstance(items, list) or len(items) != len(wanted):
        raise ProofWrong("The prover opened another number of leaves.")
    return [_opened(leaf, item) for leaf, item in zip(wanted, items, strict=True)]


def _opened(leaf: int, item: object) -> _Opened:
    if not isinstance(item, dict) or not isinstance(item.get("path"), list):
        raise ProofWrong("An opening has the wrong shape.")
    return _Opened(leaf, _digest(item.get("digest")), [_digest(node) for node in item["path"]])


def _digest(value: object) -> bytes:
    if isinstance(value, str) and len(value) == DIGEST_HEX:
        try:
            return bytes.fromhex(value)
        except ValueError:
            pass
    raise ProofWrong("The prover sent something that is no digest.")


def _check_hashes(
    bind: bytes, work: ProofPlan, committed: _Committed, opened: Sequence[_Opened]
) -> None:
    key = verify.seed(bind, b"cpu", committed.hash_nonce)
    for item in opened:
        _check_path(item, leaves=work.hash_tasks, root=committed.hash_root)
        right = verify.hash_task(key, task=item.leaf, iterations=work.hash_iterations)
        if item.digest != right:
            raise ProofWrong("A hashing task was not done.")


def _check_walks(
    bind: bytes, work: ProofPlan, committed: _Committed, opened: Sequence[_Opened]
) -> None:
    fill_key = verify.seed(bind, b"ram", committed.fill_nonce)
    walk_key = verify.seed(bind, b"walk", committed.walk_nonce)
    for item in opened:
        _check_path(item, leaves=work.walks, root=committed.walk_root)
        right = verify.walk(
            fill_key, walk_key, number=item.leaf, steps=work.walk_steps, pages=work.pages
        )
        if item.digest != right:
            raise ProofWrong("A memory walk was not done.")


def _check_path(item: _Opened, *, leaves: int, root: bytes) -> None:
    try:
        climbed = verify.root_of(item.digest, leaf=item.leaf, leaves=leaves, path=item.path)
    except ValueError as error:
        raise ProofWrong(str(error)) from error
    if climbed != root:
        raise ProofWrong("An opening does not belong to the committed root.")
