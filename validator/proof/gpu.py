"""This will lead one proof-of-GPU: fill the memory, read it, multiply, read it again, open leaves.

All GPUs work at once, each timed by itself. Each demand brings a nonce that nobody knew before, and
what will be looked at is drawn when every root is in. Source: gpu_verification.md 2.2.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from protocol.validator import GpuMeasurement
from validator.domain.gpu_proof import (
    AFTER,
    BEFORE,
    REGION_BYTES,
    REGIONS_MAX,
    GpuPlan,
    GpuTask,
    GpuTimings,
    Openings,
    draw,
    measure,
)
from validator.proof import gpu_arithmetic
from validator.proof.conversation import Conversation, ProofWrong, Randomness, digest_of
from validator.proof.gpu_evidence import Evidence, check, leaves_of

NONCE_BYTES = 32
#: proofs checked at once, whose arithmetic would else delay the reading of other machines' answers
CHECKS_AT_ONCE = 2

_checkers = ThreadPoolExecutor(CHECKS_AT_ONCE, thread_name_prefix="gpu-proof")


@dataclass(frozen=True, slots=True)
class GpusProven:
    """What came of one proof, by device."""

    measurements: tuple[GpuMeasurement, ...] = ()
    #: uuid -> what the prover said when the device could not go on
    failures: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Run:
    """One device's way through the proof."""

    task: GpuTask
    identity: bytes
    regions: int = 0
    roots: dict[int, tuple[bytes, ...]] = field(default_factory=dict)
    product_root: bytes = b""
    seconds: dict[str, float] = field(default_factory=dict)


