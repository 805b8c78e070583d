"""This will build the access kit: this machine's own OpenSSH, made to run inside any image.

The distribution's sshd, sftp-server, scp and rsync are copied with their libraries and their
loader and told to look for them under ``/.access``; PID 1 and a shell are static. A kit is
read-only and named by its content, so that a rental keeps the one it started with.
"""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path

from miner_agent.command import CommandFailed, run
from miner_agent.domain.container_spec import KIT_INSIDE

#: raise it when this file changes what a kit contains
BUILDER = "1"
INIT_SOURCE = Path(__file__).with_name("init.c")
#: name in the kit -> where Debian puts it and in which package
PROGRAMS = {
    "sshd": ("/usr/sbin/sshd", "openssh-server"),
    "sftp-server": ("/usr/lib/openssh/sftp-server", "openssh-sftp-server"),
    "bin/scp": ("/usr/bin/scp", "openssh-client"),
    "bin/rsync": ("/usr/bin/rsync", "rsync"),
}
SHELL = ("/bin/busybox", "busybox-static")
#: a kit, or one that is being built
NAME = re.compile(r"[0-9a-f]{16}|part-.+")
COMPILERS = ("musl-gcc", "gcc")


class KitMissing(Exception):
    """A program that the kit is made from is not installed; the sentence names the package."""


def missing() -> tuple[str, ...]:
    """Return the Debian packages that have to be installed first."""
    wanted = [*PROGRAMS.values(), SHELL]
    packages = [package for path, package in wanted if not Path(path).exists()]
    if shutil.which("patchelf") is None:
        packages.append("patchelf")
    if not any(shutil.which(compiler) for compiler in COMPILERS):
        packages.append("musl-tools")
    return tuple(packages)


def build(directory: Path) -> Path:
    """Return the kit made of what is installed now, building it where there is none yet.

    :raises KitMissing: when a program is not installed or cannot be relocated.
    """
    packages = missing()
    if packages:
        raise KitMissing(f"Install these packages first: {' '.join(packages)}.")
    kit = directory / _version()
    if kit.is_dir():
        return kit
    directory.mkdir(parents=True, exist_ok=True)
    # Built under another name and renamed: a directory with a kit's name is always whole.
    part = Path(tempfile.mkdtemp(prefix="part-", dir=directory))
    try:
        _fill(part)
        part.chmod(0o755)
        part.rename(kit)
    except CommandFailed as error:
        raise KitMissing(f"The access kit could not be built: {error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return kit


def prune(directory: Path, *, used: Collection[str]) -> None:
    """Remove the kits that nothing in ``used`` names, and what a killed build left."""
    for path in directory.iterdir() if directory.is_dir() else ():
        if NAME.fullmatch(path.name) and str(path) not in used:
            shutil.rmtree(path, ignore_errors=True)


def _version() -> str:
    digest = hashlib.sha256(BUILDER.encode())
    for path in (*(path for path, _ in PROGRAMS.values()), SHELL[0], str(INIT_SOURCE)):
        digest.update(hashlib.sha256(Path(path).read_bytes()).digest())
    return digest.hexdigest()[:16]


def _fill(part: Path) -> None:
    (part / "lib").mkdir()
    (part / "bin").mkdir()
    for name, (source, _) in PROGRAMS.items():
        shutil.copy(source, part / name)
        _relocate(part / name, part / "lib")
    shutil.copy(SHELL[0], part / "sh")
    os.link(part / "sh", part / "busybox")
    compiler = next(name for name in COMPILERS if shutil.which(name))
    run([compiler, "-static", "-Os", "-s", "-Wall", "-o", str(part / "init"), str(INIT_SOURCE)])
    for path in part.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755)


def _relocate(program: Path, libraries: Path) -> None:
    listed = run(["ldd", str(program)])
    paths = sorted(set(re.findall(r"/\S+\.so\S*", listed)))
    loaders = [path for path in paths if Path(path).name.startswith("ld-")]
    if not loaders:
        raise CommandFailed(f"{program.name} names no loader.")
    for path in paths:
        copied = libraries / Path(path).name
        if not copied.exists():
            shutil.copy(path, copied)
    interpreter = f"{KIT_INSIDE}/lib/{Path(loaders[0]).name}"
    search = ("--set-rpath", f"{KIT_INSIDE}/lib", "--force-rpath")
    run(["patchelf", "--set-interpreter", interpreter, *search, str(program)])
