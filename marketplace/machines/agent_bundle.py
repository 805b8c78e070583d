"""This will pack the agent for hosts' machines, of the very tree that this site runs.

It is read as files, never imported: the programs share only ``protocol``. The same tree gives the
same bytes in every process, so that any of them serves what another's script named.
"""

import base64
import gzip
import hashlib
import io
import logging
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings

#: what the agent's program is made of
FOLDERS = ("miner_agent", "prover", "protocol")
#: of the files that are part of it; what an editor or a build left beside them is not
SUFFIXES = frozenset({".c", ".cu", ".h", ".json", ".py", ".service", ".z"})
PROJECT = "pyproject.toml"
#: what it needs besides, pinned with hashes
PINS = "requirements/agent.txt"
EXTRA = "agent"
#: the name of the pins within the bundle
PINS_NAME = "requirements.txt"
SCRIPT = "berth-agent"
#: five times what it takes now: a folder that somebody filled is noticed before hosts fetch it
BYTES_MAX = 2 << 20
#: of every file in it: when a tree was copied says nothing about what it holds
MADE = (1980, 1, 1, 0, 0, 0)
MODE = 0o644

logger = logging.getLogger(__name__)


class BundleTooLarge(Exception):
    """The tree holds what is no part of the agent."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A packed tar archive of a wheel and the pins of what it needs."""

    content: bytes
    #: of the content, in hexadecimal
    sha256: str
    #: the wheel's file name, which installers want as it is
    wheel: str


@cache
def bundle() -> Bundle | None:
    """Return this site's bundle, made at the first call: in a fifth of a second.

    None: it could not be packed, and is not tried again: by then the files may be another release's
    (asgi.py calls it as a web process starts). New hosts alone need it; all else is served.
    """
    try:
        return pack(Path(settings.ROOT))
    except Exception:
        logger.exception("Agent's bundle not packed")
        return None


def pack(tree: Path) -> Bundle:
    """Return the bundle of a tree.

    :raises BundleTooLarge: when the tree holds more than any agent.
    """
    project = tomllib.loads((tree / PROJECT).read_text())["project"]
    name = f"{project['name']}-{project['version']}"
    packed = io.BytesIO()
    # Python writes the moment into what it packs, unless it is told one.
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", filename="", mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        wheel = f"{name}-py3-none-any.whl"
        _add(archive, wheel, _wheel(tree, name, project))
        _add(archive, PINS_NAME, (tree / PINS).read_bytes())
    content = packed.getvalue()
    if len(content) > BYTES_MAX:
        raise BundleTooLarge(f"The agent's bundle has {len(content)} bytes.")
    return Bundle(content, hashlib.sha256(content).hexdigest(), wheel)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), MODE
    archive.addfile(entry, io.BytesIO(content))


def _wheel(tree: Path, name: str, project: Mapping[str, Any]) -> bytes:
    """Return what pip installs. Source: PyPA, "Binary distribution format", read 2026-11-23."""
    info = f"{name}.dist-info"
    files = dict(_sources(tree))
    files[f"{info}/METADATA"] = _metadata(project).encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    starts = f"[console_scripts]\n{SCRIPT} = {project['scripts'][SCRIPT]}\n"
    files[f"{info}/entry_points.txt"] = starts.encode()
    record = "".join(f"{path},{_told(content)}\n" for path, content in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, content in files.items():
            entry = zipfile.ZipInfo(path, MADE)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, MODE << 16
            archive.writestr(entry, content)
    return packed.getvalue()


def _sources(tree: Path) -> Iterator[tuple[str, bytes]]:
    for folder in FOLDERS:
        for path in sorted((tree / folder).rglob("*")):
            inside = path.relative_to(tree)
            left_out = any(part == "__pycache__" or part.startswith(".") for part in inside.parts)
            is_part = path.suffix in SUFFIXES and path.is_file() and not path.is_symlink()
            if is_part and not left_out:
                yield inside.as_posix(), path.read_bytes()


def _metadata(project: Mapping[str, Any]) -> str:
    needs = [f"Requires-Dist: {one}" for one in project["dependencies"]]
    needs += [
        f'Requires-Dist: {one}; extra == "{EXTRA}"'
        for one in project["optional-dependencies"][EXTRA]
    ]
    lines = (
        "Metadata-Version: 2.1",
        f"Name: {project['name']}",
        f"Version: {project['version']}",
        f"Summary: {project['description']}",
        f"Requires-Python: {project['requires-python']}",
        f"Provides-Extra: {EXTRA}",
        *needs,
    )
    return "\n".join(lines) + "\n"


def _told(content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
    return f"sha256={digest},{len(content)}"
