"""This will build and hand out a CUDA driver that runs the proof's kernels on the CPU."""

import subprocess
import tempfile
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
LIBRARY = "libcuda.so.1"
FLAGS = ("-std=c++17", "-O2", "-shared", "-fPIC", "-DON_A_CPU")


@cache
def _kept() -> "tempfile.TemporaryDirectory[str]":
    """Return the folder that lasts as long as this process."""
    return tempfile.TemporaryDirectory(prefix="berth-fakecuda-")


@cache
def folder() -> Path:
    """Return the folder of the driver, built once a session."""
    built = Path(_kept().name)
    units = [str(path) for path in sorted(HERE.glob("*.cpp"))]
    subprocess.run(["g++", *FLAGS, f"-I{HERE}", *units, "-o", str(built / LIBRARY)], check=True)
    return built


def environment(**settings: object) -> dict[str, str]:
    """Return what a process needs to find this driver, with its settings: ``devices=2``."""
    told = {f"FAKECUDA_{name.upper()}": str(value) for name, value in settings.items()}
    return {"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": str(folder()), **told}
