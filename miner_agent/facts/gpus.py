"""This will list the machine's NVIDIA GPUs through NVML; without a driver there are none."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pynvml

from protocol.hardware import Gpu


def read_gpus() -> tuple[Gpu, ...]:
    """Return every GPU that NVML shows, in its order."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(_library())
        except pynvml.NVMLError:
            return ()
        driver = _text(pynvml.nvmlSystemGetDriverVersion())
        handles = (
            pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())
        )
        return tuple(
            Gpu(
                uuid=_text(pynvml.nvmlDeviceGetUUID(handle)),
                model=_text(pynvml.nvmlDeviceGetName(handle)),
                vram_bytes=int(pynvml.nvmlDeviceGetMemoryInfo(handle).total),
                driver=driver,
            )
            for handle in handles
        )


@contextlib.contextmanager
def _library() -> Iterator[None]:
    pynvml.nvmlInit()
    try:
        yield
    finally:
        pynvml.nvmlShutdown()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
