"""This will build the access kit: this machine's own OpenSSH, made to run inside any image.

The distribution's sshd, sftp-server, scp and rsync are copied with their libraries and their
loader and told to look for them under ``/.access``; PID 1 and a shell are static. A kit is
read-only and named by what it is made of, so that a rental keeps the one it started with and a
security update of the distribution makes another one. The same parts give the same bytes.
"""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path

from miner_agent.access import sshd
from miner_agent.command import CommandFailed, run
from miner_agent.domain.container_spec import KIT_INSIDE

#: raise it when this file changes what a kit contains
BUILDER = "2"
SOURCES = Path(__file__).parent
INIT_SOURCES = ("init.c", "account.c")
SESSION_SOURCE = "session.c"
HEADERS = ("account.h",)
SESSION_LIBRARY = "session.so"
#: name in the kit -> where Debian puts it and in which package
PROGRAMS = {
    "sshd": ("/usr/sbin/sshd", "openssh-server"),
    "sftp-server": ("/usr/lib/openssh/sftp-server", "openssh-sftp-server"),
    "bin/scp": ("/usr/bin/scp", "openssh-client"),
    "bin/rsync": ("/usr/bin/rsync", "rsync"),
}
#: what sshd is more than one program of, since OpenSSH 9.8
LATER_PROGRAMS = {
    "sshd-session": ("/usr/lib/openssh/sshd-session", "openssh-server"),
    "sshd-auth": ("/usr/lib/openssh/sshd-auth", "openssh-server"),
}
SHELL = ("/bin/busybox", "busybox-static")
#: a kit, or one that is being built
NAME = re.compile(r"[0-9a-f]{16}|part-.+")
COMPILERS = ("musl-gcc", "gcc")
#: the text that a kit's name is the digest of
PARTS = "parts"


class KitMissing(Exception):
    """A program that the kit is made from is not installed; the sentence names the package."""


def missing() -> tuple[str, ...]:
    """Return the Debian packages that have to be installed before a kit can be built."""
    wanted = [*PROGRAMS.values(), SHELL]
    packages = [package for path, package in wanted if not Path(path).exists()]
    if shutil.which("patchelf") is None:
        packages.append("patchelf")
    if _compiler() is None:
        packages.append("musl-tools")
    return tuple(packages)


def build(directory: Path) -> Path:
    """Return the kit made of what is installed now, building it where there is none yet.

    Only the building needs a compiler.

    :raises KitMissing: when a program is not installed or cannot be relocated.
    """
    absent = [package for path, package in (*PROGRAMS.values(), SHELL) if not Path(path).exists()]
    _refuse(absent)
    try:
        parts = _parts()
        kit = directory / hashlib.sha256(parts.encode()).hexdigest()[:16]
        if kit.is_dir():
            return kit
        _refuse(missing())
        _make(kit, parts)
    except CommandFailed as error:
        raise KitMissing(f"The access kit could not be built: {error}") from error
    return kit


def prune(directory: Path, *, used: Collection[str]) -> None:
    """Remove the kits that nothing in ``used`` names, and what a killed build left."""
    for path in directory.iterdir() if directory.is_dir() else ():
        if NAME.fullmatch(path.name) and str(path) not in used:
            shutil.rmtree(path, ignore_errors=True)


def _refuse(packages: Collection[str]) -> None:
    if packages:
        raise KitMissing(f"Install these packages first: {' '.join(packages)}.")


def _compiler() -> str | None:
    return next((name for name in COMPILERS if shutil.which(name)), None)


def _programs() -> dict[str, str]:
    later = {name: one for name, one in LATER_PROGRAMS.items() if Path(one[0]).exists()}
    return {name: path for name, (path, _) in (PROGRAMS | later).items()}


def _parts() -> str:
    """Return one line for each part: its digest and where it is from. Libraries are parts too."""
    programs = list(_programs().values())
    libraries = {path for program in programs for path in _libraries(program)}
    sources = [str(SOURCES / name) for name in (*INIT_SOURCES, *HEADERS, SESSION_SOURCE)]
    lines = [f"builder {BUILDER}"]
    for path in (*programs, *sorted(libraries), SHELL[0], *sources, sshd.__file__):
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        # Our own files are the same wherever they are installed.
        own = Path(path).is_relative_to(SOURCES)
        lines.append(f"{digest} {Path(path).name if own else path}")
    return "".join(f"{line}\n" for line in lines)


def _libraries(program: str) -> list[str]:
    """Return what the program loads, its loader among them."""
    return sorted(set(re.findall(r"/\S+\.so\S*", run(["ldd", program]))))


def _make(kit: Path, parts: str) -> None:
    kit.parent.mkdir(parents=True, exist_ok=True)
    # Built under another name and renamed: a directory with a kit's name is always whole.
    part = Path(tempfile.mkdtemp(prefix="part-", dir=kit.parent))
    try:
        _fill(part)
        (part / PARTS).write_text(parts)
        for path in (part, *part.rglob("*")):
            path.chmod(0o755)
        part.rename(kit)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _fill(part: Path) -> None:
    (part / "lib").mkdir()
    (part / "bin").mkdir()
    programs = _programs()
    for name, source in programs.items():
        shutil.copyfile(source, part / name)
        _relocate(part / name, source, libraries=part / "lib")
    shutil.copyfile(SHELL[0], part / "sh")
    os.link(part / "sh", part / "busybox")
    (part / "sshd_config").write_text(sshd.settings(is_split="sshd-session" in programs))
    compiler = [_compiler() or COMPILERS[0], "-Os", "-s", "-Wall", "-o"]
    init = [str(SOURCES / name) for name in INIT_SOURCES]
    run([*compiler, str(part / "init"), "-static", *init])
    library = [str(part / "lib" / SESSION_LIBRARY), "-shared", "-fPIC", "-nostdlib"]
    run([*compiler, *library, str(SOURCES / SESSION_SOURCE)])


def _relocate(program: Path, source: str, *, libraries: Path) -> None:
    paths = _libraries(source)
    loaders = [Path(path).name for path in paths if Path(path).name.startswith("ld-")]
    if not loaders:
        raise CommandFailed(f"{program.name} names no loader.")
    for path in paths:
        shutil.copyfile(path, libraries / Path(path).name)
    search = ("--set-rpath", f"{KIT_INSIDE}/lib", "--force-rpath")
    run(["patchelf", "--set-interpreter", f"{KIT_INSIDE}/lib/{loaders[0]}", *search, str(program)])
    if program.name in ("sshd", "sshd-session"):
        run(["patchelf", "--add-needed", SESSION_LIBRARY, str(program)])
