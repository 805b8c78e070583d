"""This will gather what each source of this machine shows, so that they can be compared."""

import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from miner_agent.clock import Clock
from miner_agent.domain import sources
from miner_agent.facts import memory_bytes
from miner_agent.facts.files import Files, shown
from miner_agent.facts.nvml import read_nvml
from protocol.facts import (
    LISTED_MOST,
    EngineSetting,
    Facts,
    KernelDriver,
    Loading,
    Marks,
    Nvml,
    PciCard,
    Processors,
    Surroundings,
)
from protocol.hardware import GPUS_MOST, Hardware

DRIVER, DEVICES, GROUPS = "/proc/driver/nvidia", "/sys/bus/pci/devices", "/sys/fs/cgroup"
BOARD = "/sys/class/dmi/id"
BOARD_NUMBERS = ("board_serial", "product_serial", "product_uuid")


def gather(
    *,
    hardware: Hardware,
    engine: Mapping[str, Any],
    clock: Clock,
    files: Files | None = None,
    nvml: Callable[[], Nvml | None] = read_nvml,
    variables: Mapping[str, str] = os.environ,
) -> Facts:
    """Return everything that this machine tells; ``engine`` is what Docker says about itself.

    It blocks, and works without a GPU and without root: what cannot be read is left empty.
    """
    files = files or Files()
    # First: the library is mapped from then on, and shows among the agent's own.
    managed = nvml()
    return Facts(
        hardware=hardware,
        nvml=managed,
        driver=_driver(files),
        pci=_pci(files),
        mounts=sources.mounts_over(files.text("/proc/self/mountinfo")),
        loading=_loading(files, variables),
        processors=_processors(files),
        surroundings=_surroundings(files, clock),
        engine=_engine(engine),
        marks=_marks(files),
    )


def _driver(files: Files) -> KernelDriver:
    cards = files.names(f"{DRIVER}/gpus")[:GPUS_MOST]
    return KernelDriver(
        version=sources.driver_version(files.text(f"{DRIVER}/version")),
        module=shown(files.text("/sys/module/nvidia/version")),
        cards=tuple(
            sources.kernel_card(name, files.text(f"{DRIVER}/gpus/{name}/information"))
            for name in cards
        ),
        devices=sources.device_numbers(files.names("/dev"))[:GPUS_MOST],
    )


def _pci(files: Files) -> tuple[PciCard, ...]:
    found = []
    for name in files.names(DEVICES):
        place = f"{DEVICES}/{name}"
        is_display = files.text(f"{place}/class").startswith(sources.DISPLAY_CLASS)
        if is_display and files.text(f"{place}/vendor") == sources.NVIDIA:
            found.append(_pci_card(files, place, name))
    return tuple(found[:GPUS_MOST])


def _pci_card(files: Files, place: str, name: str) -> PciCard:
    return PciCard(
        pci=name[:32],
        device=_pci_id(files.text(f"{place}/device")),
        subsystem=_pci_id(files.text(f"{place}/subsystem_device")),
        windows_bytes=sources.windows(files.text(f"{place}/resource")),
        link_width=_number(files.text(f"{place}/current_link_width"), most=64),
        link_width_max=_number(files.text(f"{place}/max_link_width"), most=64),
        link_speed=shown(files.text(f"{place}/current_link_speed")),
        link_speed_max=shown(files.text(f"{place}/max_link_speed")),
    )


def _loading(files: Files, variables: Mapping[str, str]) -> Loading:
    # Blanks and colons separate its words, and a # begins a comment, as ld.so(8) says.
    listed = re.sub(r"#.*", "", files.text("/etc/ld.so.preload"))
    preloaded = tuple(word for word in re.split(r"[\s:]+", listed) if word)[:LISTED_MOST]
    mapped = sources.mapped_libraries(files.text("/proc/self/maps"), preloaded=preloaded)
    told = sorted(f"{name}={value}" for name, value in variables.items() if name[:3] == "LD_")
    return Loading(
        preloaded=tuple(map(shown, preloaded)),
        variables=tuple(map(shown, told[:LISTED_MOST])),
        libraries=tuple(files.library(path) for path in mapped),
    )


def _processors(files: Files) -> Processors:
    quota = files.text(f"{GROUPS}/cpu.max") or " ".join(
        files.text(f"{GROUPS}/cpu/cpu.cfs_{word}_us") for word in ("quota", "period")
    )
    limit = files.text(f"{GROUPS}/memory.max")
    limit = limit or files.text(f"{GROUPS}/memory/memory.limit_in_bytes")
    return Processors(
        listed=sources.processors(files.text("/proc/cpuinfo")),
        usable=len(os.sched_getaffinity(0)),
        quota_milli=sources.quota_milli(quota),
        memory_bytes=memory_bytes(files.text("/proc/meminfo")),
        memory_limit_bytes=sources.limit_bytes(limit),
    )


def _surroundings(files: Files, clock: Clock) -> Surroundings:
    return Surroundings(
        hypervisor=sources.is_virtual(files.text("/proc/cpuinfo")),
        vendor=shown(files.text(f"{BOARD}/sys_vendor")),
        product=shown(files.text(f"{BOARD}/product_name")),
        container=shown(
            sources.container(
                told=files.text("/run/systemd/container"),
                has_docker=files.has("/.dockerenv"),
                has_podman=files.has("/run/.containerenv"),
                first_group=files.text("/proc/1/cgroup"),
            )
        ),
        taint=_number(files.text("/proc/sys/kernel/tainted"), most=1 << 32),
        uptime_ms=clock.boot_ms(),
        clock_ms=clock.wall_ms(),
    )


def _engine(told: Mapping[str, Any]) -> EngineSetting:
    return EngineSetting(
        cgroup_driver=shown(str(told.get("CgroupDriver") or "")),
        cgroup_version=shown(str(told.get("CgroupVersion") or "")),
        runtimes=tuple(map(shown, sorted(told.get("Runtimes") or ())[:LISTED_MOST])),
        live_restore=bool(told.get("LiveRestoreEnabled")),
    )


def _marks(files: Files) -> Marks:
    maker = tuple(files.text(f"{BOARD}/{name}") for name in ("sys_vendor", "product_name"))
    numbers = tuple(files.text(f"{BOARD}/{name}") for name in BOARD_NUMBERS)
    return Marks(
        machine_id=sources.mark("machine-id", files.text("/etc/machine-id")),
        # Maker and product alone are the same on a thousand machines.
        board=sources.mark("board", *maker, *numbers) if any(numbers) else "",
    )


def _pci_id(text: str) -> str:
    found = re.fullmatch(r"0x([0-9a-f]{4})", text)
    return "" if found is None else found.group(1)


def _number(text: str, *, most: int) -> int:
    return int(text) if text.isdecimal() and int(text) <= most else 0
