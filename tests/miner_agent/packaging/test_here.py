"""What a site's own script runs installs, enrols, upgrades or refuses, and says which."""

import fcntl
import io
import json
from pathlib import Path

import pytest

from miner_agent.domain.docker_settings import WANTED
from miner_agent.packaging.here import LOCK, main
from miner_agent.packaging.steps import UNIT
from tests.miner_agent.packaging.conftest import wheel

SITE = "https://berth.example"
STATUS = f"machine      0b1d\nmachine key  ab\nmarketplace  {SITE}\naddress      203.0.113.7"
CHECK = (
    "ok    fine.\nFAIL  Docker is away. Start it.\n      docker: why. Required: it.\nwarn  slow."
)


class Here:
    """A machine in a folder, on which the line's own program is run."""

    def __init__(self, folder: Path, root: Path, systemctl: Path) -> None:
        self.folder, self.root, self.systemctl = folder, root, systemctl
        told = {"status": STATUS, "check": CHECK}
        self.seen = folder / "seen"
        self.program = (
            f"import sys; open({str(self.seen)!r}, 'a').write(' '.join(sys.argv[1:]) + chr(10));"
            f" print({told!r}.get(sys.argv[1], 'berth-agent 1.0'))"
        )
        self.wheel = wheel(folder / "wheel", program=self.program)
        (folder / "pins").touch()

    def run(self, *words: str) -> int:
        told = ["--wheel", self.wheel, "--requirements", self.folder / "pins"]
        site = ["--marketplace", SITE]
        words = (*map(str, (*told, *site)), *words)
        return main(words, root=str(self.root), systemctl=str(self.systemctl))

    def is_idle(self) -> None:
        """Let no agent run there yet."""
        (self.folder / "refused").write_text(f"is-active --quiet {UNIT}\n")

    def asked(self) -> list[str]:
        return self.seen.read_text().splitlines() if self.seen.exists() else []


@pytest.fixture
def here(tmp_path: Path, root: Path, systemctl: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    monkeypatch.setattr("sys.stdin", io.StringIO("enrol_token\n"))
    return Here(tmp_path, root, systemctl)


def test_it_installs_enrols_and_afterwards_changes_only_what_is_older(
    here: Here, capsys: pytest.CaptureFixture[str]
) -> None:
    here.is_idle()
    assert here.run("--address", "gpu.example.org", "--public-only") == 0
    said = capsys.readouterr().out.splitlines()
    assert f"enroll --url {SITE} --address gpu.example.org" in here.asked()
    assert said[-5:] == [
        f"This is machine 0b1d of {SITE}. Renters are given 203.0.113.7.",
        "It runs, and cannot be rented before this is mended ('berth-agent check' looks):",
        *CHECK.splitlines()[1:3],
        f"Set your price now: {SITE}/host/machines/0b1d/",
    ]
    assert f"restart {UNIT}" in (here.folder / "asked").read_text()

    (here.folder / "refused").unlink()
    asked = here.asked()
    assert here.run() == 0
    assert capsys.readouterr().out == (
        "This release runs here already; nothing was changed.\n"
        f"This is machine 0b1d of {SITE}. No token was used.\n"
    )
    assert here.asked() == [*asked, "status"]

    assert here.run("--marketplace", "https://other.example") == 1
    assert f"this machine serves {SITE}; to leave that" in capsys.readouterr().err

    here.wheel = wheel(here.folder / "newer", version="2.0", program=here.program)
    assert here.run() == 0
    assert here.asked()[-1] == f"upgrade {here.wheel} --requirements {here.folder}/pins"


def test_settings_of_a_docker_in_use_are_changed_only_if_asked(
    here: Here, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here.is_idle()
    # Nobody's token: it is installed, and no more.
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    programs = here.folder / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    settings = root / "etc" / "docker" / "daemon.json"
    for docker in ("[ $1 != ps ] || echo abc", "echo away >&2; exit 1"):
        (programs / "docker").write_text(f"#!/bin/sh\n{docker}\n")
        (programs / "docker").chmod(0o755)
        assert here.run() == 0
        said = capsys.readouterr().out
        assert "--configure-docker adds them" in said
        assert f"berth-agent enroll --url {SITE} && systemctl start" in said
        assert not settings.exists()
    assert here.run("--configure-docker") == 0
    assert json.loads(settings.read_text()) == WANTED
    settings.unlink()
    (programs / "docker").write_text("#!/bin/sh\n")
    assert here.run() == 0
    assert json.loads(settings.read_text()) == WANTED
    assert [one for one in here.asked() if one.startswith("enroll")] == []


def test_an_address_that_nobody_reaches_is_refused_at_once(
    here: Here, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here.is_idle()
    # As its way to the site begins there.
    assert here.run("--marketplace", "http://127.0.0.1:1", "--public-only") == 1
    assert "cannot reach 127.0.0.1 over the internet" in capsys.readouterr().err
    assert here.run("--address", "10.0.0.5", "--public-only") == 1
    assert "install --address ADDRESS" in capsys.readouterr().err
    (root / "etc").mkdir()
    (root / "etc" / "berth-agent.env").write_text("BERTH_AGENT_ADDRESS=192.168.1.2\n")
    assert here.run("--public-only") == 1
    assert "cannot reach 192.168.1.2" in capsys.readouterr().err
    assert not (root / "opt").exists()


def test_two_at_once_are_refused(
    here: Here, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(f"{root}{LOCK}")
    path.parent.mkdir(parents=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert here.run() == 1
    assert capsys.readouterr().err == (
        "berth: Another installation goes on here; wait for its end.\n"
    )
