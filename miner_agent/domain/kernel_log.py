"""This will find what went wrong in the records of the kernel's log (``/dev/kmsg``)."""

import re
from dataclasses import dataclass
from enum import StrEnum

#: priority,sequence,microseconds since boot,flags;text
RECORD = re.compile(r"(\d+),(\d+),(\d+),[^;]*;([^\n]*)")
#: the kernel itself; what programs write to its log is marked as theirs
KERNEL = 0
# Each begins the line: programs choose their own names, and a line about one begins with its name.
XID = re.compile(r"NVRM: Xid \(PCI:([0-9a-fA-F:.]+)\): (\d+)")
OOM = re.compile(
    r"oom-kill:constraint=CONSTRAINT_(?:NONE|CPUSET|MEMORY_POLICY),.*?,task_memcg=([^,]*),task="
)
DISK = (
    re.compile(
        r"(?:blk_update_request: )?(?:critical \w+|I/O|Buffer I/O) error,? (?:on )?dev ([\w-]+)"
    ),
    re.compile(r"(?:EXT4-fs|BTRFS) (?:error|critical) \(device ([\w-]+)"),
    re.compile(
        r"XFS \(([\w-]+)\): (?:metadata I/O error|Corruption|.*shutting down)", re.IGNORECASE
    ),
    re.compile(r"nvme (nvme\d+): (?:I/O .*timeout|controller is down)"),
)


class Trouble(StrEnum):
    XID = "xid"
    #: the machine itself had no memory left, so the kernel ended a process of whoever it chose
    OOM = "oom"
    DISK = "disk"


@dataclass(frozen=True, slots=True)
class Finding:
    """One record that tells of trouble."""

    trouble: Trouble
    #: PCI address, the process's group, or the device
    subject: str
    #: since boot, by the kernel's clock
    at_ms: int
    #: of an Xid: its number
    code: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One record: its number, which only rises, and what it tells of, if of anything."""

    sequence: int
    finding: Finding | None


def read(record: str) -> Entry | None:
    """Return what one record says; None where it is no record."""
    match = RECORD.match(record)
    if match is None:
        return None
    priority, sequence, microseconds = (int(match[index]) for index in (1, 2, 3))
    finding = None
    if priority >> 3 == KERNEL:
        finding = _finding(match[4], microseconds // 1000)
    return Entry(sequence, finding)


def _finding(text: str, at_ms: int) -> Finding | None:
    if xid := XID.match(text):
        return Finding(Trouble.XID, xid[1].lower(), at_ms, int(xid[2]))
    if oom := OOM.match(text):
        return Finding(Trouble.OOM, oom[1], at_ms)
    for pattern in DISK:
        if disk := pattern.match(text):
            return Finding(Trouble.DISK, disk[1], at_ms)
    return None
