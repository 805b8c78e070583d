"""A machine that cannot keep rentals apart does not serve them unless its host says so."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from miner_agent import disk
from tests.miner_agent.host import REPOSITORY, Host
from tests.miner_agent.market import LoopbackMarket


@pytest.fixture
def enrolled(image: str, tmp_path: Path) -> Host:
    market = LoopbackMarket()
    host = Host(tmp_path, market, image=image, network=f"10.218.{os.getpid() % 250}.0/24")
    host.environment["BERTH_AGENT_ALLOW_UNISOLATED"] = "0"
    host.enroll()
    market.close()
    return host


def without(host: Host, *programs: str) -> None:
    """Let the host's agent find every program of this machine but these."""
    folder = host.home / "programs"
    folder.mkdir()
    for place in os.environ["PATH"].split(":"):
        for path in sorted(Path(place).glob("*")):
            link = folder / path.name
            if path.name not in programs and not link.is_symlink():
                link.symlink_to(path)
    host.environment["PATH"] = str(folder)


@pytest.mark.parametrize(
    ("program", "package"), [("iptables", "iptables"), ("mkfs.ext4", "e2fsprogs")]
)
def test_a_machine_that_lacks_a_program_refuses_and_names_it(
    enrolled: Host, program: str, package: str
) -> None:
    without(enrolled, program)
    result = enrolled.command("run")
    assert result.returncode == 1
    assert f"install {package}" in result.stderr.splitlines()[-1]
    assert "BERTH_AGENT_ALLOW_UNISOLATED=1" in result.stderr.splitlines()[-1]
    checked = enrolled.command("check")
    assert checked.returncode == 1
    assert f"install {package}" in checked.stdout
    enrolled.environment["BERTH_AGENT_ALLOW_UNISOLATED"] = "1"
    allowed = enrolled.command("check")
    assert allowed.returncode == 0
    assert f"install {package}" in allowed.stdout


def test_somebody_who_is_not_root_is_told_so() -> None:
    # Imported as root: the interpreter itself may lie where nobody else can read it.
    asked = (
        "import os; from miner_agent import disk, firewall; os.setuid(65534);"
        " print(disk.missing(), firewall.missing())"
    )
    command = [sys.executable, "-c", asked]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert result.stdout.count("run it as root") == 2


def test_a_storage_driver_that_limits_no_disk_is_named() -> None:
    assert disk.missing("overlay2") == ()
    (said,) = disk.missing("vfs")
    assert "overlay2" in said
    assert "vfs" in said
