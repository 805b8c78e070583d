"""This will make the image that proofs run in: this machine's own Python and the prover, no more.

Nothing is fetched. The interpreter, its standard library, what they load and the loader keep their
paths, so that they find each other; the image has no shell, no other program and no link.
"""

import hashlib
import importlib.util
import io
import os
import re
import sys
import sysconfig
import tarfile
import tempfile
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from miner_agent.command import CommandFailed, run
from miner_agent.engine import Engine

#: raise it when this file changes what an image contains
BUILDER = "1"
#: Its value is the digest of what an image is made of; the machine's name follows, so that agents
#: of two machines on one engine leave each other's alone.
LABEL = "berth.proof.parts"
PROGRAM = "/prover"
#: of the standard library, what no prover needs and is large
LEFT_OUT = frozenset(
    {
        *("__pycache__", "dist-packages", "distutils", "ensurepip", "idlelib", "lib2to3"),
        *("pydoc_data", "site-packages", "test", "tests", "tkinter", "turtledemo", "unittest"),
    }
)
#: what an NVIDIA driver's library loads beside what Python does
LOADED_LATER = ("libdl.so.2", "libm.so.6", "libpthread.so.0", "librt.so.1")
#: where drivers' libraries are put into a container
DRIVERS = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib")
LOADED = re.compile(r"(?:=> )?(/\S+) \(0x")
LDD_CHARACTERS_MOST = 1 << 20


class ImageFailed(Exception):
    """The image cannot be made here; the sentence is for the host."""


@dataclass(frozen=True, slots=True)
class Runs:
    """An image and the command that starts the prover in it, which takes the prover's options."""

    image_id: str
    command: tuple[str, ...]


class ProofImage:
    """The image, made at its first use and found again by its label."""

    def __init__(self, engine: Engine, *, machine: str, program: bytes) -> None:
        self._engine = engine
        self._label = f"{LABEL}.{machine}"
        self._program = program
        self._lock = threading.Lock()
        self._files: dict[str, Path] | None = None
        self._digest = ""
        self._command: tuple[str, ...] = ()

    def ready(self) -> Runs:
        """Return the image, making it where there is none; older ones go.

        :raises ImageFailed: when this machine's Python cannot be looked through.
        :raises EngineRefused, EngineUnavailable: when Docker does not take it.
        """
        with self._lock:
            if not self._digest:
                self._look()
            found = self._engine.images(label=f"{self._label}={self._digest}")
            if found:
                return Runs(str(found[0]["Id"]), self._command)
            made = self._make()
            for old in self._engine.images(label=self._label):
                if old["Id"] != made:
                    self._engine.remove_image(old["Id"])
            return Runs(made, self._command)

    def remove(self) -> None:
        """Remove every image of this kind that no container needs."""
        for one in self._engine.images(label=self._label):
            self._engine.remove_image(one["Id"])

    def _look(self) -> None:
        """Find out what the image is made of. What is installed is looked at once."""
        interpreter = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
        library = Path(os.__file__).parent
        extensions = _extensions(library)
        try:
            loader, libraries = _loaded([interpreter, *extensions])
        except CommandFailed as error:
            raise ImageFailed(f"This machine's Python cannot be looked through: {error}") from error
        files = [interpreter, *_sources(library), *extensions, *libraries]
        folders = dict.fromkeys([*DRIVERS, *(str(path.parent) for path in libraries)])
        command = [str(interpreter), "-I", "-S", PROGRAM]
        if loader is not None:
            # By its option: a variable would also move programs of the host that start containers.
            files.append(loader)
            command = [str(loader), "--library-path", ":".join(folders), *command]
        self._files = {str(path): path for path in files}
        self._command = tuple(command)
        digest = hashlib.sha256(f"{BUILDER}\n{command}\n".encode() + self._program)
        for name, path in sorted(self._files.items()):
            digest.update(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
        self._digest = digest.hexdigest()

    def _make(self) -> str:
        with tempfile.TemporaryFile() as archive:
            self._write(archive)
            archive.seek(0)
            return self._engine.import_image(
                archive, changes=[f"LABEL {self._label}={self._digest}"]
            )

    def _write(self, archive: IO[bytes]) -> None:
        with tarfile.open(fileobj=archive, mode="w") as packed:
            # What anybody may look into, whatever the folders of this machine's own are.
            for folder in _folders(self._files or {}):
                entry = tarfile.TarInfo(folder.lstrip("/"))
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                packed.addfile(entry)
            for name, path in sorted((self._files or {}).items()):
                # A compiled module is good for a source of exactly this time.
                _add(packed, name, path.read_bytes(), written_s=int(path.stat().st_mtime))
            _add(packed, PROGRAM, self._program, written_s=0)


def _sources(library: Path) -> Iterable[Path]:
    """Return every module of the standard library, with its compiled form where there is one."""
    for folder, below, names in os.walk(library):
        below[:] = sorted(name for name in below if not _is_left_out(name))
        for name in sorted(names):
            path = Path(folder, name)
            if path.suffix == ".py":
                yield path
                compiled = Path(importlib.util.cache_from_source(str(path)))
                if compiled.exists():
                    yield compiled


def _is_left_out(folder: str) -> bool:
    return folder in LEFT_OUT or folder.startswith("config-")


def _extensions(library: Path) -> list[Path]:
    told = sysconfig.get_config_var("DESTSHARED")
    folders = {library / "lib-dynload", *([Path(told)] if told else [])}
    return sorted({path.resolve() for folder in folders for path in folder.glob("*.so")})


def _loaded(programs: Iterable[Path]) -> tuple[Path | None, list[Path]]:
    """Return the loader, None where there is none, and every library that these load."""
    said = run(["ldd", *map(str, programs)], characters_most=LDD_CHARACTERS_MOST)
    found = {Path(match) for match in LOADED.findall(said)}
    loaders = [path for path in found if path.name.startswith("ld-")]
    beside = {path.parent / name for path in found for name in LOADED_LATER}
    libraries = {path for path in found | beside if path.exists()} - set(loaders)
    return (loaders[0] if loaders else None), sorted(libraries)


def _folders(files: Iterable[str]) -> list[str]:
    return sorted({str(parent) for name in files for parent in Path(name).parents} - {"/"})


def _add(packed: tarfile.TarFile, name: str, content: bytes, *, written_s: int) -> None:
    entry = tarfile.TarInfo(name.lstrip("/"))
    entry.size, entry.mode, entry.mtime = len(content), 0o755, written_s
    packed.addfile(entry, io.BytesIO(content))
