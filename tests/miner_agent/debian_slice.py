"""A Debian-like file system in a second: files of this machine's own installed packages."""

import os
import re
import subprocess
import tarfile
from collections.abc import Iterator

FIELDS = "${Package}\t${Pre-Depends}, ${Depends}\t${Provides}\n"
#: in no package, and programs look for them
EXTRA = ("/bin", "/sbin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/profile", "/etc/profile.d")
LEFT_OUT = ("/usr/share/doc", "/usr/share/man", "/usr/share/locale", "/usr/share/info")


def add(archive: tarfile.TarFile, *packages: str) -> None:
    """Put the packages and all that they need into the archive."""
    for path in _files(packages):
        archive.add(path, path.lstrip("/"), recursive=False)


def _files(packages: tuple[str, ...]) -> Iterator[str]:
    listed = _told("dpkg", "-L", *sorted(_closure(packages))).splitlines()
    # Packages still name /bin/bash, which is /usr/bin/bash.
    real = {
        os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        for path in listed
        if path.startswith("/") and path != "/."
    }
    for path in sorted(real.union(EXTRA)):
        if os.path.lexists(path) and not path.startswith(LEFT_OUT):
            yield path


def _closure(packages: tuple[str, ...]) -> set[str]:
    """Return the packages with what they need, of alternatives the one that is installed."""
    needs: dict[str, list[list[str]]] = {}
    givers: dict[str, str] = {}
    for line in _told("dpkg-query", "-W", "-f", FIELDS).splitlines():
        package, wanted, given = line.split("\t")
        needs[package] = [_names(group, "|") for group in wanted.split(",")]
        givers.update((name, package) for name in _names(given, ","))
    found: set[str] = set()
    waiting = list(packages)
    while waiting:
        name = waiting.pop()
        package = name if name in needs else givers.get(name, "")
        if package and package not in found:
            found.add(package)
            known = (
                [one for one in group if one in needs or one in givers] for group in needs[package]
            )
            waiting += [group[0] for group in known if group]
    return found


def _names(text: str, divider: str) -> list[str]:
    return [name for one in text.split(divider) if (name := re.sub(r"[:( ].*", "", one.strip()))]


def _told(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
