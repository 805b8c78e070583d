"""This will install Debian packages so that no service they bring is started or enabled."""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

POLICY = Path("/usr/sbin/policy-rc.d")
POLICY_TEXT = "#!/bin/sh\n# Berth installs packages: no service may start.\nexit 101\n"
#: what systemd starts with the machine
ENABLED = Path("/etc/systemd/system")
ENABLED_PATTERNS = ("multi-user.target.wants/*.service", "sockets.target.wants/*.socket")
QUIET = {"DEBIAN_FRONTEND": "noninteractive"}
#: another apt, such as the nightly upgrade, may be at work
LOCK_S_MAX = 300

#: runs a command with changes to the environment
Run = Callable[[Sequence[str], Mapping[str, str]], None]


class Refused(Exception):
    """Set-up can't go on; the message tells the person what to do."""


def refuse_where_impossible(packages: Sequence[str]) -> None:
    """Refuse without root or apt-get.

    :raises Refused: with the one command line that installs them.
    """
    if os.geteuid() == 0 and shutil.which("apt-get") is not None:
        return
    command = f"apt-get install -y --no-install-recommends {' '.join(packages)}"
    raise Refused(
        f"{len(packages)} Debian packages are missing. Run this as root on Debian, or before it,"
        f" as root:\n  apt-get update && {command}"
    )


def install(packages: Sequence[str], run: Run) -> None:
    """Install the packages; servers among them are neither started now nor at the next boot."""
    before = enabled_services()
    ours = forbid_service_starts()
    try:
        refresh_lists(run)
        # An installation that was interrupted is ended first, or apt-get refuses to begin.
        run(["dpkg", "--configure", "-a"], QUIET)
        wait = f"-oDPkg::Lock::Timeout={LOCK_S_MAX}"
        run(["apt-get", "-qq", "-y", wait, "--no-install-recommends", "install", *packages], QUIET)
    finally:
        if ours:
            POLICY.unlink(missing_ok=True)
        # The policy keeps services from starting now; systemd would start them with the machine.
        added = sorted(enabled_services() - before)
        if added and shutil.which("systemctl") is not None:
            run(["systemctl", "disable", *added], {})


def refresh_lists(run: Run) -> None:
    """Fetch the package lists; old ones are enough without network: the install decides."""
    try:
        run(["apt-get", "-qq", "update"], QUIET)
    except RuntimeError:
        return


def forbid_service_starts() -> bool:
    """Keep Debian from starting servers; False where somebody else's policy stays in force."""
    if POLICY.exists() and POLICY.read_text() != POLICY_TEXT:
        return False
    POLICY.write_text(POLICY_TEXT)
    POLICY.chmod(0o755)
    return True


def enabled_services() -> set[str]:
    """Return the services and sockets that start with the machine."""
    return {link.name for pattern in ENABLED_PATTERNS for link in ENABLED.glob(pattern)}
