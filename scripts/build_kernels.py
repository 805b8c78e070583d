"""This will compile the GPU kernels to PTX, the same bits wherever it runs.

``python -m scripts.build_kernels`` writes them beside their source with a manifest of SHA-256;
``--check`` only compares. It needs the pinned package of NVIDIA's runtime compiler, no GPU and no
driver. The PTX declares the oldest version and target that has all of its instructions, so that old
drivers load it too; ``--assemble`` shows what ``ptxas`` makes of it, where that is installed.
"""

import argparse
import ctypes
import hashlib
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "prover" / "kernels"
#: one text for the compiler, in this order
SOURCES = ("proof.cu", "multiply.cu")
MANIFEST = FOLDER / "manifest.json"
COMPILER = "nvidia-cuda-nvrtc-cu11"
#: of ``uselocale``: whatever the whole process has. Source: locale.h of glibc
_LC_GLOBAL_LOCALE = ctypes.c_void_p(-1)


@dataclass(frozen=True, slots=True)
class Module:
    """One PTX module: what it is compiled for and what it declares to need."""

    name: str
    compute: str
    #: the first PTX version with shfl.sync and dp4a; ldmatrix and int8 mma; cp.async and m16n8k32.
    #: Source: PTX ISA 8.8, "PTX ISA Notes" of each instruction, read 2026-11-21
    version: str
    target: str
    #: what ``--assemble`` tries
    chips: tuple[str, ...]


MODULES = (
    Module("base", "compute_61", "6.0", "sm_61", ("61", "70", "75", "80", "86", "89", "90")),
    Module("mma75", "compute_75", "6.5", "sm_75", ("75", "80", "86", "89", "90")),
    Module("mma80", "compute_80", "7.0", "sm_80", ("80", "86", "89", "90")),
)
#: of Blackwell, that the drivers' own compiler knows
NEWER_CHIPS = ("100", "103", "120", "121")


def build() -> dict[str, str]:
    """Return the PTX text of each module."""
    source = b"".join((FOLDER / name).read_bytes() for name in SOURCES)
    return {module.name: _lowered(_compiled(source, module), module) for module in MODULES}


def manifest(built: dict[str, str]) -> str:
    """Return what was made of which source with which compiler, as JSON."""
    content = {
        "compiler": f"{COMPILER} {importlib.metadata.version(COMPILER)}",
        **{name: hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() for name in SOURCES},
        **{
            f"{name}.ptx": hashlib.sha256(text.encode()).hexdigest() for name, text in built.items()
        },
    }
    return json.dumps(content, indent=1) + "\n"


def _compiled(source: bytes, module: Module) -> str:
    library = _compiler()
    program = ctypes.c_void_p()
    handle = ctypes.byref(program)
    _check(library.nvrtcCreateProgram(handle, source, b"proof.cu", 0, None, None))
    options = (f"--gpu-architecture={module.compute}", f"-DMODULE_{module.name.upper()}")
    encoded = [option.encode() for option in options]
    given = (ctypes.c_char_p * len(encoded))(*encoded)
    failed = library.nvrtcCompileProgram(program, len(encoded), given)
    # It leaves the thread with a locale of its own, in which Python reads files as ASCII.
    ctypes.CDLL(None).uselocale(_LC_GLOBAL_LOCALE)
    said = _text(library, "ProgramLog", program)
    if failed or said.strip():
        raise SystemExit(f"{module.name}: {said}")
    return _text(library, "PTX", program)


def _compiler() -> ctypes.CDLL:
    files = importlib.metadata.files(COMPILER) or []
    (path,) = (file for file in files if re.match(r"libnvrtc\.so\.", file.name))
    return ctypes.CDLL(str(path.locate()))


def _text(library: ctypes.CDLL, what: str, program: ctypes.c_void_p) -> str:
    size = ctypes.c_size_t()
    _check(getattr(library, f"nvrtcGet{what}Size")(program, ctypes.byref(size)))
    text = ctypes.create_string_buffer(size.value)
    _check(getattr(library, f"nvrtcGet{what}")(program, text))
    return text.value.decode()


def _check(code: int) -> None:
    if code:
        raise SystemExit(f"NVRTC failed with error {code}.")


def _lowered(ptx: str, module: Module) -> str:
    """Return the PTX without comments and needless blanks, declared for older drivers."""
    ptx = re.sub(r"//[^\n]*", "", ptx)
    ptx = re.sub(r"\.version [\d.]+", f".version {module.version}", ptx)
    ptx = re.sub(r"\.target sm_\d+", f".target {module.target}", ptx)
    ptx = re.sub(r"[ \t]+", " ", ptx)
    ptx = re.sub(r" ?\n ?", "\n", ptx)
    ptx = re.sub(r"\n+", "\n", ptx)
    return ptx.replace(", ", ",").strip() + "\n"


def assemble(built: dict[str, str], ptxas: str) -> int:
    """Print what ``ptxas`` makes of each module for each chip; return how many it refuses."""
    refused = 0
    with tempfile.TemporaryDirectory() as folder:
        for module in MODULES:
            file = Path(folder, f"{module.name}.ptx")
            file.write_text(built[module.name])
            for chip in module.chips + NEWER_CHIPS:
                command = [ptxas, "-v", f"-arch=sm_{chip}", "-o", "/dev/null", str(file)]
                ran = subprocess.run(command, capture_output=True, text=True, check=False)
                said = ran.stderr.strip()
                registers = [int(each) for each in re.findall(r"Used (\d+) registers", said)]
                spilled = [int(each) for each in re.findall(r"(\d+) bytes spill stores", said)]
                result = f"registers {registers}, spilled bytes {sum(spilled)}"
                print(f"{module.name} sm_{chip}: {said[:200] if ran.returncode else result}")
                refused += ran.returncode != 0
    return refused


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 when different")
    parser.add_argument("--assemble", action="store_true", help="show what ptxas makes of them")
    options = parser.parse_args(arguments)
    built = build()
    if options.assemble:
        ptxas = shutil.which("ptxas")
        if ptxas is None:
            raise SystemExit("There is no ptxas.")
        assemble(built, ptxas)
        return 0
    if options.check:
        return int(not MANIFEST.exists() or MANIFEST.read_text() != manifest(built))
    for name, text in built.items():
        (FOLDER / f"{name}.ptx.z").write_bytes(zlib.compress(text.encode(), 9))
    MANIFEST.write_text(manifest(built))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
