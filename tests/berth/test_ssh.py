"""This will check the ssh command: pinned, and deaf to what a marketplace may smuggle in."""

import subprocess
from pathlib import Path

import pytest

from berth.problem import Refused
from berth.shapes import SshDoor
from berth.ssh import Doors, Forward, fingerprint, known_hosts_line, ssh_command
from protocol.signing import openssh_public_key, public_key_of
from tests.berth.market import DOOR, MACHINE

HOST_KEY = openssh_public_key(public_key_of(DOOR))
RENTAL = "11111111-2222-3333-4444-555555555555"


def door(**changes: object) -> SshDoor:
    return SshDoor.model_validate(
        {"host": "203.0.113.9", "port": 40022, "user": "root", "host_key": HOST_KEY, **changes}
    )


def understood(argv: list[str]) -> dict[str, str]:
    """Return what the real OpenSSH client makes of the command (ssh -G)."""
    ran = subprocess.run(
        [argv[0], "-F", "/dev/null", "-G", *argv[1:]],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return dict(line.partition(" ")[::2] for line in ran.stdout.splitlines())


def test_openssh_understands_it_as_meant(tmp_path: Path) -> None:
    known_hosts = tmp_path / "a b" / "100%d" / "known_hosts"
    identity = tmp_path / "id"
    identity.touch()
    argv = ssh_command(rental_id=RENTAL, door=door(), known_hosts=known_hosts, identity=identity)
    options = understood(argv)
    assert options["hostname"] == "203.0.113.9"
    assert options["port"] == "40022"
    assert options["user"] == "root"
    assert options["hostkeyalias"] == f"berth-{RENTAL}"
    assert options["stricthostkeychecking"] == "true"
    assert options["hostkeyalgorithms"] == "ssh-ed25519"
    assert options["identitiesonly"] == "yes"
    assert options["identityfile"] == str(identity)
    assert options["userknownhostsfile"] == str(known_hosts)
    assert options["globalknownhostsfile"] == "/dev/null"


def test_openssh_forwards_ports_of_this_computer_alone(tmp_path: Path) -> None:
    argv = ssh_command(
        rental_id=RENTAL,
        door=door(),
        known_hosts=tmp_path / "k",
        identity=None,
        forwards=[Forward.parse("9000:8888")],
        has_shell=False,
    )
    options = understood(argv)
    assert options["localforward"] == "[127.0.0.1]:9000 [127.0.0.1]:8888"
    assert (options["exitonforwardfailure"], options["sessiontype"]) == ("yes", "none")
    assert Forward.parse("8888") == Forward(8888, 8888)


@pytest.mark.parametrize("text", ["", "0", "65536", "a", "1:", ":1", "1:2:3", "-1", "8888 ", "８"])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        Forward.parse(text)


def test_without_an_identity_ssh_chooses_its_own(tmp_path: Path) -> None:
    argv = ssh_command(rental_id=RENTAL, door=door(), known_hosts=tmp_path / "k", identity=None)
    assert "-i" not in argv
    assert understood(argv)["identitiesonly"] == "no"


@pytest.mark.parametrize(
    ("remote", "last"),
    [
        (["echo $HOME | wc"], "echo $HOME | wc"),
        (["ls", "a b", "*.txt"], "ls 'a b' '*.txt'"),
        (["-oProxyCommand=x"], "-oProxyCommand=x"),
    ],
)
def test_the_remote_command_comes_last_and_is_never_an_option(
    tmp_path: Path, remote: list[str], last: str
) -> None:
    argv = ssh_command(
        rental_id=RENTAL, door=door(), known_hosts=tmp_path / "k", identity=None, remote=remote
    )
    assert argv[-3:] == ["--", "203.0.113.9", last]
    assert understood(argv).get("proxycommand", "none") == "none"


@pytest.mark.parametrize(
    "changes",
    [
        {"host": "-oProxyCommand=touch x"},
        {"host": "a b"},
        {"host": "a\nb"},
        {"host": ""},
        {"user": "-l"},
        {"user": "root;id"},
        {"port": 0},
        {"port": 70_000},
    ],
)
def test_an_address_that_is_not_plain_is_refused(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    with pytest.raises(Refused) as caught:
        ssh_command(
            rental_id=RENTAL, door=door(**changes), known_hosts=tmp_path / "k", identity=None
        )
    assert caught.value.code == "door_malformed"


@pytest.mark.parametrize(
    "host_key",
    ["", "ssh-rsa AAAA", f"{HOST_KEY}\n* ssh-ed25519 AAAA", f"@cert-authority * {HOST_KEY}"],
)
def test_a_host_key_that_could_open_more_is_refused(host_key: str) -> None:
    with pytest.raises(Refused):
        known_hosts_line(RENTAL, door(host_key=host_key))


def test_a_fingerprint_is_the_one_that_openssh_shows(tmp_path: Path) -> None:
    path = tmp_path / "key.pub"
    path.write_text(f"{HOST_KEY}\n", encoding="utf-8")
    command = ["ssh-keygen", "-l", "-f", str(path)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert fingerprint(door()) == shown.stdout.split()[1]
    for malformed in ("", "ssh-ed25519 ====", f"ssh-ed25519 {'A' * 41}"):
        with pytest.raises(Refused):
            fingerprint(door(host_key=malformed))


@pytest.mark.parametrize("rental_id", ["../x", "", "a b", "a\n"])
def test_a_rental_id_cannot_leave_its_folder(tmp_path: Path, rental_id: str) -> None:
    with pytest.raises(Refused):
        Doors(tmp_path).pin(rental_id, door())
    assert list(tmp_path.iterdir()) == []


def test_a_pinned_key_may_not_change_behind_our_back(tmp_path: Path) -> None:
    doors = Doors(tmp_path)
    pinned = doors.pin(RENTAL, door())
    assert pinned.read_text(encoding="utf-8") == f"berth-{RENTAL} {HOST_KEY}\n"
    assert doors.pin(RENTAL, door(port=41000)) == pinned
    other = openssh_public_key(public_key_of(MACHINE))
    with pytest.raises(Refused) as caught:
        doors.pin(RENTAL, door(host_key=other))
    assert caught.value.code == "host_key_changed"


def test_what_is_remembered_is_forgotten(tmp_path: Path) -> None:
    doors = Doors(tmp_path)
    doors.remember_identity(RENTAL, Path("/keys/id"))
    assert doors.identity(RENTAL) == Path("/keys/id")
    doors.forget(RENTAL)
    assert doors.identity(RENTAL) is None
