"""This will read how the machine's NVIDIA GPUs are doing through NVML.

A slice is named by its own UUID ("MIG-..."), a shared card by the card's and a number
("GPU-.../0"); whoever has a whole card uses what the card uses.
"""

import contextlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import pynvml

from protocol.usage import CardUsage, GpuUsage

#: between the card's own name and the number of one share of it
SHARE = "/"
#: what slows a card down because of heat
HOT = 0x20 | 0x40
#: in one look
XIDS_MOST = 1000


@dataclass(frozen=True, slots=True)
class Health:
    """What a card counts or shows of its troubles."""

    uuid: str
    #: as the kernel's log names it
    pci: str
    #: uncorrected errors of its memory in its whole life; None: it counts none
    lost_bits: int | None
    is_hot: bool


class Cards:
    """NVML, opened at the first call and kept; without a driver there are no cards."""

    def __init__(self) -> None:
        self._open = False
        self._events: Any = None

    def usage(self) -> tuple[CardUsage, ...]:
        """Return how each card is doing, in NVML's order."""
        return tuple(_card(handle) for handle in self._handles())

    def used_by(self, gpu_uuid: str, processes: Callable[[], Collection[int]]) -> GpuUsage:
        """Return what a placement uses of what it was given; ``processes`` are its own."""
        card, _, share = gpu_uuid.partition(SHARE)
        if not self._ready():
            return GpuUsage(uuid=gpu_uuid)
        handle = _ask(pynvml.nvmlDeviceGetHandleByUUID, card.encode())
        if handle is None:
            return GpuUsage(uuid=gpu_uuid)
        if share:
            return _shared(gpu_uuid, handle, frozenset(processes()))
        rates, memory = _ask(pynvml.nvmlDeviceGetUtilizationRates, handle), _memory(handle)
        return GpuUsage(
            uuid=gpu_uuid,
            busy_percent=None if rates is None else min(100, int(rates.gpu)),
            memory_bytes=None if memory is None else int(memory.used),
        )

    def health(self) -> tuple[Health, ...]:
        """Return what each card says of its troubles."""
        return tuple(_health(handle) for handle in self._handles())

    def without_persistence(self) -> tuple[str, ...]:
        """Return the cards that forget everything while nobody uses them."""
        off = pynvml.NVML_FEATURE_DISABLED
        return tuple(
            _uuid(handle)
            for handle in self._handles()
            if _ask(pynvml.nvmlDeviceGetPersistenceMode, handle) == off
        )

    def xids(self) -> tuple[tuple[str, int], ...]:
        """Return (card, Xid) of what was reported since the last call, without waiting.

        Only for machines whose kernel log cannot be read: what is reported while nobody has asked
        yet is lost.
        """
        if self._events is None and not self._listen():
            return ()
        found = []
        for _ in range(XIDS_MOST):
            event = _ask(pynvml.nvmlEventSetWait_v2, self._events, 0)
            if event is None:
                break
            found.append((_uuid(event.device), int(event.eventData)))
        return tuple(found)

    def close(self) -> None:
        """Close the library."""
        if self._events is not None:
            _ask(pynvml.nvmlEventSetFree, self._events)
            self._events = None
        if self._open:
            _ask(pynvml.nvmlShutdown)
            self._open = False

    def _ready(self) -> bool:
        if not self._open:
            with contextlib.suppress(pynvml.NVMLError):
                pynvml.nvmlInit()
                self._open = True
        return self._open

    def _handles(self) -> Iterator[Any]:
        if not self._ready():
            return
        for index in range(_ask(pynvml.nvmlDeviceGetCount) or 0):
            handle = _ask(pynvml.nvmlDeviceGetHandleByIndex, index)
            if handle is not None:
                yield handle

    def _listen(self) -> bool:
        handles = list(self._handles())
        events = _ask(pynvml.nvmlEventSetCreate) if handles else None
        if events is None:
            return False
        for handle in handles:
            _ask(
                pynvml.nvmlDeviceRegisterEvents,
                handle,
                pynvml.nvmlEventTypeXidCriticalError,
                events,
            )
        self._events = events
        return True


def _card(handle: Any) -> CardUsage:
    rates, memory = _ask(pynvml.nvmlDeviceGetUtilizationRates, handle), _memory(handle)
    temperature = _ask(pynvml.nvmlDeviceGetTemperature, handle, pynvml.NVML_TEMPERATURE_GPU)
    power = _ask(pynvml.nvmlDeviceGetPowerUsage, handle)
    return CardUsage(
        uuid=_uuid(handle),
        busy_percent=None if rates is None else min(100, int(rates.gpu)),
        memory_used_bytes=None if memory is None else int(memory.used),
        memory_bytes=None if memory is None else int(memory.total),
        temperature_c=None if temperature is None else int(temperature),
        power_mw=None if power is None else int(power),
    )


def _shared(gpu_uuid: str, handle: Any, processes: frozenset[int]) -> GpuUsage:
    """Return what these processes use of a card that others use too."""
    told: dict[int, int] = {}
    for question in (
        pynvml.nvmlDeviceGetComputeRunningProcesses,
        pynvml.nvmlDeviceGetMPSComputeRunningProcesses,
    ):
        for one in _ask(question, handle) or ():
            told[int(one.pid)] = int(one.usedGpuMemory or 0)
    busy = None
    rates = _ask(pynvml.nvmlDeviceGetProcessUtilization, handle, 0)
    if rates is not None:
        newest: dict[int, Any] = {}
        for one in sorted(rates, key=lambda rate: int(rate.timeStamp)):
            newest[int(one.pid)] = one
        busy = min(100, sum(int(newest[pid].smUtil) for pid in processes & set(newest)))
    memory = sum(told[pid] for pid in processes & set(told))
    return GpuUsage(uuid=gpu_uuid, busy_percent=busy, memory_bytes=memory)


def _health(handle: Any) -> Health:
    lost = _ask(
        pynvml.nvmlDeviceGetTotalEccErrors,
        handle,
        pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED,
        pynvml.NVML_AGGREGATE_ECC,
    )
    reasons = _ask(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons, handle) or 0
    pci = _ask(pynvml.nvmlDeviceGetPciInfo, handle)
    return Health(
        uuid=_uuid(handle),
        pci="" if pci is None else pci_name(_text(pci.busId)),
        lost_bits=None if lost is None else int(lost),
        is_hot=bool(int(reasons) & HOT),
    )


def pci_name(bus_id: str) -> str:
    """Return the address as the kernel's log writes it: of ``00000000:3B:00.0``, ``0000:3b:00``."""
    domain, _, rest = bus_id.lower().partition(":")
    return f"{domain[-4:]}:{rest.partition('.')[0]}"


def _memory(handle: Any) -> Any:
    return _ask(pynvml.nvmlDeviceGetMemoryInfo, handle)


def _uuid(handle: Any) -> str:
    return _text(_ask(pynvml.nvmlDeviceGetUUID, handle) or "")[:200]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _ask(question: Callable[..., Any], *arguments: Any) -> Any:
    """Return NVML's answer; None where this card, driver or slice has none."""
    try:
        return question(*arguments)
    except pynvml.NVMLError:
        return None
