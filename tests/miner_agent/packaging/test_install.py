"""An installation does all of its steps, over real SSH too, or leaves the machine as it was."""

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from miner_agent.domain.docker_settings import WANTED
from miner_agent.packaging.install import UNIT_FILE, InstallFailed, Package, Wishes, install
from miner_agent.packaging.over_ssh import NotConnected, SshShell, Target
from miner_agent.packaging.shells import LocalShell, StepFailed
from miner_agent.packaging.steps import UNIT, Places
from tests.miner_agent.packaging.conftest import Server, wheel


def tree(root: Path) -> dict[str, str]:
    """Return every file and link below, with what it holds."""
    return {
        str(path.relative_to(root)): os.readlink(path) if path.is_symlink() else path.read_text()
        for path in root.rglob("*")
        if path.is_symlink() or (path.is_file() and "versions" not in path.parts)
    }


def leftovers() -> set[str]:
    return {str(path) for path in Path("/tmp").glob("berth-install.*")}


def connect(server: Server, **changed: object) -> SshShell:
    told = {"identity": server.identity, "fingerprint": server.fingerprint, **changed}
    return SshShell(Target("root", "127.0.0.1", server.port), **told)


def test_a_machine_far_away_gets_all_of_it(
    server: Server, root: Path, systemctl: Path, tmp_path: Path
) -> None:
    before, told = leftovers(), []
    (root / "etc" / "docker").mkdir(parents=True)
    (root / "etc" / "docker" / "daemon.json").write_text('{"live-restore": false, "debug": true}')
    package = Package(wheel(tmp_path / "wheel", program="print('berth-agent 1.0')"))
    with connect(server, known_hosts=tmp_path / "none") as shell:
        wishes = Wishes(configure_docker=True)
        install(shell, package, wishes, tell=told.append, root=str(root), systemctl=str(systemctl))
    program = root / "usr" / "local" / "bin" / "berth-agent"
    ran = subprocess.run([program], capture_output=True, text=True, check=True)
    assert ran.stdout == "berth-agent 1.0\n"
    (version,) = (root / "opt" / "berth-agent" / "versions").iterdir()
    assert os.readlink(root / "opt" / "berth-agent" / "current") == f"versions/{version.name}"
    assert (version / "installed").exists()
    assert (root / "etc/systemd/system" / UNIT).read_text() == UNIT_FILE.read_text()
    assert stat.S_IMODE((root / "etc" / "berth-agent.env").stat().st_mode) == 0o600
    # What the host has said stays said.
    docker = json.loads((root / "etc" / "docker" / "daemon.json").read_text())
    assert docker == {**WANTED, "live-restore": False, "debug": True}
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked[:2] == ["daemon-reload", f"enable {UNIT}"]
    assert asked[2] in ("restart docker", "reload docker")
    assert [line.partition(":")[0] for line in told] == [
        "[1/7] Look at the system",
        "[2/7] Install Debian packages",
        "[3/7] Install the agent",
        "[4/7] Make it the version that runs",
        "[5/7] Make it a command",
        "[6/7] Install the service",
        "[7/7] Add what is missing to Docker's settings",
    ]
    assert leftovers() == before


def test_a_step_that_fails_undoes_all_of_them(root: Path, systemctl: Path, tmp_path: Path) -> None:
    before, told = leftovers(), []
    (root / "etc" / "docker").mkdir(parents=True)
    (root / "etc" / "docker" / "daemon.json").write_text('{"debug": true}')
    # The last step of all.
    (tmp_path / "refused").write_text(f"restart {UNIT}\n")
    here = tree(root)
    with pytest.raises(InstallFailed, match="Start the agent failed: not restart"):
        install(
            LocalShell(),
            Package(wheel(tmp_path / "wheel")),
            Wishes(configure_docker=True, enrol=("--url", "http://127.0.0.1:1"), token="T"),
            tell=told.append,
            root=str(root),
            systemctl=str(systemctl),
        )
    assert tree(root) == here
    assert not (root / "opt" / "berth-agent").exists()
    assert [line for line in told if line.startswith("Undone")] == [
        "Undone: Start the agent",
        "Undone: Add what is missing to Docker's settings",
        "Undone: Install the service",
        "Undone: Make it a command",
        "Undone: Make it the version that runs",
        "Undone: Install the agent",
        "Undone: Install Debian packages",
    ]
    assert leftovers() == before


def test_the_token_is_read_by_the_program_and_on_no_command_line(
    root: Path, systemctl: Path, tmp_path: Path
) -> None:
    seen = str(tmp_path / "seen")
    words = "f'{sys.argv[1:]} {sys.stdin.read()}'"
    program = f"import sys; open({seen!r}, 'a').write({words})"
    install(
        LocalShell(),
        Package(wheel(tmp_path / "wheel", program=program)),
        Wishes(enrol=("--url", "http://127.0.0.1:1"), token="secret token"),
        tell=lambda line: None,
        root=str(root),
        systemctl=str(systemctl),
    )
    told = "['enroll', '--url', 'http://127.0.0.1:1'] secret token"
    assert told in (tmp_path / "seen").read_text()


