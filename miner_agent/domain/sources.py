"""This will take apart what the kernel's files say of cards, mounts, libraries and limits."""

import hashlib
import hmac
import re
from collections.abc import Iterator, Sequence

from protocol.facts import LISTED_MOST, WINDOWS_MOST, KernelCard, Mount

#: display controllers (VGA, 3D) of the PCI bus
DISPLAY_CLASS = "0x03"
NVIDIA = "0x10de"
#: a folder, or file, from which facts are read: what is mounted over it can show anything
_WATCHED = (
    "/proc/driver",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/modules",
    "/sys/bus/pci",
    "/sys/class/dmi",
    "/sys/devices/pci",
    "/sys/devices/virtual/dmi",
    "/sys/module/nvidia",
)
_WATCHED_NAMES = re.compile(r"(libcuda|libnvidia-ml)\.so|nvidia-smi$")
_MAPPED = re.compile(r"/(libcuda|libnvidia|libcudart)[^/]*\.so[^/]*$")
#: more than any machine has; control groups write as much for "no limit"
BYTES_MOST = 1 << 50
QUOTA_MILLI_MOST = 1 << 30
#: parts of a first process's control group that tell of a container
_CONTAINERS = ("docker", "kubepods", "containerd", "lxc", "podman")
MARK_PURPOSE = b"berth-mark/1 "


def kernel_card(pci: str, information: str) -> KernelCard:
    """Return the card that /proc/driver/nvidia/gpus/PCI/information tells of.

    One that nothing has opened yet shows question marks for its uuid.
    """
    told = dict(_pairs(information))
    uuid = told.get("GPU UUID", "")
    return KernelCard(pci=pci[:32], uuid="" if "?" in uuid else uuid, name=told.get("Model", ""))


def driver_version(text: str) -> str:
    """Return the version in /proc/driver/nvidia/version; empty where there is none."""
    found = re.search(r"^NVRM version:.*?\s(\d{3,4}(?:\.\d+){1,3})\s", text + "\n", re.MULTILINE)
    return "" if found is None else found.group(1)


def device_numbers(names: Sequence[str]) -> tuple[int, ...]:
    """Return N of each ``nvidiaN`` in /dev."""
    found = (re.fullmatch(r"nvidia(\d{1,3})", name) for name in names)
    return tuple(sorted(int(one.group(1)) for one in found if one is not None))


def windows(resource: str) -> tuple[int, ...]:
    """Return the sizes of a PCI device's memory windows, of its file ``resource``."""
    sizes = []
    for found in re.finditer(r"^0x([0-9a-f]{1,16}) 0x([0-9a-f]{1,16}) ", resource, re.MULTILINE):
        first, last = (int(word, 16) for word in found.groups())
        if first < last:
            sizes.append(min(last - first + 1, BYTES_MOST))
    return tuple(sizes[:WINDOWS_MOST])


def mounts_over(mount_info: str) -> tuple[Mount, ...]:
    """Return whatever is mounted at, above or below a place from which facts are read.

    Not what such places belong to anyway: /proc and /sys themselves.
    """
    found = []
    for line in mount_info.splitlines():
        before, _, after = line.partition(" - ")
        words, told = before.split(" "), after.split(" ")
        if len(words) > 4 and len(told) > 1 and _is_watched(path := _unescaped(words[4])):
            found.append(Mount(path=path[:200], kind=told[0][:200], source=told[1][:200]))
    return tuple(found[:LISTED_MOST])


def mapped_libraries(maps: str, *, preloaded: Sequence[str]) -> tuple[str, ...]:
    """Return the paths of NVIDIA's libraries, and of preloaded ones, in /proc/self/maps."""
    lines = (line.split(maxsplit=5) for line in maps.splitlines())
    paths = {words[5] for words in lines if len(words) == 6}
    wanted = {path for path in paths if _MAPPED.search(path) or path in preloaded}
    return tuple(sorted(wanted)[:LISTED_MOST])


def processors(cpu_info: str) -> int:
    """Return the number of processors in /proc/cpuinfo."""
    return len(re.findall(r"^processor\s*:", cpu_info, re.MULTILINE))


def is_virtual(cpu_info: str) -> bool:
    """Say whether the processor tells of a hypervisor."""
    return re.search(r"^flags\s*:.*\shypervisor(\s|$)", cpu_info, re.MULTILINE) is not None


def quota_milli(cpu_max: str) -> int | None:
    """Return the thousandths of a processor of a cpu.max file; None: no limit."""
    found = re.fullmatch(r"(\d+)\s+(\d+)", cpu_max)
    if found is None or not int(found.group(2)):
        return None
    return min(int(found.group(1)) * 1000 // int(found.group(2)), QUOTA_MILLI_MOST)


def limit_bytes(memory_max: str) -> int | None:
    """Return the bytes of a memory.max file; None: no limit."""
    if not memory_max.isdecimal() or int(memory_max) >= BYTES_MOST:
        return None
    return int(memory_max)


def container(*, told: str, has_docker: bool, has_podman: bool, first_group: str) -> str:
    """Return the kind of container that this is; empty where nothing tells of one."""
    if told or has_docker or has_podman:
        return told or ("docker" if has_docker else "podman")
    return next((name for name in _CONTAINERS if name in first_group), "")


def mark(kind: str, *secrets: str) -> str:
    """Return what stands for these numbers, the same at each call; empty where there are none.

    A keyed hash with them as its key, as machine-id(5) asks for: whoever reads it cannot find out
    the number, nor recognise it in what another program made of it.
    """
    if not any(secrets):
        return ""
    key = "\0".join(secrets).encode()
    return hmac.new(key, MARK_PURPOSE + kind.encode(), hashlib.sha256).hexdigest()


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, _, value = line.partition(":")
        yield name.strip(), " ".join(value.split())[:200]


def _is_watched(path: str) -> bool:
    return _WATCHED_NAMES.search(path) is not None or path.startswith(_WATCHED)


def _unescaped(path: str) -> str:
    """Return a path of mountinfo, where blanks and the like are written in octal."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found.group(1), 8)), path)
