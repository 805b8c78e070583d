"""This will speak to NVIDIA's driver through its own library, without any toolkit."""

import ctypes
from ctypes import c_char_p, c_int, c_size_t, c_ubyte, c_uint, c_void_p
from dataclasses import dataclass
from typing import Any
from uuid import UUID

LIBRARIES = (
    "libcuda.so.1",
    "/usr/lib/x86_64-linux-gnu/libcuda.so.1",
    "/usr/lib64/libcuda.so.1",
    "/usr/lib/wsl/lib/libcuda.so.1",
)
#: the driver's numbers of what a device can tell. Source: cuda.h, CUdevice_attribute
SMS, BUS_BITS, L2_BYTES, CC_MAJOR, CC_MINOR = 16, 37, 38, 75, 76
#: CU_CTX_SCHED_BLOCKING_SYNC: a thread that waits for its GPU leaves the core to the others
BLOCKING = 4

_SIGNATURES: dict[str, list[Any]] = {
    "cuInit": [c_uint],
    "cuDriverGetVersion": [c_void_p],
    "cuDeviceGetCount": [c_void_p],
    "cuDeviceGet": [c_void_p, c_int],
    "cuDeviceGetName": [c_void_p, c_int, c_int],
    "cuDeviceGetPCIBusId": [c_void_p, c_int, c_int],
    "cuDeviceTotalMem_v2": [c_void_p, c_int],
    "cuDeviceGetAttribute": [c_void_p, c_int, c_int],
    "cuDevicePrimaryCtxSetFlags_v2": [c_int, c_uint],
    "cuDevicePrimaryCtxRetain": [c_void_p, c_int],
    "cuCtxSetCurrent": [c_void_p],
    "cuCtxSynchronize": [],
    "cuModuleLoadDataEx": [c_void_p, c_void_p, c_uint, c_void_p, c_void_p],
    "cuModuleGetFunction": [c_void_p, c_void_p, c_char_p],
    "cuMemGetInfo_v2": [c_void_p, c_void_p],
    "cuMemAlloc_v2": [c_void_p, c_size_t],
    "cuMemFree_v2": [c_void_p],
    "cuMemsetD8_v2": [c_void_p, c_ubyte, c_size_t],
    "cuMemcpyHtoD_v2": [c_void_p, c_void_p, c_size_t],
    "cuMemcpyDtoH_v2": [c_void_p, c_void_p, c_size_t],
    "cuMemcpyDtoD_v2": [c_void_p, c_void_p, c_size_t],
    "cuLaunchKernel": [c_void_p] + [c_uint] * 7 + [c_void_p] * 3,
}


class CudaFailed(OSError):
    """The driver is not there, or said that something cannot be done."""


@dataclass(frozen=True)
class Device:
    """What the driver says of one device."""

    index: int
    name: str
    #: as nvidia-smi writes it, such as GPU-6f2f...
    uuid: str
    pci: str
    #: major times ten and minor: 90 for 9.0
    capability: int
    sms: int
    bus_bits: int
    l2_bytes: int
    vram_bytes: int


class Driver:
    """The driver's library, loaded and started."""

    def __init__(self) -> None:
        self._library = _load()
        for name, types in _SIGNATURES.items():
            function = getattr(self._library, name, None)
            if function is None:
                raise CudaFailed(f"The driver has no {name}.")
            function.argtypes, function.restype = types, c_int
        self.call("cuInit", 0)

    def call(self, name: str, *arguments: Any) -> None:
        """Call one of the driver's functions.

        :raises CudaFailed: when it returns an error.
        """
        code = getattr(self._library, name)(*arguments)
        if code:
            raise CudaFailed(code, f"{name} failed with CUDA error {code}.")

    def number(self, name: str, *arguments: Any) -> int:
        """Return the integer that a function writes into its first argument."""
        value = c_int()
        self.call(name, ctypes.byref(value), *arguments)
        return value.value

    def version(self) -> int:
        """Return the newest CUDA that the driver knows: 12040 for 12.4."""
        return self.number("cuDriverGetVersion")

    def devices(self) -> list[Device]:
        """Return all devices that the driver shows to this process."""
        return [self._device(index) for index in range(self.number("cuDeviceGetCount"))]

    def _device(self, index: int) -> Device:
        device = self.number("cuDeviceGet", index)
        memory = c_size_t()
        self.call("cuDeviceTotalMem_v2", ctypes.byref(memory), device)

        def attribute(which: int) -> int:
            return self.number("cuDeviceGetAttribute", which, device)

        return Device(
            index=index,
            name=self._text("cuDeviceGetName", device),
            uuid=self._uuid(device),
            pci=self._text("cuDeviceGetPCIBusId", device),
            capability=attribute(CC_MAJOR) * 10 + attribute(CC_MINOR),
            sms=attribute(SMS),
            bus_bits=attribute(BUS_BITS),
            l2_bytes=attribute(L2_BYTES),
            vram_bytes=memory.value,
        )

    def _text(self, name: str, device: int) -> str:
        text = ctypes.create_string_buffer(128)
        self.call(name, text, len(text), device)
        return text.value.decode("ascii", "replace")

    def _uuid(self, device: int) -> str:
        # The newer one tells a slice from its card; drivers before CUDA 11.4 have the other only.
        newer = hasattr(self._library, "cuDeviceGetUuid_v2")
        content = ctypes.create_string_buffer(16)
        self.call("cuDeviceGetUuid_v2" if newer else "cuDeviceGetUuid", content, device)
        return f"GPU-{UUID(bytes=content.raw)}"


def _load() -> ctypes.CDLL:
    for name in LIBRARIES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise CudaFailed("There is no libcuda.so.1: install NVIDIA's driver.")
