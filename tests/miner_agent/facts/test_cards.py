"""How GPUs are doing, as the real nvidia-ml-py reads it from a driver without cards."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from miner_agent.facts.cards import pci_name
from tests.miner_agent.gpu.driver import LIBRARY

SOURCE = Path(__file__).with_name("cards.c")
CARDS = (
    "card GPU-a NVIDIA_H100 81920 0 off\n"
    "card GPU-b NVIDIA_H100 81920 0 none\n"
    "card GPU-c NVIDIA_H100 81920 0 on\n"
)
READ = """
import json
from dataclasses import asdict
from miner_agent.facts.cards import Cards
cards = Cards()
shares = {"GPU-a": set(), "GPU-b": set(), "GPU-a/0": {77, 5}, "GPU-a/1": set(), "MIG-none": set()}
print(json.dumps({
    "usage": [one.model_dump() for one in cards.usage()],
    "health": [asdict(one) for one in cards.health()],
    "used": {name: cards.used_by(name, lambda: pids).model_dump() for name, pids in shares.items()},
    "off": cards.without_persistence(),
    "xids": [cards.xids(), cards.xids()],
}))
cards.close()
"""


def read(folder: Path, *, listed: str) -> Any:
    environment = {**os.environ, "LD_LIBRARY_PATH": str(folder), "FAKE_NVML": listed}
    told = subprocess.run(
        [sys.executable, "-c", READ],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("driver")
    command = ["gcc", "-shared", "-fPIC", "-Wall", "-o", str(folder / LIBRARY), str(SOURCE)]
    subprocess.run(command, check=True, timeout=60)
    (folder / "cards").write_text(CARDS)
    return read(folder, listed=str(folder / "cards"))


def test_a_card_says_how_it_does_and_one_that_says_nothing_is_shown_too(told: Any) -> None:
    first, second, _ = told["usage"]
    assert first == {
        "uuid": "GPU-a",
        "busy_percent": 93,
        "memory_used_bytes": 0,
        "memory_bytes": 80 << 30,
        "temperature_c": 55,
        "power_mw": 71_000,
    }
    assert (second["uuid"], second["busy_percent"], second["power_mw"]) == ("GPU-b", None, None)


def test_troubles_are_read_from_the_counters_of_the_cards_whole_life(told: Any) -> None:
    first, second, _ = told["health"]
    assert first == {"uuid": "GPU-a", "pci": "0000:3b:00", "lost_bits": 8, "is_hot": True}
    assert second == {"uuid": "GPU-b", "pci": "0000:5e:00", "lost_bits": None, "is_hot": False}


def test_a_whole_card_is_used_as_the_card_is_and_a_share_by_its_own_processes(told: Any) -> None:
    used = told["used"]
    assert (used["GPU-a"]["busy_percent"], used["GPU-a"]["memory_bytes"]) == (93, 0)
    assert (used["GPU-a/0"]["busy_percent"], used["GPU-a/0"]["memory_bytes"]) == (40, 100 << 20)
    assert (used["GPU-a/1"]["busy_percent"], used["GPU-a/1"]["memory_bytes"]) == (0, 0)
    assert used["GPU-b"]["busy_percent"] is None
    assert used["MIG-none"] == {"uuid": "MIG-none", "busy_percent": None, "memory_bytes": None}


def test_xids_are_told_once_without_waiting(told: Any) -> None:
    assert told["xids"] == [[["GPU-a", 79], ["GPU-a", 31]], []]


def test_cards_that_forget_are_named(told: Any) -> None:
    assert told["off"] == ["GPU-b", "GPU-c"]


def test_without_a_driver_nothing_is_told_and_nothing_fails(tmp_path: Path) -> None:
    told = read(tmp_path, listed="/nowhere")
    assert (told["usage"], told["health"], told["xids"]) == ([], [], [[], []])
    assert told["used"]["GPU-a"]["busy_percent"] is None


def test_a_card_is_named_as_the_kernels_log_names_it() -> None:
    assert pci_name("00000000:3B:00.0") == "0000:3b:00"
