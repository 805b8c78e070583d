"""A driver without cards: NVML as a library that the real nvidia-ml-py loads."""

import json
import os
import subprocess
import sys
from pathlib import Path

from protocol.hardware import Gpu

SOURCE = Path(__file__).with_name("nvml.c")
LIBRARY = "libnvidia-ml.so.1"
READ = (
    "import json, sys; from miner_agent.facts.gpus import read_gpus;"
    "print(json.dumps([one.model_dump() for one in read_gpus(slots=int(sys.argv[1]))]))"
)


def build(folder: Path) -> Path:
    """Return the folder with the library in it."""
    command = ["gcc", "-shared", "-fPIC", "-Wall", "-o", str(folder / LIBRARY), str(SOURCE)]
    subprocess.run(command, check=True, timeout=60)
    return folder


def read(library: Path | None, cards: str | None, *, slots: int = 1) -> tuple[Gpu, ...]:
    """Return what the agent finds on a machine with this driver and these cards.

    In a process of its own: the loader finds a library only once.
    """
    environment = {**os.environ, "FAKE_NVML": "/nowhere"}
    if library is not None:
        environment["LD_LIBRARY_PATH"] = str(library)
        if cards is not None:
            listed = library / "cards"
            listed.write_text(cards)
            environment["FAKE_NVML"] = str(listed)
    told = subprocess.run(
        [sys.executable, "-c", READ, str(slots)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    return tuple(Gpu.model_validate(one) for one in json.loads(told.stdout))
