"""This will list the machine's NVIDIA cards through NVML; without a driver there are none."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pynvml

from miner_agent.domain import gpus
from miner_agent.domain.gpus import Card, Slice
from protocol.hardware import Gpu

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")


def read_gpus(*, slots: int = 1) -> tuple[Gpu, ...]:
    """Return every unit that can be given away, in the driver's order of cards."""
    return gpus.units(read_cards(), slots=slots)


def read_cards() -> tuple[Card, ...]:
    """Return every card that answers; one that has fallen off its bus is left out and logged."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(_library())
            driver = _text(pynvml.nvmlSystemGetDriverVersion())
            count = pynvml.nvmlDeviceGetCount()
        except pynvml.NVMLError:
            return ()
        return tuple(
            card for card in (_card(index, driver) for index in range(count)) if card is not None
        )


def _card(index: int, driver: str) -> Card | None:
    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        mode = _if_supported(lambda: pynvml.nvmlDeviceGetComputeMode(handle), missing=0)
        return Card(
            uuid=_text(pynvml.nvmlDeviceGetUUID(handle)),
            model=_text(pynvml.nvmlDeviceGetName(handle)),
            vram_bytes=int(pynvml.nvmlDeviceGetMemoryInfo(handle).total),
            driver=driver,
            slices=_slices(handle),
            exclusive=mode == pynvml.NVML_COMPUTEMODE_EXCLUSIVE_PROCESS,
        )
    except pynvml.NVMLError as error:
        logger.warning("GPU does not answer", extra={"index": index, "error": str(error)})
        return None


def _slices(card: Any) -> tuple[Slice, ...] | None:
    off = (pynvml.NVML_DEVICE_MIG_DISABLE, pynvml.NVML_DEVICE_MIG_DISABLE)
    current, _ = _if_supported(lambda: pynvml.nvmlDeviceGetMigMode(card), missing=off)
    if current != pynvml.NVML_DEVICE_MIG_ENABLE:
        return None
    found = []
    for index in range(pynvml.nvmlDeviceGetMaxMigDeviceCount(card)):
        try:
            handle = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(card, index)
        except pynvml.NVMLError_NotFound:
            # The host has not cut this one.
            continue
        found.append(
            Slice(
                uuid=_text(pynvml.nvmlDeviceGetUUID(handle)),
                model=_text(pynvml.nvmlDeviceGetName(handle)),
                vram_bytes=int(pynvml.nvmlDeviceGetMemoryInfo(handle).total),
            )
        )
    return tuple(found)


def _if_supported(ask: Callable[[], Answer], *, missing: Answer) -> Answer:
    """Return the answer; ``missing`` where a card of this kind has no such thing."""
    try:
        return ask()
    except (pynvml.NVMLError_NotSupported, pynvml.NVMLError_FunctionNotFound):
        return missing


@contextlib.contextmanager
def _library() -> Iterator[None]:
    pynvml.nvmlInit()
    try:
        yield
    finally:
        pynvml.nvmlShutdown()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
