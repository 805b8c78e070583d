"""A job's files go in and come out by their content, whatever breaks on the way."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from miner_agent import loops
from miner_agent.belongings import Belongings
from miner_agent.clock import MachineClock
from miner_agent.job_files import JobFiles
from miner_agent.market import MarketRefused, MarketUnreachable
from miner_agent.transfers import BlobBroken, HttpTransfers
from miner_agent.volumes import Volumes
from protocol.hardware import Resources
from protocol.workload import JobFile, PlacementKind, Workload
from tests.miner_agent.market import LoopbackMarket

JOB = uuid4()
LOGS = (b"said\n", b"")


class GivenUp(Exception):
    """The job is not wanted any more."""


class Faulty(LoopbackMarket):
    """Answers a few times as it should, then in other ways."""

    def __init__(self) -> None:
        self.good = 1000
        self.asked: list[str] = []
        self.broken = (500, b"out of order")
        super().__init__()

    def answer(self, path: str, headers, body: bytes, **how) -> tuple[int, bytes]:
        self.asked.append(path)
        self.good -= 1
        return super().answer(path, headers, body, **how) if self.good >= 0 else self.broken


@pytest.fixture
def market() -> Iterator[Faulty]:
    market = Faulty()
    yield market
    market.close()


@pytest.fixture
def files(market: Faulty, tmp_path: Path) -> Iterator[JobFiles]:
    transfers = HttpTransfers(
        url=market.url, key=Ed25519PrivateKey.generate(), clock=MachineClock()
    )
    files = JobFiles(tmp_path / "jobs", transfers=transfers)
    yield files
    files.remove(JOB)
    transfers.close()


def quiet(text: str) -> None:
    """Nobody listens."""


def leave(files: JobFiles, **contents: bytes) -> None:
    files.prepare(JOB)
    for name, content in contents.items():
        (files.output_folder(JOB) / name).write_bytes(content)


def test_inputs_are_fetched_once_and_cannot_be_written(market: Faulty, files: JobFiles) -> None:
    content = os.urandom(600_000)
    inputs = (market.give("model/weights", content), market.give("empty", b""))
    told: list[str] = []
    files.fetch(JOB, inputs, progress=told.append)
    files.fetch(JOB, inputs, progress=quiet)
    root = files.input_folder(JOB)
    assert (root / "model" / "weights").read_bytes() == content
    assert (root / "empty").read_bytes() == b""
    assert (root / "model" / "weights").stat().st_mode & 0o777 == 0o444
    assert len(market.asked) == 2
    assert told[0] == "fetching input 1 of 2"


def test_a_fetch_that_breaks_off_goes_on_where_it_was(market: Faulty, files: JobFiles) -> None:
    inputs = (market.give("one", b"1"), market.give("two", b"2"))
    market.good = 1
    with pytest.raises(MarketUnreachable):
        files.fetch(JOB, inputs, progress=quiet)
    assert os.listdir(files.input_folder(JOB)) == ["one"]
    market.good = 1000
    files.fetch(JOB, inputs, progress=quiet)
    assert (files.input_folder(JOB) / "two").read_bytes() == b"2"
    assert len(market.asked) == 3


@pytest.mark.parametrize("sent", [b"other", b"longer than it is", b""])
def test_what_is_not_the_file_never_becomes_an_input(
    market: Faulty, files: JobFiles, sent: bytes
) -> None:
    wanted = market.give("file", b"right")
    market.blobs[wanted.digest] = sent
    with pytest.raises(BlobBroken):
        files.fetch(JOB, (wanted,), progress=quiet)
    assert os.listdir(files.input_folder(JOB)) == []


def test_a_file_that_is_longer_than_it_says_is_not_read_to_its_end(
    market: Faulty, files: JobFiles, tmp_path: Path
) -> None:
    content = bytes(50 << 20)
    wanted = market.give("bomb", content).model_copy(update={"size_bytes": 10})
    with pytest.raises(BlobBroken, match="longer than 10 bytes"):
        files.fetch(JOB, (wanted,), progress=quiet)
    assert (tmp_path / "jobs" / str(JOB) / "part").stat().st_size <= 10


def test_an_input_that_the_marketplace_does_not_give_is_refused(
    market: Faulty, files: JobFiles
) -> None:
    unknown = JobFile(path="file", digest="0" * 64, size_bytes=1)
    with pytest.raises(MarketRefused) as refused:
        files.fetch(JOB, (unknown,), progress=quiet)
    assert refused.value.code == "blob_unknown"


def test_a_fetch_ends_when_nobody_wants_it(market: Faulty, files: JobFiles) -> None:
    wanted = market.give("file", bytes(5 << 20))
    told: list[str] = []

    def progress(text: str) -> None:
        told.append(text)
        if len(told) == 3:
            raise GivenUp

    with pytest.raises(GivenUp):
        files.fetch(JOB, (wanted,), progress=progress)
    assert os.listdir(files.input_folder(JOB)) == []


def test_outputs_and_what_was_said_are_stored_before_they_are_told(
    market: Faulty, files: JobFiles
) -> None:
    leave(files, result=b"42", copy=b"42")
    (files.output_folder(JOB) / "host").symlink_to("/etc/passwd")
    collected = files.collect(JOB, bytes_most=4, logs=LOGS)
    assert collected.problem is None
    assert [one.path for one in collected.outputs] == ["copy", "result", ".stdout", ".stderr"]
    left = market.left[str(JOB)]
    assert [left[one.digest] for one in collected.outputs] == [b"42", b"42", *LOGS]
    assert len(left) == 3


def test_a_collection_that_breaks_off_is_done_again(market: Faulty, files: JobFiles) -> None:
    leave(files, one=b"1", two=b"2")
    market.good = 1
    with pytest.raises(MarketUnreachable):
        files.collect(JOB, bytes_most=10, logs=LOGS)
    market.good = 1000
    collected = files.collect(JOB, bytes_most=10, logs=LOGS)
    assert {one.digest for one in collected.outputs} == set(market.left[str(JOB)])


def test_a_job_that_left_too_much_still_tells_what_it_said(market: Faulty, files: JobFiles) -> None:
    leave(files, result=b"12345", **{".stdout": b""})
    collected = files.collect(JOB, bytes_most=4, logs=LOGS)
    assert collected.problem is not None
    assert collected.problem.code == "outputs_too_large"
    assert [one.path for one in collected.outputs] == [".stdout", ".stderr"]


def test_holes_are_read_no_further_than_the_jobs_disk_is_large(
    market: Faulty, files: JobFiles, tmp_path: Path
) -> None:
    leave(files, result=b"42")
    os.truncate(files.output_folder(JOB) / "result", 20 << 20)
    resources = Resources.of(cpus=1, ram_bytes=1 << 30, disk_bytes=10 << 20)
    workload = Workload(
        kind=PlacementKind.JOB, image="one", resources=resources, outputs_bytes_max=1 << 40
    )
    volumes = Volumes(path=":memory:", directory=tmp_path / "volumes")
    belongings = Belongings(volumes=volumes, job_files=files)
    collected = belongings.collect(JOB, workload, logs=LOGS, goes_on=lambda: None)
    volumes.close()
    assert collected.problem is not None
    assert collected.problem.code == "outputs_too_large"


def test_a_file_called_like_what_was_said_does_not_stand_in_for_it(
    market: Faulty, files: JobFiles
) -> None:
    leave(files, **{".stdout": b"forged"})
    (stdout, _) = files.collect(JOB, bytes_most=10, logs=LOGS).outputs
    assert stdout.digest == hashlib.sha256(LOGS[0]).hexdigest()


def test_outputs_are_on_the_jobs_own_disk_and_nothing_of_them_stays(
    files: JobFiles, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    for _ in range(2):
        files.mount_output(JOB, disk)
    folder = files.output_folder(JOB)
    (folder / "result").write_text("42")
    assert (disk / "output" / "result").read_text() == "42"
    assert folder.stat().st_mode & 0o7777 == 0o1777
    (mount,) = [line for line in loops.MOUNTS.read_text().splitlines() if str(folder) in line]
    assert {"nosuid", "nodev"} <= set(mount.split()[5].split(","))
    assert files.traces() == {JOB}
    for _ in range(2):
        files.remove(JOB)
    assert files.traces() == frozenset()
    # The disk is not ours to clear.
    assert (disk / "output" / "result").exists()