def test_a_failed_update_leaves_the_older_version_in_place(
    root: Path, systemctl: Path, tmp_path: Path
) -> None:
    old = Package(wheel(tmp_path / "old", program="print('old')"))
    new = Package(wheel(tmp_path / "new", version="2.0", program="raise SystemExit('boom')"))

    def put(what: Package) -> None:
        install(
            LocalShell(),
            what,
            Wishes(),
            tell=lambda line: None,
            root=str(root),
            systemctl=str(systemctl),
        )

    put(old)
    (root / "etc" / "berth-agent.env").write_text("BERTH_AGENT_PORTS=1-2\n")
    here = tree(root)
    with pytest.raises(InstallFailed, match=r"Install the agent failed: .*boom"):
        put(new)
    assert tree(root) == here
    assert len(list((root / "opt" / "berth-agent" / "versions").iterdir())) == 1
    put(old)
    assert tree(root) == here
    assert (root / "etc" / "berth-agent.env").read_text() == "BERTH_AGENT_PORTS=1-2\n"


def test_what_docker_reads_is_left_where_it_cannot_be_read(
    root: Path, systemctl: Path, tmp_path: Path
) -> None:
    (root / "etc" / "docker").mkdir(parents=True)
    (root / "etc" / "docker" / "daemon.json").write_text('{"debug": true,}')
    with pytest.raises(InstallFailed, match=r"Nothing was changed: Docker's daemon\.json"):
        install(
            LocalShell(),
            Package(wheel(tmp_path / "wheel")),
            Wishes(configure_docker=True),
            tell=lambda line: None,
            root=str(root),
            systemctl=str(systemctl),
        )
    assert (root / "etc" / "docker" / "daemon.json").read_text() == '{"debug": true,}'


def test_an_unknown_host_key_is_refused_and_named(server: Server, tmp_path: Path) -> None:
    with (
        pytest.raises(NotConnected, match=f"It shows {server.fingerprint}".replace("+", r"\+")),
        connect(server, fingerprint=None, known_hosts=tmp_path / "none"),
    ):
        pass


def test_another_host_key_than_was_named_is_refused(server: Server, tmp_path: Path) -> None:
    with (
        pytest.raises(NotConnected, match="and not SHA256:other"),
        connect(server, fingerprint="SHA256:other", known_hosts=tmp_path / "none"),
    ):
        pass


def test_a_host_key_that_is_known_needs_no_fingerprint(server: Server, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{server.port} {server.host_key}\n")
    with connect(server, fingerprint=None, known_hosts=known) as shell:
        assert shell.run("id -u", deadline_s=10) == "0\n"


def test_a_known_host_with_another_key_is_refused_whatever_was_named(
    server: Server, tmp_path: Path
) -> None:
    public = server.identity.with_suffix(".pub").read_text().split()
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{server.port} {public[0]} {public[1]}\n")
    with pytest.raises(NotConnected, match="another host key"), connect(server, known_hosts=known):
        pass


def test_a_script_ends_at_its_first_failure_and_says_why(server: Server, tmp_path: Path) -> None:
    with connect(server, known_hosts=tmp_path / "none") as shell:
        for one in (shell, LocalShell()):
            with pytest.raises(StepFailed, match=r"^reason$"):
                one.run("echo reason\nfalse\necho never", deadline_s=10)
            with pytest.raises(StepFailed, match=r"longer than 0\.3 s"):
                one.run("sleep 5", deadline_s=0.3)
        content = bytes(range(256)) * 3000
        shell.put(str(tmp_path / "file"), content)
        assert (tmp_path / "file").read_bytes() == content
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["host", "@host", "user@", "user@-oProxyCommand=x", "a@b:c"])
def test_what_names_no_machine_is_refused(text: str) -> None:
    with pytest.raises(NotConnected, match="user@host"):
        Target.parse(text)


def test_a_machine_is_named_with_its_port() -> None:
    assert Target.parse("a@b:2222") == Target("a", "b", 2222)
    assert Target.parse("a@b") == Target("a", "b", 22)


def test_the_service_has_no_view_of_the_disks_that_docker_has_not() -> None:
    unit = UNIT_FILE.read_text()
    own = ("Protect", "PrivateTmp", "PrivateMounts", "ReadOnlyPaths", "InaccessiblePaths", "RootD")
    settings = [line for line in unit.splitlines() if not line.startswith("#")]
    assert [line for line in settings if line.startswith(own)] == []
    assert "NoNewPrivileges=yes" in settings
    assert "KillMode=process" in settings
    assert Places(work="w", version="v").program in unit
