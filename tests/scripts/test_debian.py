"""Debian packages come without their services; without root the person gets one line to copy."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from scripts import debian


class Apt:
    """What apt-get, dpkg and systemctl are asked, on a machine of our own."""

    def __init__(self, root: Path) -> None:
        self.wants = root / "multi-user.target.wants"
        self.wants.mkdir()
        self.policy = root / "policy-rc.d"
        self.commands: list[str] = []
        self.policies: list[bool] = []

    def __call__(self, command: Sequence[str], changed: Mapping[str, str]) -> None:
        self.commands.append(" ".join(command))
        self.policies.append(self.policy.exists())
        if "install" in command:
            (self.wants / "ssh.service").touch()
        if "update" in command:
            raise RuntimeError("no network")


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Apt:
    apt = Apt(tmp_path)
    monkeypatch.setattr(debian, "ENABLED", tmp_path)
    monkeypatch.setattr(debian, "POLICY", apt.policy)
    monkeypatch.setattr(debian.shutil, "which", lambda name: f"/usr/bin/{name}")
    return apt


def test_a_service_that_a_package_enables_is_disabled_again(apt: Apt) -> None:
    (apt.wants / "cron.service").touch()

    debian.install(["openssh-server"], apt)

    assert apt.commands[-1] == "systemctl disable ssh.service"


def test_nothing_is_disabled_where_nothing_was_enabled(apt: Apt) -> None:
    (apt.wants / "ssh.service").touch()

    debian.install(["openssh-server"], apt)

    assert "systemctl" not in apt.commands[-1]


def test_no_service_may_start_while_packages_are_installed(apt: Apt) -> None:
    debian.install(["openssh-server"], apt)

    assert apt.policies == [True] * 3 + [False]
    assert not apt.policy.exists()


def test_a_policy_that_an_interrupted_run_left_is_removed(apt: Apt) -> None:
    apt.policy.write_text(debian.POLICY_TEXT)

    debian.install(["openssh-server"], apt)

    assert not apt.policy.exists()


def test_a_policy_of_the_machine_itself_stays(apt: Apt) -> None:
    apt.policy.write_text("#!/bin/sh\nexit 101\n")

    debian.install(["openssh-server"], apt)

    assert apt.policy.read_text() == "#!/bin/sh\nexit 101\n"


def test_the_install_decides_when_the_lists_are_old(apt: Apt) -> None:
    debian.install(["patchelf"], apt)

    assert "apt-get -qq update" in apt.commands
    assert any(command.endswith("install patchelf") for command in apt.commands)


def test_without_root_there_is_one_line_to_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(debian.Refused) as refused:
        debian.refuse_where_impossible(["docker.io", "patchelf"])

    assert str(refused.value).splitlines()[-1] == (
        "  apt-get update && apt-get install -y --no-install-recommends docker.io patchelf"
    )