class GpuProof:
    """One proof on all planned devices of one machine."""

    def __init__(
        self, conversation: Conversation, *, work: GpuPlan, bind: bytes, randomness: Randomness
    ) -> None:
        self._conversation = conversation
        self._work = work
        self._rules = work.rules
        self._randomness = randomness
        self._failures: dict[str, str] = {}
        self._runs = {
            task.device.index: _Run(
                task,
                gpu_arithmetic.identity(bind, uuid=task.device.uuid, index=task.device.index),
            )
            for task in work.tasks
        }

    async def set_up(self) -> None:
        """Let every device take its memory; no nonce is told and nothing is timed.

        :raises ProofWrong, ProofUnfinished: as ``Conversation.ask_each``.
        """
        demand = {
            "op": "gpu_setup",
            "rows": self._work.rows,
            "columns": self._work.columns,
            "depth": self._work.depth,
            "spare_bytes": self._rules.spare_bytes,
            "filled_ppm": self._rules.filled_ppm,
        }
        answers = await self._each(demand, s_max=self._rules.set_up_s_max)
        for run, answer, _ in answers:
            regions = answer.get("regions")
            most = min(REGIONS_MAX, run.task.device.vram_bytes // REGION_BYTES)
            if not isinstance(regions, int) or not 1 <= regions <= most:
                raise ProofWrong("A GPU was set up with an impossible amount of memory.")
            run.regions = regions

    async def prove(self) -> GpusProven:
        """Return what each device proved.

        :raises ProofWrong: when an answer does not match; an honest machine's never fails.
        :raises ProofUnfinished: when the prover gives up or is late.
        """
        rtt_s = await self._round_trip()
        nonces = {phase: self._randomness.draw(NONCE_BYTES) for phase in _PHASES}
        await self._fill(nonces["fill"])
        await self._scan(BEFORE, nonces["scan"])
        await self._multiply(nonces["multiply"])
        await self._scan(AFTER, nonces["scan_after"])
        opened = await self._open()
        evidence = [
            Evidence(
                work=self._work,
                task=run.task,
                identity=run.identity,
                nonces=nonces,
                regions=run.regions,
                roots=run.roots,
                product_root=run.product_root,
                openings=openings,
                scan_leaves=leaves_of(answer.get("scans"), len(openings.scans)),
                product_leaves=leaves_of(answer.get("products"), len(openings.products)),
            )
            for run, openings, answer in opened
        ]
        # In a thread: the arithmetic lets the loop run, as numpy and OpenSSL free the lock.
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(_checkers, _check_all, evidence, self._randomness)
        return GpusProven(
            measurements=tuple(self._measured(run, rtt_s) for run in self._runs.values()),
            failures=self._failures,
        )

    async def _round_trip(self) -> float:
        pings = [
            (await self._conversation.ask({"op": "ping"}))[1] for _ in range(self._rules.pings)
        ]
        return min(pings)

    async def _fill(self, nonce: bytes) -> None:
        demand = {
            "op": "gpu_fill",
            "nonce": nonce.hex(),
            "iterations": self._rules.iterations,
        }
        for run, _, seconds in await self._each(demand, s_max=self._rules.work_s_max):
            run.seconds["fill"] = seconds

    async def _scan(self, slot: int, nonce: bytes) -> None:
        demand = {"op": "gpu_scan", "nonce": nonce.hex(), "slot": slot}
        parts = {index: {"passes": run.task.passes_of(slot)} for index, run in self._runs.items()}
        for run, answer, seconds in await self._each(demand, parts, s_max=self._rules.work_s_max):
            roots = answer.get("roots")
            if not isinstance(roots, list) or len(roots) != run.task.passes_of(slot):
                raise ProofWrong("A GPU sent another number of roots.")
            run.roots[slot] = tuple(digest_of(root) for root in roots)
            run.seconds["scan_after" if slot == AFTER else "scan"] = seconds

    async def _multiply(self, nonce: bytes) -> None:
        demand = {"op": "gpu_multiply", "nonce": nonce.hex()}
        parts = {index: {"products": run.task.products} for index, run in self._runs.items()}
        for run, answer, seconds in await self._each(demand, parts, s_max=self._rules.work_s_max):
            run.product_root = digest_of(answer.get("root"))
            run.seconds["multiply"] = seconds

    async def _open(self) -> list[tuple[_Run, Openings, Mapping[str, object]]]:
        drawn = {
            index: draw(
                run.task,
                regions=run.regions,
                blocks=self._work.blocks,
                below=self._randomness.below,
            )
            for index, run in self._runs.items()
        }
        parts = {
            index: {"scans": openings.scans, "products": openings.products}
            for index, openings in drawn.items()
        }
        answers = await self._each({"op": "gpu_open"}, parts, s_max=self._rules.open_s_max)
        return [(run, drawn[run.task.device.index], answer) for run, answer, _ in answers]

    async def _each(
        self,
        demand: Mapping[str, object],
        parts: Mapping[int, Mapping[str, object]] | None = None,
        *,
        s_max: float,
    ) -> list[tuple[_Run, Mapping[str, object], float]]:
        """Ask all devices that still take part; one that fails takes part no longer."""
        if not self._runs:
            return []
        asked = parts or {index: {} for index in self._runs}
        answers = await self._conversation.ask_each(demand, asked, s_max=s_max)
        going_on = []
        for index, (answer, seconds) in answers.items():
            if "error" in answer:
                run = self._runs.pop(index)
                self._failures[run.task.device.uuid] = str(answer["error"])
            else:
                going_on.append((self._runs[index], answer, seconds))
        return going_on

    def _measured(self, run: _Run, rtt_s: float) -> GpuMeasurement:
        timings = GpuTimings(
            fill_s=run.seconds["fill"],
            scan_s=run.seconds["scan"],
            multiply_s=run.seconds["multiply"],
            scan_after_s=run.seconds["scan_after"],
            rtt_s=rtt_s,
        )
        return measure(run.task, timings, regions=run.regions, work=self._work)


_PHASES = ("fill", "scan", "multiply", "scan_after")


def _check_all(evidence: list[Evidence], randomness: Randomness) -> None:
    for one in evidence:
        check(one, randomness)
