"""What each source of a machine shows, read from a tree of files that a test wrote."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from miner_agent.clock import MachineClock
from miner_agent.domain import sources
from miner_agent.facts import files as bounds
from miner_agent.facts.files import Files, shown
from miner_agent.facts.nvml import kernel_address
from miner_agent.facts.sources import gather
from protocol.facts import Facts, Nvml
from protocol.hardware import Hardware
from tests.miner_agent.gpu.driver import LIBRARY

CARD = "0000:3b:00.0"
BUS = f"sys/bus/pci/devices/{CARD}"
GPUS = "proc/driver/nvidia/gpus"
MODULE = "NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024"
NEWER = (
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  590.44.01  Release Build  (b)\n"
    "GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)"
)
LIBRARY_PATH = "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.550.54.15"
MACHINE = {
    "proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu vme hypervisor\n\nprocessor\t: 1\n",
    "proc/meminfo": "MemTotal:       16384 kB\n",
    "proc/driver/nvidia/version": f"NVRM version: {MODULE}\nGCC version:  gcc 12",
    f"{GPUS}/{CARD}/information": (
        "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 16\nGPU UUID: \t GPU-1\nBus: PCIe\n"
    ),
    "sys/module/nvidia/version": "550.54.15\n",
    "dev/nvidia0": "",
    "dev/nvidia1": "",
    "dev/nvidiactl": "",
    "dev/nvidia-uvm": "",
    f"{BUS}/class": "0x030200\n",
    f"{BUS}/vendor": "0x10de\n",
    f"{BUS}/device": "0x2330\n",
    f"{BUS}/subsystem_device": "0x16c1\n",
    f"{BUS}/resource": (
        "0x00000000fa000000 0x00000000faffffff 0x0000000000040200\n"
        "0x0000006000000000 0x0000007fffffffff 0x000000000014220c\n"
        "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
    ),
    f"{BUS}/current_link_width": "8\n",
    f"{BUS}/max_link_width": "16\n",
    f"{BUS}/current_link_speed": "2.5 GT/s PCIe\n",
    "sys/bus/pci/devices/0000:00:1f.3/class": "0x040300\n",
    "sys/bus/pci/devices/0000:00:1f.3/vendor": "0x10de\n",
    "sys/bus/pci/devices/0000:02:00.0/class": "0x030000\n",
    "sys/bus/pci/devices/0000:02:00.0/vendor": "0x1a03\n",
    "sys/class/dmi/id/sys_vendor": "Super\x1b[31mmicro\n",
    "sys/class/dmi/id/product_serial": "S123\n",
    "sys/fs/cgroup/cpu.max": "150000 100000\n",
    "sys/fs/cgroup/memory.max": "8388608\n",
    "proc/sys/kernel/tainted": "4097\n",
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "etc/ld.so.preload": "# by us\n/opt/a.so:/opt/b.so # both\n",
    "proc/self/maps": (
        f"7f00-7f01 r--p 00000000 08:01 123   {LIBRARY_PATH}\n"
        f"7f01-7f02 r-xp 00001000 08:01 123   {LIBRARY_PATH}\n"
        "7f02-7f03 r--p 00000000 08:01 124   /opt/a.so\n"
        "7f03-7f04 r--p 00000000 08:01 125   /usr/lib/libc.so.6\n"
        "7f04-7f05 rw-p 00000000 00:00 0     [heap]\n"
    ),
    "proc/self/mountinfo": (
        "22 1 0:21 / /proc rw,nosuid shared:5 - proc proc rw\n"
        "23 1 0:22 / /sys rw - sysfs sysfs rw\n"
        "90 22 8:1 /x /proc/driver/nvidia/gpus rw shared:9 - ext4 /dev/sda1 rw\n"
        "91 22 0:50 / /proc/cpuinfo rw - fuse.lxcfs lxcfs rw\n"
        "92 1 8:1 /y /usr/lib/with\\040blank/libcuda.so.1 rw - ext4 /dev/sda1 rw\n"
        "93 1 8:1 /z /srv rw - ext4 /dev/sda1 rw\n"
    ),
    LIBRARY_PATH.lstrip("/"): "machine code",
}


def machine_at(root: Path, told: dict[str, str]) -> Files:
    for name, content in told.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return Files(root)


def hardware() -> Hardware:
    return Hardware(
        hostname="box",
        os="Debian",
        kernel="6.1",
        boot_id="b",
        cpu_model="EPYC",
        cpus=2,
        memory_bytes=1,
        disk_bytes=1,
        docker_version="26",
        storage_driver="overlay2",
    )


def gathered(files: Files, **changes: Any) -> Facts:
    values: dict[str, Any] = {"engine": {}, "nvml": lambda: None, "variables": {}, **changes}
    return gather(hardware=hardware(), clock=MachineClock(), files=files, **values)


def test_a_machine_tells_what_each_of_its_sources_shows(tmp_path: Path) -> None:
    engine = {"CgroupDriver": "systemd", "Runtimes": {"runc": {}, "nvidia": {}}}
    nvml = Nvml(driver="550.54.15")
    variables = {"LD_PRELOAD": "/opt/a.so", "HOME": "/root"}
    told = gathered(
        machine_at(tmp_path, MACHINE), engine=engine, nvml=lambda: nvml, variables=variables
    )
    assert told.nvml == nvml
    assert (told.driver.version, told.driver.module) == ("550.54.15", "550.54.15")
    (card,) = told.driver.cards
    assert (card.pci, card.uuid, card.name) == (CARD, "GPU-1", "NVIDIA H100 80GB HBM3")
    assert told.driver.devices == (0, 1)
    (on_bus,) = told.pci
    assert (on_bus.pci, on_bus.device, on_bus.subsystem) == (CARD, "2330", "16c1")
    assert on_bus.windows_bytes == (16 << 20, 128 << 30)
    assert (on_bus.link_width, on_bus.link_width_max) == (8, 16)
    assert told.loading.preloaded == ("/opt/a.so", "/opt/b.so")
    assert told.loading.variables == ("LD_PRELOAD=/opt/a.so",)
    assert [one.path for one in told.loading.libraries] == ["/opt/a.so", LIBRARY_PATH]
    assert told.loading.libraries[0].sha256 == "", "it cannot be read, and is told of all the same"
    assert told.loading.libraries[1].size_bytes == len("machine code")
    assert len(told.loading.libraries[1].sha256) == 64
    processors = told.processors
    assert (processors.listed, processors.quota_milli) == (2, 1500)
    assert (processors.memory_bytes, processors.memory_limit_bytes) == (16 << 20, 8 << 20)
    assert told.surroundings.hypervisor
    assert told.surroundings.vendor == "Super[31mmicro"
    assert told.surroundings.taint == 4097
    assert told.engine.runtimes == ("nvidia", "runc")


def test_what_is_mounted_over_a_source_is_told_and_nothing_else(tmp_path: Path) -> None:
    told = gathered(machine_at(tmp_path, MACHINE))
    assert [(one.path, one.kind) for one in told.mounts] == [
        ("/proc/driver/nvidia/gpus", "ext4"),
        ("/proc/cpuinfo", "fuse.lxcfs"),
        ("/usr/lib/with blank/libcuda.so.1", "ext4"),
    ]


def test_serial_numbers_leave_the_machine_only_as_marks_that_stay_the_same(tmp_path: Path) -> None:
    first = gathered(machine_at(tmp_path / "a", MACHINE))
    again = gathered(machine_at(tmp_path / "b", MACHINE))
    other = {**MACHINE, "etc/machine-id": "f" * 32, "sys/class/dmi/id/product_serial": "S124"}
    another = gathered(machine_at(tmp_path / "c", other))
    assert first.marks == again.marks
    assert len({*(first.marks.machine_id, first.marks.board), ""}) == 3
    assert another.marks.machine_id != first.marks.machine_id
    assert another.marks.board != first.marks.board
    text = first.model_dump_json()
    assert "S123" not in text
    assert "0123456789abcdef0123456789abcdef" not in text


def test_a_board_without_serial_number_has_no_mark(tmp_path: Path) -> None:
    plain = {name: text for name, text in MACHINE.items() if "serial" not in name}
    assert gathered(machine_at(tmp_path, plain)).marks.board == ""


def test_a_machine_that_shows_nothing_tells_nothing_and_nothing_fails(tmp_path: Path) -> None:
    told = gathered(Files(tmp_path))
    assert (told.nvml, told.pci, told.mounts, told.marks.machine_id) == (None, (), (), "")
    assert told.processors.listed == 0


def test_this_very_machine_can_be_asked_without_rights() -> None:
    told = gather(hardware=hardware(), engine={}, clock=MachineClock())
    assert told.processors.listed >= 1
    assert told.processors.memory_bytes > 0
    assert told.surroundings.clock_ms > 0


def test_a_text_or_library_beyond_its_limit_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = machine_at(tmp_path, {"long": "x" * 100})
    monkeypatch.setattr(bounds, "TEXT_BYTES_MOST", 10)
    monkeypatch.setattr(bounds, "LIBRARY_BYTES_MOST", 99)
    assert files.text("/long") == "x" * 10
    assert (files.library("/long").size_bytes, files.library("/long").sha256) == (100, "")


def test_more_of_a_kind_than_its_limit_is_left_out(tmp_path: Path) -> None:
    line = "90 22 8:1 /x /proc/cpuinfo rw - ext4 /dev/sda1 rw\n"
    devices = {f"dev/nvidia{number}": "" for number in range(70)}
    told = gathered(machine_at(tmp_path, {"proc/self/mountinfo": line * 100, **devices}))
    assert len(told.mounts) == 32
    assert len(told.driver.devices) == 64
    with pytest.raises(ValidationError):
        Facts.model_validate({**told.model_dump(), "mounts": [told.mounts[0]] * 33})


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (f"NVRM version: {MODULE}", "550.54.15"),
        (NEWER, "590.44.01"),
        ("GCC version: 12.2.0 (x)", ""),
        ("", ""),
    ],
)
def test_the_drivers_version_is_found_in_both_kinds_of_module(text: str, version: str) -> None:
    assert sources.driver_version(text) == version


def test_a_card_that_nothing_has_opened_has_no_uuid_yet() -> None:
    told = sources.kernel_card(
        "0000:3b:00.0", "GPU UUID: \t GPU-????????-????-????-????-????????????"
    )
    assert told.uuid == ""


def test_limits_that_say_no_limit_are_none() -> None:
    assert sources.quota_milli("max 100000") is None
    assert sources.quota_milli("-1 100000") is None
    assert sources.quota_milli("50000 0") is None
    assert sources.quota_milli(f"{10**18} 1") == sources.QUOTA_MILLI_MOST
    assert sources.limit_bytes("max") is None
    assert sources.limit_bytes("9223372036854771712") is None


def test_a_memory_window_that_is_none_is_left_out() -> None:
    odd = "garbage\n0x0000000000000010 0x000000000000000f 0x0\n0x0 0xffffffffffffffff 0x0\n"
    assert sources.windows(odd) == (sources.BYTES_MOST,)


@pytest.mark.parametrize(
    ("signs", "kind"),
    [
        ({}, ""),
        ({"told": "lxc", "has_docker": True}, "lxc"),
        ({"has_docker": True}, "docker"),
        ({"has_podman": True}, "podman"),
        ({"first_group": "0::/kubepods/burstable/x"}, "kubepods"),
    ],
)
def test_a_container_is_known_by_its_signs(signs: dict[str, Any], kind: str) -> None:
    plain = {"told": "", "has_docker": False, "has_podman": False, "first_group": "0::/init.scope"}
    assert sources.container(**{**plain, **signs}) == kind


def test_addresses_and_texts_are_written_as_the_kernel_writes_them() -> None:
    assert kernel_address("00000000:3B:00.0") == "0000:3b:00.0"
    assert kernel_address("00010000:01:00.0") == "10000:01:00.0"
    assert kernel_address("") == ""
    assert shown("a\n b\x00\x1b[0m" + "c" * 300)[:7] == "a b[0mc"


def test_nvml_is_read_as_it_shows_cards_and_one_that_is_lost_is_counted(tmp_path: Path) -> None:
    source = Path(__file__).with_name("cards.c")
    command = ["gcc", "-shared", "-fPIC", "-o", str(tmp_path / LIBRARY), str(source)]
    subprocess.run(command, check=True, timeout=60)
    (tmp_path / "cards").write_text("card GPU-a NVIDIA_H100 81920 0 off\nlost\n")
    ask = "from miner_agent.facts.nvml import read_nvml; print(read_nvml().model_dump_json())"
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": str(tmp_path),
        "FAKE_NVML": str(tmp_path / "cards"),
    }
    told = subprocess.run(
        [sys.executable, "-c", ask], env=environment, capture_output=True, text=True, timeout=60
    )
    assert told.returncode == 0, told.stderr
    nvml = Nvml.model_validate_json(told.stdout)
    assert nvml.driver == "000.00.FAKE"
    assert [card.uuid for card in nvml.cards] == ["GPU-a", ""]
    assert (nvml.cards[0].pci, nvml.cards[0].vram_bytes) == ("0000:3b:00.0", 80 << 30)
    assert nvml.cards[0].memory_used_bytes == 0
