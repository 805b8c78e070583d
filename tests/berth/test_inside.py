"""Commands and files go into a rental by the system's ssh and scp, its host key pinned."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from berth.problem import Refused
from berth.ssh import scp_command
from tests.berth.market import Market
from tests.berth.terminal import Terminal
from tests.berth.test_cli import FAKE_SSH
from tests.berth.test_ssh import RENTAL, door

UP = ("up", "--cheapest", "--image", "debian:12", "--lease", "1h", "--json", "--wait")


def scp(**changed: Any) -> list[str]:
    asked: dict[str, Any] = {
        "rental_id": RENTAL,
        "door": door(),
        "known_hosts": Path("/k"),
        "identity": None,
        "path": "/data/",
        "here": "a",
        "fetches": False,
    }
    return scp_command(**(asked | changed))


@pytest.mark.parametrize(
    ("here", "last"), [("a:b", "./a:b"), ("/x:y", "/x:y"), ("-r", "./-r"), ("..", "./..")]
)
def test_a_file_here_is_no_other_machines_and_no_option(here: str, last: str) -> None:
    assert scp(here=here)[-3:] == ["--", last, "203.0.113.9:/data/"]
    assert scp(here=here, fetches=True)[-3:] == ["--", "203.0.113.9:/data/", last]


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert scp(door=door(host="2001:db8::1"))[-1] == "[2001:db8::1]:/data/"


def test_an_address_that_is_not_plain_is_refused() -> None:
    with pytest.raises(Refused):
        scp(door=door(host="-oProxyCommand=x"))


def test_scp_is_told_the_host_key_that_it_has_to_see(tmp_path: Path) -> None:
    argv = scp(identity=tmp_path / "id")
    for option in ("StrictHostKeyChecking=yes", f"HostKeyAlias=berth-{RENTAL}", "User=root"):
        assert option in argv
    # OpenSSH's own scp takes every one of the options, and fails at the connection alone.
    argv[1:1] = ["-o", "ConnectTimeout=1", "-F", "/dev/null", "-o", "ProxyCommand=false"]
    ran = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert "usage" not in ran.stderr.lower()
    assert "Bad configuration" not in ran.stderr
    assert ran.returncode != 0


def test_a_command_runs_there_and_its_exit_code_is_ours(terminal: Terminal, market: Market) -> None:
    rental = terminal.berth(*UP).json
    terminal.program("ssh", FAKE_SSH)
    ran = terminal.berth("exec", rental["id"][:8], "--", "ls", "a b", "--json")
    words = ran.out.splitlines()
    assert (ran.code, ran.err) == (7, "")
    assert words[0] == "-T"
    assert words[-3:] == ["--", "127.0.0.1", "ls 'a b' --json"]
    assert terminal.berth("exec", rental["id"], "-t", "--", "top").out.startswith("-t\n")


def test_files_are_copied_both_ways(terminal: Terminal, market: Market) -> None:
    rental = terminal.berth(*UP).json
    terminal.program("scp", FAKE_SSH)
    ran = terminal.berth("cp", "model.pt", f"{rental['id'][:8]}:/data/")
    assert ran.out.splitlines()[-2:] == ["./model.pt", "127.0.0.1:/data/"]
    assert ran.code == 7
    argv = terminal.berth("cp", f"{rental['id']}:out", "here", "--json").json["argv"]
    assert argv[-2:] == ["127.0.0.1:out", "./here"]


@pytest.mark.parametrize("places", [("a", "b"), ("./3f2a:a", "b")])
def test_one_place_of_two_is_in_a_rental_at_least(
    terminal: Terminal, market: Market, places: tuple[str, str]
) -> None:
    ran = terminal.berth("cp", *places, "--json")
    assert (ran.code, ran.problem["code"]) == (2, "usage")


def test_files_are_copied_from_one_rental_to_another(terminal: Terminal, market: Market) -> None:
    first, second = (terminal.berth(*UP).json["id"] for _ in range(2))
    terminal.program("scp", FAKE_SSH)
    ran = terminal.berth("cp", f"{first}:/data", f"{second}:/x", "--identity", "/k y/id%h")
    said = ran.out.splitlines()
    assert (ran.code, said[0]) == (7, "-3")
    assert said[-3:] == ["--", f"berth-{first}:/data", f"berth-{second}:/x"]
    config = said[said.index("-F") + 1]
    last = Path(config).read_text(encoding="utf-8").splitlines()[-1]
    assert last.split() == ["Include", "~/.ssh/config", "/etc/ssh/ssh_config"]
    # OpenSSH itself reads each end with its own pinned key, and nothing of the other's.
    for rental_id, other in ((first, second), (second, first)):
        asked = ["ssh", "-G", "-F", config, f"berth-{rental_id}"]
        ran_ssh = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60)
        told = dict(line.split(" ", 1) for line in ran_ssh.stdout.splitlines() if " " in line)
        assert (told["hostname"], told["port"], told["user"]) == ("127.0.0.1", "40022", "root")
        assert told["stricthostkeychecking"] == "true"
        assert told["hostkeyalias"] == f"berth-{rental_id}"
        assert told["userknownhostsfile"].endswith(f"/{rental_id}/known_hosts")
        assert "identityfile /k y/id%h" in ran_ssh.stdout.replace("%%", "%")
        assert other not in ran_ssh.stdout
    refused = terminal.berth("cp", f"{first}:a", f"{first}:b", "--json")
    assert (refused.code, refused.problem["code"]) == (1, "same_rental")


@pytest.mark.parametrize(
    "words", [("exec", "{}", "--json", "--", "id"), ("cp", "a", "{}:b", "--json")]
)
def test_before_there_is_a_door_it_is_refused(
    terminal: Terminal, market: Market, words: tuple[str, ...]
) -> None:
    market.script = []
    rental_id = market.add_rental()["id"]
    ran = terminal.berth(*(word.format(rental_id) for word in words))
    assert (ran.code, ran.problem["code"]) == (1, "not_ready")


def test_a_shell_completes_the_ids_of_rentals(terminal: Terminal, market: Market) -> None:
    rental_id = market.add_rental()["id"]
    asked = {"_BERTH_COMPLETE": "complete_bash", "COMP_CWORD": "2"}
    terminal.environment |= asked | {"COMP_WORDS": f"berth ssh {rental_id[:2]}"}
    assert terminal.berth().out.split() == [rental_id[:8]]
    terminal.environment["COMP_WORDS"] = "berth --team 7 ssh "
    terminal.environment["COMP_CWORD"] = "4"
    assert terminal.berth().out.split() == [rental_id[:8]]
    assert market.seen[-1].headers["berth-team"] == "7"
    # Where nobody answers nothing is completed, and nothing is said.
    terminal.environment["BERTH_URL"] = "http://127.0.0.1:1"
    ran = terminal.berth()
    assert (ran.out.strip(), ran.err) == ("", "")


def test_ports_of_a_rental_are_had_here(terminal: Terminal, market: Market) -> None:
    rental = terminal.berth(*UP).json
    terminal.program("ssh", FAKE_SSH)
    ran = terminal.berth("ssh", rental["id"], "--forward", "8888", "-L", "9000:6006", "--no-shell")
    words = ran.out.splitlines()
    assert (ran.code, "-N" in words) == (7, True)
    told = [words[at + 1] for at, word in enumerate(words) if word == "-L"]
    assert told == ["127.0.0.1:8888:127.0.0.1:8888", "127.0.0.1:9000:127.0.0.1:6006"]
    assert "Port 9000 of 127.0.0.1 leads to port 6006 in the rental." in ran.err


@pytest.mark.parametrize(
    "words", [("--forward", "http"), ("--no-shell",), ("-L", "1", "--no-shell", "--", "id")]
)
def test_a_forward_that_makes_no_sense_is_refused_before_anything_is_asked(
    terminal: Terminal, market: Market, words: tuple[str, ...]
) -> None:
    ran = terminal.berth("ssh", "3f2a", *words)
    assert (ran.code, market.seen, len(ran.err.splitlines())) == (2, [], 1)
