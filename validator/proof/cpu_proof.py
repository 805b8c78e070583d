"""This will lead one proof-of-CPU: hashing on every core, then walks through filled memory.

Order matters: the roots are in before anything is opened, so the machine cannot know which part of
its work will be looked at. Source: gpu_verification.md 2.10.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from protocol.validator import Measurement
from validator.domain.proof import ProofPlan, Timings, measure
from validator.proof import verify
from validator.proof.conversation import Conversation, ProofWrong, Randomness, digest_of


@dataclass(frozen=True, slots=True)
class _Committed:
    """What the machine promised before it learnt what would be opened."""

    hash_nonce: bytes
    hash_root: bytes
    fill_nonce: bytes
    walk_nonce: bytes
    walk_root: bytes


async def prove(
    conversation: Conversation,
    *,
    work: ProofPlan,
    bind: bytes,
    randomness: Randomness,
    rtt_s: float,
) -> Measurement:
    """Return what the machine's CPUs and memory proved.

    :raises ProofWrong: when an answer does not match; an honest machine's never fails.
    """
    committed, timings = await _commit(conversation, work, randomness, rtt_s)
    opened_hash = await _open(conversation, "hash", work.hash_tasks, work.hash_checks, randomness)
    opened_walk = await _open(conversation, "walk", work.walks, work.walk_checks, randomness)
    # Off the loop: hashing here would spoil the clock of every other machine's proof.
    await asyncio.to_thread(_check_hashes, bind, work, committed, opened_hash)
    await asyncio.to_thread(_check_walks, bind, work, committed, opened_walk)
    return measure(work, timings)


async def _commit(
    conversation: Conversation, work: ProofPlan, randomness: Randomness, rtt_s: float
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
        hash_root=digest_of(hashed.get("root")),
        fill_nonce=fill_nonce,
        walk_nonce=walk_nonce,
        walk_root=digest_of(walked.get("root")),
    )
    return committed, Timings(hash_s=hash_s, fill_s=fill_s, walk_s=walk_s, rtt_s=rtt_s)


@dataclass(frozen=True, slots=True)
class _Opened:
    leaf: int
    digest: bytes
    path: Sequence[bytes]


async def _open(
    conversation: Conversation, what: str, leaves: int, checks: int, randomness: Randomness
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
    return _Opened(leaf, digest_of(item.get("digest")), [digest_of(node) for node in item["path"]])


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
