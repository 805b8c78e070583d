"""A bundle for support holds what helps, and none of the secrets that are planted everywhere."""

import base64
import json
import stat
import tarfile
from ipaddress import IPv4Network
from pathlib import Path
from uuid import uuid4

import pytest

from miner_agent import support_bundle
from miner_agent.domain.generation import Generation
from miner_agent.domain.image import Image
from miner_agent.domain.placement import Placement
from miner_agent.domain.spare import Job
from miner_agent.machine import Machine
from miner_agent.settings import Settings
from protocol.agent import ObservedState, Problem, Want
from protocol.hardware import Resources
from protocol.workload import Workload

PLANTED = {
    name: f"planted-{name}-{uuid4().hex}"
    for name in (
        "environment",
        "command",
        "variable",
        "proxy",
        "registry",
        "log",
        "problem",
        "marketplace",
        "idle",
        "earlier",
    )
}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine on which every place that may hold a secret holds one."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SOME_API_KEY", PLANTED["variable"])
    monkeypatch.setenv("HTTPS_PROXY", f"http://bob:{PLANTED['proxy']}@127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "*")
    (tmp_path / ".docker").mkdir()
    login = base64.b64encode(f"bob:{PLANTED['registry']}".encode()).decode()
    auths = {"auths": {"https://images.example": {"auth": login}}}
    (tmp_path / ".docker" / "config.json").write_text(json.dumps(auths))
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("journalctl", "dmesg"):
        script = programs / name
        script.write_text(
            "#!/bin/sh\n"
            f"echo 'oom: registry password={PLANTED['log']} http://a:{PLANTED['proxy']}@b/'\n"
            f"echo 'oom: renter said {PLANTED['environment']} {PLANTED['registry']}'\n"
            f"echo 'oom: host and renter said {PLANTED['idle']} {PLANTED['earlier']}'\n"
        )
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/sbin:/usr/bin:/sbin:/bin")
    home = tmp_path / "agent"
    home.mkdir()
    settings = Settings(
        home=home,
        marketplace_url=f"http://bob:{PLANTED['marketplace']}@127.0.0.1:1",
        address="127.0.0.1",
        control_port=1,
        port_first=2,
        port_last=3,
        disk_bytes=1 << 20,
        docker_host=f"unix://{tmp_path}/nobody.sock",
        network=IPv4Network("10.219.0.0/24"),
        dns=(),
        idle=Job(image="house/worker", command=("work", "--wallet", PLANTED["idle"]), network=True),
    )
    machine = Machine(settings)
    machine.key_or_new()
    journal = machine.journal()
    workload = Workload(
        image="debian:12",
        command=("serve", PLANTED["command"]),
        environment={"WANDB": PLANTED["environment"]},
        resources=Resources.of(cpus=1, ram_bytes=1, disk_bytes=1),
    )
    earlier = Generation(
        number=0,
        disk=0,
        edition=0,
        resets=0,
        workload=workload.model_copy(update={"environment": {"KEY": PLANTED["earlier"]}}),
        image=Image(image_id="sha256:0", environment={}, entrypoint=(), command=()),
    )
    problem = Problem(code="start_failed", message=f"token={PLANTED['problem']} was refused")
    journal.insert(
        Placement(
            placement_id=uuid4(),
            want=Want.END,
            state=ObservedState.GONE,
            workload=workload,
            current=earlier,
            problem=problem,
        ),
    )
    journal.close()
    return machine


def test_no_planted_secret_is_in_the_bundle(machine: Machine, tmp_path: Path) -> None:
    target = tmp_path / "bundle.tar.gz"
    names = support_bundle.write(machine, target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with tarfile.open(target) as archive:
        parts = {
            member.name.partition("/")[2]: archive.extractfile(member).read().decode()
            for member in archive.getmembers()
        }
    assert set(parts) == set(names)
    everything = "\n".join(parts.values())
    assert [name for name, secret in PLANTED.items() if secret in everything] == []
    for line in machine.key_path.read_text().splitlines():
        assert line not in everything
    assert "start_failed" in parts["placements.json"]
    assert '"gone"' in parts["placements.json"]
    assert "renter said [removed]" in parts["log.txt"]
    assert any(one["id"] == "docker" for one in json.loads(parts["checks.json"]))
    assert "10.219.0.0/24" in parts["settings.json"]
    assert "house/worker" in parts["settings.json"]
    assert "paramiko" in parts["versions.json"]


def test_an_older_bundle_that_all_may_read_is_not_written_into(
    machine: Machine, tmp_path: Path
) -> None:
    target = tmp_path / "bundle.tar.gz"
    target.touch(mode=0o644)
    support_bundle.write(machine, target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
