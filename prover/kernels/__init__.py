"""This will hold the GPU kernels, compiled. ``scripts/build_kernels.py`` makes them of proof.cu."""

import pkgutil
import zlib

#: read at once: a prover that has given up its rights may not open its own file again
_PACKED = {name: pkgutil.get_data(__name__, f"{name}.ptx.z") for name in ("base", "mma75", "mma80")}


def ptx(module: str) -> bytes:
    """Return the PTX text of ``base``, ``mma75`` or ``mma80``, ended as the driver wants it."""
    packed = _PACKED[module]
    if packed is None:
        raise FileNotFoundError(f"The kernels of {module} are missing.")
    return zlib.decompress(packed) + b"\0"
