"""What the machine says of itself, read from its own files."""

import pytest

from miner_agent.clock import MachineClock
from miner_agent.engine import EngineFacts
from miner_agent.facts import cpu_model, memory_bytes, os_name, read_hardware, usable_cores

ENGINE = EngineFacts(version="20.10", storage_driver="overlay2", root="/")


def test_this_machine_is_described() -> None:
    hardware = read_hardware(
        engine=ENGINE, cores=(1, 3), memory_bytes=7, disk_bytes=5, clock=MachineClock()
    )
    assert (hardware.cpus, hardware.memory_bytes) == (2, 7)
    assert len(usable_cores()) >= 1
    assert hardware.boot_id == MachineClock().boot_id()
    assert (hardware.docker_version, hardware.disk_bytes) == ("20.10", 5)


def test_the_clock_since_boot_never_goes_back() -> None:
    clock = MachineClock()
    readings = [clock.boot_ms() for _ in range(100)]
    assert readings == sorted(readings)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('ID=debian\nPRETTY_NAME="Debian GNU/Linux 12"\n', "Debian GNU/Linux 12"),
        ("PRETTY_NAME=Alpine\n", "Alpine"),
        ("", "Linux"),
    ],
)
def test_an_operating_system_has_a_name(text: str, name: str) -> None:
    assert os_name(text) == name


def test_a_processor_has_a_name_of_one_line() -> None:
    assert cpu_model("processor\t: 0\nmodel name\t: AMD  EPYC   9R14\n") == "AMD EPYC 9R14"
    assert cpu_model("") != ""


def test_memory_is_told_in_bytes() -> None:
    assert memory_bytes("MemTotal:  1024 kB\nMemFree: 1 kB\n") == 1 << 20
    assert memory_bytes("") == 0
