"""A newer agent in the place of the running one, from real wheels: no rental notices."""

import os
import signal
import subprocess
import sys
import sysconfig
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from miner_agent import heard
from miner_agent.command import run
from miner_agent.packaging import upgrade as steps
from miner_agent.packaging.upgrade import (
    Service,
    UpgradeFailed,
    first,
    root_of,
    upgrade,
)
from miner_agent.packaging.versions import named
from protocol.agent import ObservedState
from tests.miner_agent.host import REPOSITORY, Host, docker
from tests.miner_agent.market import LoopbackMarket

#: what stands for systemctl: it ends the agent that runs and starts the one that is current
RESTART = """\
if [ -e {root}/pid ]; then
  kill $(cat {root}/pid) 2>/dev/null
  while kill -0 $(cat {root}/pid) 2>/dev/null; do sleep 0.05; done
fi
{root}/current/bin/berth-agent run >>{root}/log 2>&1 </dev/null &
echo $! >{root}/pid
"""


@dataclass
class Installed:
    """A machine whose agent is one of many versions."""

    host: Host
    root: Path
    #: by what they are: new, broken, unfit
    wheels: dict[str, Path]

    @property
    def service(self) -> Service:
        return Service(
            restart=self.restart,
            heard_by=lambda: heard.by(self.host.home / "agent"),
            can_go_back=lambda: True,
            deadline_s=30,
        )

    def restart(self) -> None:
        run(["sh", str(self.root / "restart")])

    def pid(self) -> int:
        return int((self.root / "pid").read_text())


def rewritten(wheel: Path, folder: str, file: str, old: str, new: str) -> Path:
    """Return another wheel in which one text of one file differs."""
    made = wheel.parent / folder / wheel.name
    made.parent.mkdir()
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(made, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == file:
                assert old.encode() in content
                content = content.replace(old.encode(), new.encode())
            target.writestr(name, content)
    return made


@pytest.fixture(scope="module")
def installed(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    root = tmp_path_factory.mktemp("berth-agent")
    market = LoopbackMarket()
    network = f"10.217.{os.getpid() % 250}.0/24"
    host = Host(tmp_path_factory.mktemp("machine"), market, image=image, network=network)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**host.environment, "PYTHONPATH": str(packages(root))}.items():
            patch.setenv(name, value)
        # Everything is here already: nothing may be fetched.
        patch.setenv("PIP_NO_INDEX", "1")
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(root)]
        subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
        wheel = next(root.glob("*.whl"))
        version = ("miner_agent/__init__.py", 'VERSION = "', 'VERSION = "9.')
        wheels = {
            "new": rewritten(wheel, "new", *version),
            "broken": rewritten(
                wheel, "broken", "miner_agent/supervisor.py", "async def run", "async def walk"
            ),
            "unfit": rewritten(wheel, "unfit", "miner_agent/check.py", "def check(", "def looks("),
        }
        (root / "restart").write_text(RESTART.format(root=root))
        host.enroll()
        first(root, wheel)
        installed = Installed(host, root, wheels)
        installed.restart()
        yield installed
        os.kill(installed.pid(), signal.SIGTERM)
        while Path(f"/proc/{installed.pid()}").exists():
            time.sleep(0.05)
        host.command("uninstall")
        market.close()


def packages(root: Path) -> Path:
    """Return a folder with every installed package but our own."""
    folder = root / "packages"
    folder.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.startswith(("berth", "_editable", "__editable__")):
            (folder / path.name).symlink_to(path)
    return folder


def test_an_upgrade_is_noticed_by_no_rental_and_a_bad_one_is_taken_back(
    installed: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, market, root = installed.host, installed.host.market, installed.root
    desired = host.desire()
    before = market.wait_for(desired.placement_id, ObservedState.RUNNING)
    name = f"name=berth-{desired.placement_id}"
    container, oldest = docker("ps", "-q", "--no-trunc", "--filter", name), named(root)
    session = subprocess.Popen(
        [*host.client(before), "root@127.0.0.1", "read line; echo $line"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    program = str(root / "current" / "bin" / "berth-agent")
    restart = f"sh {root}/restart"
    done = subprocess.run(
        [program, "upgrade", str(installed.wheels["new"]), "--restart", restart],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    new = named(root)
    assert new != oldest
    assert Path(heard.by(host.home / "agent")) == new
    assert run([program, "--version"]).startswith("9.")

    pid = installed.pid()
    unfit, fit = installed.wheels["unfit"], installed.wheels["new"].read_bytes()

    def swapping(command: Sequence[str], **more: Any) -> str:
        # After the first look at the wheel, and before pip's: what was read is what is installed.
        unfit.write_bytes(fit)
        return run(command, **more)

    monkeypatch.setattr(steps, "run", swapping)
    with pytest.raises(UpgradeFailed, match="does not fit here"):
        upgrade(root, unfit, installed.service)
    monkeypatch.undo()
    with pytest.raises(UpgradeFailed, match="runs already"):
        upgrade(root, installed.wheels["new"], installed.service)
    with pytest.raises(UpgradeFailed, match="cannot be read"):
        upgrade(root, root / "nothing.whl", installed.service)
    assert (installed.pid(), named(root)) == (pid, new)

    hasty = Service(installed.restart, installed.service.heard_by, lambda: True, deadline_s=3)
    with pytest.raises(UpgradeFailed, match="The old version runs again"):
        upgrade(root, installed.wheels["broken"], hasty)
    assert named(root) == new
    syncs = market.syncs
    market.wait_until(lambda: market.syncs > syncs)

    after = market.wait_for(desired.placement_id, ObservedState.RUNNING)
    assert docker("ps", "-q", "--no-trunc", "--filter", name) == container
    assert (after.run, after.ssh_port) == (before.run, before.ssh_port)
    said, _ = session.communicate("still here\n", timeout=60)
    assert said == "still here\n"
    market.end(desired.placement_id)
    market.wait_for(desired.placement_id, ObservedState.GONE)
    assert {one.interval.run for one in market.chains[desired.placement_id]} == {0}


def test_an_old_version_that_cannot_read_the_journal_any_more_does_not_come_back(
    tmp_path: Path,
) -> None:
    old, new = tmp_path / "versions" / "old", tmp_path / "versions" / "new"
    for version in (old, new):
        (version / "bin").mkdir(parents=True)
    (tmp_path / "wheel").write_bytes(b"")
    digest = "e3b0c44298fc1c14"
    new.rename(tmp_path / "versions" / digest)
    (tmp_path / "versions" / digest / "installed").touch()
    (tmp_path / "versions" / digest / "bin" / "berth-agent").symlink_to("/bin/true")
    (tmp_path / "current").symlink_to("versions/old")
    restarts: list[str] = []
    service = Service(lambda: restarts.append("restart"), str, lambda: False, deadline_s=0)
    with pytest.raises(UpgradeFailed, match="stays"):
        upgrade(tmp_path, tmp_path / "wheel", service)
    assert named(tmp_path) == tmp_path / "versions" / digest
    assert restarts == ["restart"]


def test_a_program_that_is_no_version_of_many_is_not_upgraded() -> None:
    with pytest.raises(UpgradeFailed, match="not a version of many"):
        root_of(sys.prefix)
