"""This will give up what this process does not need to look at machines, for good.

A machine that takes the process over finds a key for machines' doors, and nothing else: no file of
this computer but the programs', no other process, no listening port, no more memory. All of it
works without root; where the kernel is too old for a part, that part is left out and told.
"""

import ctypes
import os
import resource
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

import protocol
import validator

#: Source: gpu_verification.md 5.3 says 512 MiB for one host; this process looks at many
ADDRESS_BYTES_MAX = 2 << 30
#: seconds of processor time in the process's whole life; some 0.1 to 2 a look
PROCESSOR_S_MAX = 7_200

#: Source: Linux include/uapi/linux/landlock.h and asm-generic/unistd.h, read 2026-11
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION = 1
_PATH_BENEATH = 1
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
#: how many rights over files each version knows of
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_BIND = 1 << 0
_SCOPES = (1 << 0) | (1 << 1)
_NO_NEW_PRIVILEGES = 38

#: looking up a name needs them
_NAME_FILES = (
    *("/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf"),
    *("/etc/ld.so.cache", "/etc/localtime", "/run/systemd/resolve", "/dev/null", "/dev/urandom"),
    *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo"),
)


def confine(*, files_max: int) -> tuple[str, ...]:
    """Give up everything else; return the names of what could be given up beyond the limits."""
    _limit(files_max)
    return ("files",) if _close_files() else ()


def _limit(files_max: int) -> None:
    for what, most in (
        (resource.RLIMIT_AS, ADDRESS_BYTES_MAX),
        (resource.RLIMIT_CPU, PROCESSOR_S_MAX),
        (resource.RLIMIT_NOFILE, files_max),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        _, hard = resource.getrlimit(what)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (least, least))


def _close_files() -> bool:
    """Leave the programs' own files readable, and nothing else; False: this kernel cannot."""
    kernel = ctypes.CDLL(None, use_errno=True)
    version = kernel.syscall(_CREATE_RULESET, None, 0, _ASK_VERSION)
    if version < 1:
        return False
    rights = (1 << _FILE_RIGHTS.get(version, 16)) - 1
    # The kernel before each of these did not know the field and would refuse it.
    fields = [rights, *([_BIND] if version >= 4 else []), *([_SCOPES] if version >= 6 else [])]
    asked = struct.pack(f"{len(fields)}Q", *fields)
    rules = kernel.syscall(_CREATE_RULESET, asked, len(asked), 0)
    if rules < 0:
        return False
    try:
        for path in _readable():
            _allow(kernel, rules, path)
        # Without this the kernel lets only root give anything up.
        kernel.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        return bool(kernel.syscall(_RESTRICT_SELF, rules, 0) == 0)
    finally:
        os.close(rules)


def _readable() -> Iterable[Path]:
    # The packages and not the folder around them, in which an operator may keep keys.
    packages = [Path(folder) for package in (validator, protocol) for folder in package.__path__]
    python = [Path(folder) for folder in {sys.prefix, sys.base_prefix} if folder != "/usr"]
    libraries = [Path(folder) for folder in sys.path if folder.endswith(("-packages", "-dynload"))]
    return [*packages, *python, *libraries, *map(Path, _NAME_FILES)]


def _allow(kernel: ctypes.CDLL, rules: int, path: Path) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        rights = _READ_FILE | (_READ_FOLDER if path.is_dir() else 0)
        kernel.syscall(_ADD_RULE, rules, _PATH_BENEATH, struct.pack("=Qi", rights, place), 0)
    finally:
        os.close(place)
