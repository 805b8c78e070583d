"""This will hold what a machine tells of itself: the claim, and what each of its sources shows.

Nothing here is a proof. It is sent so that sources can be compared: who forges one of them seldom
forges all. Every list has its limit, and no serial number or machine id is sent as it is.
"""

from typing import Annotated, Literal

from pydantic import Field

from protocol.hardware import GPUS_MOST, Bytes, Count, Hardware, Text
from protocol.message import Message, Milliseconds

#: of anything that is listed and is no GPU
LISTED_MOST = 32
#: memory windows of one PCI device
WINDOWS_MOST = 8

#: HMAC-SHA256 of something that names this machine, in hex; empty: the machine has no such thing
Mark = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
#: as the kernel writes it: "0000:3b:00.0"
PciAddress = Annotated[str, Field(max_length=32)]
#: four hexadecimal digits in small letters
PciId = Annotated[str, Field(pattern=r"^([0-9a-f]{4})?$")]
Mhz = Annotated[int, Field(ge=0, le=1 << 20)]


class NvmlCard(Message):
    """One card as NVIDIA's management library shows it."""

    uuid: Text
    pci: PciAddress
    name: Text
    vram_bytes: Bytes
    #: None: the card does not say
    memory_used_bytes: Bytes | None = None
    #: the highest clock of its processors; None: the card does not say
    clock_mhz: Mhz | None = None


class Nvml(Message):
    """What NVIDIA's management library shows."""

    driver: Text
    #: of CUDA that the driver supports, as 1000 x major + 10 x minor; 0: it does not say
    cuda: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    cards: Annotated[tuple[NvmlCard, ...], Field(max_length=GPUS_MOST)] = ()


class KernelCard(Message):
    """One card as the driver's folder in /proc shows it."""

    pci: PciAddress
    uuid: Text = ""
    name: Text = ""


class PciCard(Message):
    """One display or compute device of NVIDIA as the PCI bus shows it."""

    pci: PciAddress
    device: PciId
    subsystem: PciId = ""
    #: sizes of its memory windows
    windows_bytes: Annotated[tuple[Bytes, ...], Field(max_length=WINDOWS_MOST)] = ()
    link_width: Annotated[int, Field(ge=0, le=64)] = 0
    link_width_max: Annotated[int, Field(ge=0, le=64)] = 0
    #: as the kernel writes it: "32.0 GT/s PCIe"
    link_speed: Text = ""
    link_speed_max: Text = ""


class KernelDriver(Message):
    """The NVIDIA driver as the kernel shows it. Empty: not loaded, or it does not say."""

    #: of /proc/driver/nvidia/version
    version: Text = ""
    #: of /sys/module/nvidia/version
    module: Text = ""
    cards: Annotated[tuple[KernelCard, ...], Field(max_length=GPUS_MOST)] = ()
    #: the numbers N of /dev/nvidiaN
    devices: Annotated[tuple[Count, ...], Field(max_length=GPUS_MOST)] = ()


class Mount(Message):
    """Something mounted over a place from which facts are read."""

    path: Text
    kind: Text
    source: Text = ""


class Library(Message):
    """A file that the agent really has in its memory."""

    path: Text
    size_bytes: Bytes
    #: empty: it could not be read, or is too large
    sha256: Mark


class Loading(Message):
    """What decides which code the machine's programs load."""

    #: words of /etc/ld.so.preload
    preloaded: Annotated[tuple[Text, ...], Field(max_length=LISTED_MOST)] = ()
    #: the agent's own LD_* variables, as NAME=value
    variables: Annotated[tuple[Text, ...], Field(max_length=LISTED_MOST)] = ()
    libraries: Annotated[tuple[Library, ...], Field(max_length=LISTED_MOST)] = ()


class Processors(Message):
    """How much of the machine's processors and memory there is by each source."""

    #: entries of /proc/cpuinfo
    listed: Count
    #: that the agent may run on
    usable: Count
    #: thousandths of a processor that its control group allows; None: no limit
    quota_milli: Annotated[int, Field(ge=0, le=1 << 30)] | None = None
    memory_bytes: Bytes
    #: that its control group allows; None: no limit
    memory_limit_bytes: Bytes | None = None


class Surroundings(Message):
    """What the machine runs in and how its kernel is."""

    #: the processor says that a hypervisor runs it
    hypervisor: bool = False
    vendor: Text = ""
    product: Text = ""
    #: "docker", "lxc" and so on; empty: no sign of a container
    container: Text = ""
    #: /proc/sys/kernel/tainted
    taint: Annotated[int, Field(ge=0, le=1 << 32)] = 0
    uptime_ms: Milliseconds = 0
    #: its own wall clock when it answered
    clock_ms: Milliseconds = 0


class EngineSetting(Message):
    """What Docker says of itself that matters to a rental."""

    cgroup_driver: Text = ""
    cgroup_version: Text = ""
    runtimes: Annotated[tuple[Text, ...], Field(max_length=LISTED_MOST)] = ()
    live_restore: bool = False


class Marks(Message):
    """What tells machines apart without naming them: the same on two machines is one machine."""

    machine_id: Mark = ""
    #: of maker, product and serial numbers of its board
    board: Mark = ""


class Facts(Message):
    """The answer to the word ``facts``."""

    version: Literal[1] = 1
    hardware: Hardware
    #: None: no such library, or no driver
    nvml: Nvml | None = None
    driver: KernelDriver = KernelDriver()
    #: display and compute devices of NVIDIA's alone
    pci: Annotated[tuple[PciCard, ...], Field(max_length=GPUS_MOST)] = ()
    mounts: Annotated[tuple[Mount, ...], Field(max_length=LISTED_MOST)] = ()
    loading: Loading = Loading()
    processors: Processors
    surroundings: Surroundings = Surroundings()
    engine: EngineSetting = EngineSetting()
    marks: Marks = Marks()
