#!/usr/bin/env python3
"""NVIDIA's prestart hook for tests: Docker calls it for a container that was asked to have GPUs.

It gives the container the device nodes of exactly the cards that NVIDIA_VISIBLE_DEVICES names, and
fails in the words of the real one. Cards: the file ``cards`` beside it, as nvml.c reads it.
"""

import ctypes
import json
import os
import stat
import sys
from pathlib import Path

CLONE_NEWNS = 0x20000
NOTHING = ("", "void", "none")


def main() -> None:
    state = json.load(sys.stdin)
    bundle = Path(state["bundle"])
    config = json.loads((bundle / "config.json").read_text())
    environment = dict(line.partition("=")[::2] for line in config["process"]["env"])
    visible = environment.get("NVIDIA_VISIBLE_DEVICES", "void")
    listed = Path(__file__).resolve().with_name("cards")
    if not listed.exists():
        fail("initialization error: nvml error: driver not loaded")
    numbers = {}
    for line in listed.read_text().splitlines():
        word, uuid, *_ = line.split()
        if word in ("card", "slice"):
            numbers[uuid] = len(numbers)
    wanted = [] if visible in NOTHING else visible.split(",")
    if visible == "all":
        wanted = list(numbers)
    for uuid in wanted:
        if uuid not in numbers:
            fail(f"device error: {uuid}: unknown device")
    root = bundle / config["root"]["path"]
    # At prestart the process has its own mounts, but its root is still the machine's.
    enter_mounts(int(state["pid"]))
    for name, minor in [("nvidiactl", 255), *((f"nvidia{numbers[one]}", 0) for one in wanted)]:
        node = root / "dev" / name
        os.mknod(node, 0o666 | stat.S_IFCHR, os.makedev(1, 3 if minor else 5))
        node.chmod(0o666)


def enter_mounts(process: int) -> None:
    with open(f"/proc/{process}/ns/mnt") as namespace:
        library = ctypes.CDLL(None, use_errno=True)
        if library.setns(namespace.fileno(), CLONE_NEWNS):
            fail(f"mount error: {os.strerror(ctypes.get_errno())}")


def fail(why: str) -> None:
    sys.exit(f"nvidia-container-cli: {why}")


main()
