"""This will say which CUDA a driver runs.

Each toolkit came with a driver branch; NVIDIA's CUDA release notes list them. No driver was asked.
"""

import re

#: the first driver that a toolkit of this version needs, newest first: 1000 x major + minor
_SINCE = (
    (590, 13_001),
    (580, 13_000),
    (575, 12_009),
    (570, 12_008),
    (565, 12_007),
    (560, 12_006),
    (555, 12_005),
    (550, 12_004),
    (545, 12_003),
    (535, 12_002),
    (530, 12_001),
    (525, 12_000),
    (520, 11_008),
    (515, 11_007),
    (510, 11_006),
    (495, 11_005),
    (470, 11_004),
    (465, 11_003),
    (460, 11_002),
    (455, 11_001),
    (450, 11_000),
)


def newest_cuda(driver: str) -> int:
    """Return the newest CUDA of a driver such as ``550.54.15``, as 1000 x major + minor; 0: none.

    A driver that is newer than this table runs at least what the newest one here does.
    """
    match = re.match(r"(\d{3})(?:\.|$)", driver, re.ASCII)
    branch = int(match[1]) if match else 0
    return next((cuda for first, cuda in _SINCE if branch >= first), 0)


def versions() -> list[int]:
    """Return the versions that a driver may run, newest first."""
    return [cuda for _, cuda in _SINCE]


def written(cuda: int) -> str:
    """Return ``12.4`` of 12004."""
    return f"{cuda // 1000}.{cuda % 1000}"
