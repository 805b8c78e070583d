"""This will say which known ways out of a container a release of runc leaves open."""

import re

#: (major, minor, patch, release candidate), of which a final release counts as the last one
Version = tuple[int, int, int, int]
FINAL = 1_000
#: hole -> the release of each line from which on it is closed; every later line is without it.
#: Source: GHSA-xr7r-f8xq-vfvv for the first; for the others GHSA-9493-h29p-rfm2,
#: GHSA-qw9x-cqr3-wc7r and GHSA-cgrx-mc8f-2prm as quoted in kubernetes/kops issue 17756, read
#: 2026-11-21
CLOSED: dict[str, tuple[Version, ...]] = {
    "CVE-2024-21626": ((1, 1, 12, FINAL),),
    "CVE-2025-31133": ((1, 2, 8, FINAL), (1, 3, 3, FINAL), (1, 4, 0, 3)),
    "CVE-2025-52565": ((1, 2, 8, FINAL), (1, 3, 3, FINAL), (1, 4, 0, 3)),
    "CVE-2025-52881": ((1, 2, 8, FINAL), (1, 3, 3, FINAL), (1, 4, 0, 3)),
}
PATTERN = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:[-~+]rc[.-]?(\d+))?")


def open_holes(version: str) -> tuple[str, ...]:
    """Return what this release leaves open; nothing where the version cannot be read.

    Distributions mend older releases under their old number: it is a reason to look, no proof.
    """
    match = PATTERN.match(version)
    if match is None:
        return ()
    major, minor, patch = int(match[1]), int(match[2]), int(match[3])
    release = (major, minor, patch, int(match[4]) if match[4] else FINAL)
    return tuple(hole for hole, closed in CLOSED.items() if not _is_closed(release, closed))


def _is_closed(release: Version, closed: tuple[Version, ...]) -> bool:
    if release[:2] > closed[-1][:2]:
        return True
    return any(release[:2] == first[:2] and release >= first for first in closed)
