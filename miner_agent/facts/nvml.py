"""This will tell what NVIDIA's management library shows of each card."""

import contextlib
from typing import Any

import pynvml

from miner_agent.facts.files import shown
from protocol.facts import Nvml, NvmlCard
from protocol.hardware import GPUS_MOST


def read_nvml() -> Nvml | None:
    """Return what the library shows; None: there is no library, or no driver below it.

    A card that does not answer is counted all the same, without a name.
    """
    with contextlib.ExitStack() as stack:
        try:
            pynvml.nvmlInit()
            stack.callback(pynvml.nvmlShutdown)
            driver = _text(pynvml.nvmlSystemGetDriverVersion())
            count = int(pynvml.nvmlDeviceGetCount())
        except pynvml.NVMLError:
            return None
        cards = tuple(_card(index) for index in range(min(count, GPUS_MOST)))
        cuda = _ask("nvmlSystemGetCudaDriverVersion")
        return Nvml(driver=driver, cuda=0 if cuda is None else int(cuda), cards=cards)


def _card(index: int) -> NvmlCard:
    handle = _ask("nvmlDeviceGetHandleByIndex", index)
    if handle is None:
        return NvmlCard(uuid="", pci="", name="", vram_bytes=0)
    pci, memory = _ask("nvmlDeviceGetPciInfo", handle), _ask("nvmlDeviceGetMemoryInfo", handle)
    clock = _ask("nvmlDeviceGetMaxClockInfo", handle, pynvml.NVML_CLOCK_SM)
    return NvmlCard(
        uuid=_text(_ask("nvmlDeviceGetUUID", handle)),
        pci="" if pci is None else kernel_address(_text(pci.busId)),
        name=_text(_ask("nvmlDeviceGetName", handle)),
        vram_bytes=0 if memory is None else int(memory.total),
        memory_used_bytes=None if memory is None else int(memory.used),
        clock_mhz=None if clock is None else int(clock),
    )


def kernel_address(bus_id: str) -> str:
    """Return the address as the kernel writes it: of ``00000000:3B:00.0``, ``0000:3b:00.0``."""
    domain, _, rest = bus_id.lower().partition(":")
    return f"{domain.lstrip('0').rjust(4, '0')}:{rest}"[:32] if rest else ""


def _ask(question: str, *arguments: Any) -> Any:
    """Return the library's answer; None where this card, driver or release has none."""
    try:
        return getattr(pynvml, question)(*arguments)
    except pynvml.NVMLError:
        return None


def _text(value: Any) -> str:
    if value is None:
        return ""
    return shown(value.decode(errors="replace") if isinstance(value, bytes) else str(value))
