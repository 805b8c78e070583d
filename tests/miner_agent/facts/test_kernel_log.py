"""The machine's real log, where this process may read it, and one that nobody may."""

from pathlib import Path

from miner_agent.domain.kernel_log import read
from miner_agent.facts.kernel_log import KernelLog


def test_each_look_reads_what_is_new_and_never_waits(tmp_path: Path) -> None:
    file = tmp_path / "kmsg"
    file.write_text("6,1,1,-;first\n")
    log = KernelLog(file)
    assert list(log.records()) == ["6,1,1,-;first\n"]
    assert list(log.records()) == []
    with file.open("a") as more:
        more.write("6,2,1,-;second\n")
    assert list(log.records()) == ["6,2,1,-;second\n"]
    log.close()
    (both,) = log.records()
    assert "first" in both
    log.close()


def test_the_kernels_own_log_is_read_to_its_end() -> None:
    log = KernelLog()
    entries = [read(record) for record in log.records()]
    sequences = [entry.sequence for entry in entries if entry is not None]
    assert len(sequences) == len(entries)
    assert sequences == sorted(set(sequences))
    log.close()


def test_a_log_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    log = KernelLog(tmp_path / "none")
    assert not log.is_readable
    assert list(log.records()) == []
