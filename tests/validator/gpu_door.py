"""This will run the real prover on the fake CUDA driver, and lead small proofs over it."""

import asyncio
import random
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

from prover import bundle
from tests import fakecuda
from validator.domain.gpu_proof import GpuRules
from validator.proof.conversation import Randomness
from validator.proof.session import Proven, Work, prove
from validator.ssh.command import Limits, Lines

#: everything small; what is checked is what is checked of a real card
TINY = GpuRules(
    rows=256,
    columns=128,
    depth=64,
    small_vram_bytes=0,
    iterations=1,
    filled_ppm=600_000,
    spare_bytes=1 << 17,
    passes_min=3,
    passes_max=3,
    products_min=3,
    products_max=3,
    checks=4,
    first_scan_checks=6,
    pings=1,
)
MODEL = "NVIDIA Fake GPU"
LIMITS = Limits(line_bytes_max=1 << 19, session_bytes_max=1 << 22)

#: text of the program -> text of a cheat's
Edit = tuple[str, str]


def uuid_of(number: int, first: int = 0x11) -> str:
    digits = f"{first + number:02x}" * 16
    return f"GPU-{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def randomness(seed: int = 7) -> Randomness:
    source = random.Random(seed)
    return Randomness(draw=source.randbytes, below=source.randrange)


class Pipe:
    """A process's pipes as a stream."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout

    @property
    def heard_at(self) -> float:
        return asyncio.get_running_loop().time()

    def write(self, content: bytes) -> None:
        self._stdin.write(content)

    async def read(self, bytes_max: int) -> bytes:
        return await self._stdout.read(bytes_max)

    def close(self) -> None:
        self._stdin.close()


@cache
def program(*edits: Edit) -> "tempfile.TemporaryDirectory[str]":
    """Return a folder of the prover, changed by the edits; it goes when this process does."""
    kept = tempfile.TemporaryDirectory(prefix="berth-prover-")
    folder = Path(kept.name)
    (folder / "__main__.py").write_bytes(bundle.START)
    for path in sorted(bundle.FOLDER.rglob("*")):
        target = folder / "prover" / path.relative_to(bundle.FOLDER)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in bundle.SUFFIXES:
            target.write_bytes(path.read_bytes())
    for before, after in edits:
        holders = [path for path in folder.rglob("*.py") if before in path.read_text()]
        assert len(holders) == 1, f"{len(holders)} modules hold {before!r}"
        holders[0].write_text(holders[0].read_text().replace(before, after))
    return kept


@asynccontextmanager
async def running(*edits: Edit, **settings: object) -> AsyncIterator[Lines]:
    """Yield the lines of a prover on fake cards, honest where no edit is given."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", program(*edits).name, "--gpus"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=fakecuda.environment(**{"memory_mb": 2, **settings}),
    )
    try:
        yield Lines(Pipe(process), LIMITS)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def proven(
    *edits: Edit,
    models: dict[str, str] | None = None,
    seed: int = 7,
    machine: bytes = b"machine",
    rules: GpuRules = TINY,
    now: Callable[[], float] | None = None,
    **settings: object,
) -> Proven:
    """Lead one proof over such a prover."""
    devices = int(str(settings.get("devices", 1)))
    work = Work(
        gpu_models=models or {uuid_of(number): MODEL for number in range(devices)},
        gpu_rules=rules,
    )
    async with running(*edits, **settings) as lines:
        return await prove(
            lines, work=work, machine=machine, randomness=randomness(seed), rtt_s=0.0, now=now
        )
