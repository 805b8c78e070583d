"""What went wrong, in the kernel's own words, which no program can put in its mouth."""

import pytest

from miner_agent.domain.kernel_log import Finding, Trouble, read

GROUP = "/docker/18a312222ef8"
OOM = (
    "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=x,mems_allowed=0,global_oom,"
    f"task_memcg={GROUP},task=tail,pid=25242,uid=0"
)
TOLD = [
    ("NVRM: Xid (PCI:0000:3B:00): 79, pid=1, GPU has fallen off", Trouble.XID, "0000:3b:00", 79),
    (OOM, Trouble.OOM, GROUP, 0),
    (OOM.replace("NONE", "CPUSET"), Trouble.OOM, GROUP, 0),
    ("I/O error, dev sda, sector 99 op 0x0:(READ)", Trouble.DISK, "sda", 0),
    ("blk_update_request: I/O error, dev sdb, sector 1", Trouble.DISK, "sdb", 0),
    ("blk_update_request: critical medium error, dev sdc, sector 1", Trouble.DISK, "sdc", 0),
    ("Buffer I/O error on dev loop3, logical block 0", Trouble.DISK, "loop3", 0),
    ("EXT4-fs error (device sda1): ext4_find_entry:1", Trouble.DISK, "sda1", 0),
    ("XFS (dm-0): metadata I/O error in x", Trouble.DISK, "dm-0", 0),
    ("nvme nvme0: I/O 12 QID 3 timeout, aborting", Trouble.DISK, "nvme0", 0),
]


@pytest.mark.parametrize(("text", "trouble", "subject", "code"), TOLD)
def test_trouble_is_found(text: str, trouble: Trouble, subject: str, code: int) -> None:
    entry = read(f"3,27127,21283960157,-;{text}\n SUBSYSTEM=x\n")
    assert entry is not None
    assert entry.sequence == 27127
    assert entry.finding == Finding(trouble, subject, 21283960, code)


@pytest.mark.parametrize(("text", "trouble", "subject", "code"), TOLD)
@pytest.mark.parametrize("priority", [8 + 3, 24 + 6])
def test_a_program_that_writes_the_same_is_not_believed(
    text: str, trouble: Trouble, subject: str, code: int, priority: int
) -> None:
    entry = read(f"{priority},1,1,-;{text}\n")
    assert entry is not None
    assert entry.finding is None


@pytest.mark.parametrize(
    "text",
    [
        # of one rental's own limit: the kernel counts those by itself
        OOM.replace("NONE", "MEMCG").replace("global_oom", f"oom_memcg={GROUP}"),
        # a line about a program begins with a name that the program chose
        "NVRM: Xid (PCI[7]: segfault at 0 ip 0 sp 0 error 4",
        "evil: NVRM: Xid (PCI:0000:3b:00): 79",
        "traps: I/O error, dev[3] general protection fault",
        "veth3c65709: entered promiscuous mode",
        "",
    ],
)
def test_other_lines_are_no_trouble(text: str) -> None:
    entry = read(f"6,1,1,-;{text}\n")
    assert entry is not None
    assert entry.finding is None


@pytest.mark.parametrize("record", ["", " SUBSYSTEM=block\n", "x,1,2,-;y"])
def test_what_is_no_record_is_passed_over(record: str) -> None:
    assert read(record) is None
