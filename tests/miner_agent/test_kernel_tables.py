"""Tables of the kernel that rentals share are wide while an agent runs."""

from pathlib import Path

from miner_agent import kernel_tables
from tests.miner_agent.host import Host


def made(folder: Path, *, instances: str) -> Path:
    (folder / "fs/inotify").mkdir(parents=True)
    (folder / "fs/inotify/max_user_instances").write_text(instances)
    return folder


def test_what_is_narrow_is_named_and_widened(tmp_path: Path) -> None:
    settings = made(tmp_path, instances="128\n")
    assert kernel_tables.missing(settings) == ("sysctl -w fs.inotify.max_user_instances=1048576",)
    before = kernel_tables.widen(settings)
    assert kernel_tables.missing(settings) == ()
    assert (settings / "fs/inotify/max_user_instances").read_text() == "1048576"
    kernel_tables.write(before, settings)
    assert (settings / "fs/inotify/max_user_instances").read_text() == "128"


def test_what_is_wide_stays_as_wide(tmp_path: Path) -> None:
    settings = made(tmp_path, instances="2000000\n")
    kernel_tables.widen(settings)
    assert (settings / "fs/inotify/max_user_instances").read_text() == "2000000\n"


def test_a_running_agent_has_widened_them(running_host: Host) -> None:
    running_host.market.wait_until(lambda: running_host.market.syncs)
    assert kernel_tables.narrow() == {}
