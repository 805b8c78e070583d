"""This will measure a machine's disk and line on the validator's clock, in a session of its own.

Answers are checked, yet this is a measurement and no proof: a machine may keep the file in memory,
and a line is at least as fast as what was seen of it. So nothing here makes a machine worse.
"""

import asyncio
import hashlib
import logging
import struct
from base64 import b64encode
from binascii import Error as NotBase64
from binascii import a2b_base64
from collections.abc import Sequence
from dataclasses import replace

from validator.domain.json_line import LineRefused
from validator.domain.speeds import (
    FEW_READS_S,
    MIB,
    PLAN,
    SpeedPlan,
    Speeds,
    megabytes_s,
    parts_down,
    per_second,
)
from validator.proof.conversation import (
    Conversation,
    ProofUnfinished,
    ProofWrong,
    Randomness,
)
from validator.ssh.command import AnswerLate, Limits, Lines, TooMuchOutput
from validator.ssh.connection import Unreachable

logger = logging.getLogger(__name__)

PAGE_BYTES = 4096
#: around the text of one part: {"op":"net_up","data":"..."}
PART_HEAD, PART_TAIL = b'{"op":"net_up","data":"', b'"}'
#: what is said beside the parts
TALK_BYTES_MAX = 65_536


def limits(plan: SpeedPlan = PLAN) -> Limits:
    """Return what such a session may send: the parts of the way up, and little else."""
    part = len(PART_HEAD) + len(PART_TAIL) + 4 * (plan.network_part_bytes // 3 + 1)
    return Limits(
        line_bytes_max=max(TALK_BYTES_MAX, part),
        session_bytes_max=TALK_BYTES_MAX + plan.network_parts * (part + 1),
    )


async def measure_speeds(
    lines: Lines, *, machine: bytes, randomness: Randomness, rtt_s: float, plan: SpeedPlan = PLAN
) -> Speeds:
    """Return what could be measured; what the machine cannot do is left out.

    :raises ProverBusy: when it refuses before anything was demanded.
    """
    bind = hashlib.sha256(randomness.draw(32) + machine).digest()
    demands = _Demands(lines, bind, randomness, rtt_s, plan)
    found = Speeds()
    try:
        await demands.hello()
        for take in (demands.disk, demands.network):
            try:
                found = await take(found)
            except (ProofWrong, ProofUnfinished) as error:
                logger.info("Not measured: %s", error)
    except (AnswerLate, LineRefused, ProofWrong, TooMuchOutput, Unreachable) as error:
        # Whatever may still come belongs to an older demand: nothing more can be asked here.
        logger.info("Not measured: %s", error)
    lines.send({"op": "bye"})
    return found


class _Demands:
    """One session's demands, one after the other."""

    def __init__(
        self, lines: Lines, bind: bytes, randomness: Randomness, rtt_s: float, plan: SpeedPlan
    ) -> None:
        self._lines = lines
        self._talk = Conversation(lines, plan.answer_s_max)
        self._bind = bind
        self._draw = randomness.draw
        self._rtt_s = rtt_s
        self._plan = plan

    async def hello(self) -> None:
        await self._talk.ask({"op": "hello", "bind": self._bind.hex()})

    async def disk(self, found: Speeds) -> Speeds:
        """Have a file written, then read at places that were not known before."""
        plan, nonce = self._plan, self._draw(32)
        answer, fill_s = await self._talk.ask(
            {"op": "disk_fill", "nonce": nonce.hex(), "mib": plan.disk_mib}
        )
        written = megabytes_s(plan.disk_mib * MIB, fill_s, self._rtt_s)
        found = replace(found, disk_write_mb_s=written)
        if answer.get("direct") is not True:
            # What is read then comes out of the machine's memory.
            return found
        pages = _Pages(_seed(self._bind, b"disk", nonce), plan.disk_mib * MIB // PAGE_BYTES)
        reads_s, read_s = await self._read(pages, plan.disk_reads_few)
        if read_s < FEW_READS_S:
            reads_s, _ = await self._read(pages, plan.disk_reads_many)
        return replace(found, disk_reads_s=reads_s)

    async def _read(self, pages: "_Pages", reads: int) -> tuple[int, float]:
        nonce = self._draw(32)
        answer, read_s = await self._talk.ask(
            {
                "op": "disk_read",
                "nonce": nonce.hex(),
                "reads": reads,
                "threads": self._plan.disk_threads,
            }
        )
        right = await asyncio.to_thread(pages.digest, _seed(self._bind, b"read", nonce), reads)
        if answer.get("digest") != right.hex():
            raise ProofWrong("What the machine read is not what it was to write.")
        return per_second(reads, read_s, self._rtt_s), read_s

    async def network(self, found: Speeds) -> Speeds:
        """Have bytes sent, then send some: as many as the line seems to take in time."""
        found = replace(found, network_up_mb_s=await self._up())
        down = await self._down(parts_down(self._plan, up_mb_s=found.network_up_mb_s))
        return replace(found, network_down_mb_s=down)

    async def _up(self) -> int:
        plan, nonce = self._plan, self._draw(32)
        loop = asyncio.get_running_loop()
        started = loop.time()
        self._lines.send(
            {
                "op": "net_up",
                "nonce": nonce.hex(),
                "parts": plan.network_parts,
                "part_bytes": plan.network_part_bytes,
            }
        )
        deadline = started + plan.answer_s_max
        parts: list[bytes] = []
        for _ in range(plan.network_parts):
            part = await self._lines.receive_line(deadline=deadline)
            if not part.startswith(PART_HEAD):
                raise ProofWrong("net_up: the machine sent something else.")
            parts.append(part)
        elapsed_s = self._lines.received_at - started
        # Off the loop, and only now: other machines' clocks run on it, and so did this one's.
        seed = _seed(self._bind, b"net", nonce)
        await asyncio.to_thread(_check_parts, parts, seed, plan.network_part_bytes)
        return megabytes_s(sum(map(len, parts)), elapsed_s, self._rtt_s)

    async def _down(self, parts: int) -> int:
        content = self._draw(self._plan.network_part_bytes)
        text, digest = b64encode(content).decode(), hashlib.sha256()
        sent_bytes, started = 0, asyncio.get_running_loop().time()
        for _ in range(parts):
            sent_bytes += len(text)
            self._lines.send({"op": "net_part", "data": text})
            digest.update(content)
        answer, _ = await self._talk.ask({"op": "net_down"})
        elapsed_s = self._lines.received_at - started
        if answer.get("digest") != digest.hexdigest():
            raise ProofWrong("The machine got other bytes than it was sent.")
        return megabytes_s(sent_bytes, elapsed_s, self._rtt_s)


class _Pages:
    """The file that the machine was to write, as it can be told without writing it."""

    def __init__(self, seed: bytes, pages: int) -> None:
        self._seed = seed
        self._pages = pages
        self._block = hashlib.shake_128(seed).digest(MIB)

    def digest(self, seed: bytes, reads: int) -> bytes:
        """Return what reading so many pages at the places of ``seed`` comes to."""
        found = hashlib.sha256()
        for number in range(reads):
            place = hashlib.sha256(seed + struct.pack("<Q", number)).digest()
            found.update(self._page(int.from_bytes(place[:8], "little") % self._pages))
        return found.digest()

    def _page(self, number: int) -> bytes:
        start = number * PAGE_BYTES % MIB
        mark = hashlib.sha256(self._seed + struct.pack("<Q", number)).digest()
        return hashlib.sha256(mark + self._block[start + 32 : start + PAGE_BYTES]).digest()


def _check_parts(parts: Sequence[bytes], seed: bytes, part_bytes: int) -> None:
    for number, part in enumerate(parts):
        text = part.removeprefix(PART_HEAD).removesuffix(PART_TAIL)
        try:
            content = a2b_base64(text, strict_mode=True)
        except NotBase64:
            content = b""
        if content != hashlib.shake_128(seed + struct.pack("<Q", number)).digest(part_bytes):
            raise ProofWrong("The machine sent other bytes than it was to.")


def _seed(bind: bytes, phase: bytes, nonce: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(bind + phase).digest() + nonce).digest()
