"""What a hostile job leaves in its output folder leads nowhere and costs nothing."""

import os
import socket
from pathlib import Path

import pytest

from miner_agent import outputs
from miner_agent.outputs import Output, OutputsRefused

SECRET = "of the host"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "host").mkdir()
    (tmp_path / "host" / "secret").write_text(SECRET)
    root = tmp_path / "output"
    root.mkdir()
    return root


def paths(root: Path, *, files_most: int = 100, bytes_most: int = 1 << 20) -> list[str]:
    found = outputs.find(root, files_most=files_most, bytes_most=bytes_most)
    return [output.path for output in found]


def read(root: Path, path: str, size_bytes: int) -> bytes:
    with outputs.opened(root, Output(path, size_bytes)) as file:
        return file.read()


def test_files_are_found_in_order_with_their_sizes(root: Path) -> None:
    (root / "b").write_bytes(b"12")
    (root / "a" / "deep").mkdir(parents=True)
    (root / "a" / "deep" / "c").write_bytes(b"")
    (root / "a" / "empty").mkdir()
    found = outputs.find(root, files_most=2, bytes_most=2)
    assert found == (Output("a/deep/c", 0), Output("b", 2))
    assert read(root, "b", 2) == b"12"


def test_links_are_not_followed_whatever_they_are_called(root: Path) -> None:
    host = root.parent / "host"
    (root / "file").symlink_to(host / "secret")
    (root / "folder").symlink_to(host)
    (root / "climbing").symlink_to("../host/secret")
    (root / "proc").symlink_to("/proc/1/environ")
    (root / "loop").symlink_to(".")
    (root / "real").write_text("mine")
    assert paths(root) == ["real"]


@pytest.mark.parametrize("path", ["file", "folder/secret", "../host/secret", "/etc/passwd"])
def test_what_becomes_a_link_after_it_was_found_is_not_opened(root: Path, path: str) -> None:
    host = root.parent / "host"
    (root / "file").symlink_to(host / "secret")
    (root / "folder").symlink_to(host)
    with pytest.raises(OSError, match=r"Too many levels|Not a directory|no path below"):
        read(root, path, len(SECRET))


def test_a_root_that_is_a_link_is_not_entered(root: Path) -> None:
    link = root.parent / "link"
    link.symlink_to(root.parent / "host")
    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        paths(link)


def test_devices_pipes_and_sockets_are_left_out_and_keep_nobody_waiting(root: Path) -> None:
    os.mkfifo(root / "pipe")
    os.mknod(root / "memory", 0o600 | 0o020000, os.makedev(1, 1))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(root / "socket"))
        assert paths(root) == []
    with pytest.raises(OSError, match="has changed"):
        read(root, "pipe", 0)


@pytest.mark.parametrize(
    "name", [b"line\nbreak", b"back\\slash", b"\xff\xfe", b"bell\x07", "z" * 255, b"delete\x7f"]
)
def test_names_that_mean_something_elsewhere_are_left_out(root: Path, name: bytes | str) -> None:
    folder = os.fsencode(root) + b"/" + os.fsencode(name)
    if isinstance(name, str):
        # A proper name; what is inside would have too long a path.
        os.mkdir(folder)
        Path(os.fsdecode(folder), "x").write_text("too deep")
    else:
        Path(os.fsdecode(folder)).write_text("x")
        os.mkdir(folder + b"-folder")
        Path(os.fsdecode(folder + b"-folder"), "x").write_text("inside")
    (root / "...").write_text("odd, and yet a name")
    assert paths(root) == ["..."]


def test_folders_in_folders_without_end_end(root: Path) -> None:
    descriptor = os.open(root, os.O_RDONLY)
    for _ in range(2000):
        os.mkdir("d", dir_fd=descriptor)
        inner = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(descriptor)
    assert paths(root) == []
    for _ in range(2000):
        # The cleaner of the tests would recurse once for each.
        os.rename(root / "d", root.parent / "d")
        if (root.parent / "d" / "d").exists():
            os.rename(root.parent / "d" / "d", root / "d")
        os.rmdir(root.parent / "d")


def test_a_sparse_file_counts_with_the_size_that_it_claims(root: Path) -> None:
    with (root / "bomb").open("wb") as file:
        file.truncate(1 << 43)
    with pytest.raises(OutputsRefused) as refused:
        paths(root)
    assert refused.value.code == "outputs_too_large"


def test_one_file_under_many_names_counts_each_time(root: Path) -> None:
    (root / "one").write_bytes(bytes(100))
    os.link(root / "one", root / "two")
    assert paths(root, bytes_most=200) == ["one", "two"]
    with pytest.raises(OutputsRefused):
        paths(root, bytes_most=199)


def test_too_many_files_or_entries_are_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        (root / str(number)).touch()
    assert len(paths(root, files_most=4)) == 4
    with pytest.raises(OutputsRefused) as refused:
        paths(root, files_most=3)
    assert refused.value.code == "outputs_too_many"
    monkeypatch.setattr("miner_agent.outputs.ENTRIES_MOST", 3)
    with pytest.raises(OutputsRefused):
        paths(root)


def test_a_file_that_grows_while_it_is_read_is_not_taken(root: Path) -> None:
    (root / "file").write_bytes(b"12")
    (output,) = outputs.find(root, files_most=1, bytes_most=2)
    (root / "file").write_bytes(b"123")
    with pytest.raises(OSError, match="has changed"):
        read(root, output.path, output.size_bytes)
