"""What a renter does in a rental of any image, with the system's own OpenSSH."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from tests.miner_agent.access.conftest import VARIABLES
from tests.miner_agent.access.places import PATH_INSIDE
from tests.miner_agent.access.renter import PATIENCE_S, Renter, digest, noise
from tests.miner_agent.access.terminal import Terminal
from tests.miner_agent.host import docker

SIZE = 3 << 20


def where(renter: Renter) -> str:
    return renter.place.folder or "/root"


def test_a_command_is_run_and_its_status_comes_back(renter: Renter) -> None:
    finished = renter.do(renter.ssh("door", "echo out; echo err >&2; exit 42"))
    assert (finished.stdout, finished.stderr, finished.returncode) == (b"out\n", b"err\n", 42)


def test_a_command_that_a_signal_ends_says_so(renter: Renter) -> None:
    finished = renter.do(renter.ssh("-v", "door", "kill -KILL $$"))
    assert finished.returncode == 255
    assert b"rtype exit-signal" in finished.stderr


def test_the_end_of_the_input_arrives_and_output_still_comes_after_it(renter: Renter) -> None:
    assert renter.do(renter.ssh("door", "cat; echo after"), b"in").stdout == b"inafter\n"


def test_bytes_of_every_value_go_both_ways(renter: Renter) -> None:
    content = noise(SIZE)
    finished = renter.do(renter.ssh("door", "tee /tmp/noise"), content)
    assert hashlib.sha256(finished.stdout).digest() == hashlib.sha256(content).digest()
    assert renter.run("sha256sum < /tmp/noise").split()[0] == hashlib.sha256(content).hexdigest()


def test_a_session_has_the_variables_of_the_image_and_of_the_renter(renter: Renter) -> None:
    wanted = {**VARIABLES, "FROM_IMAGE": "one", "PATH": f"{PATH_INSIDE}:/.access/bin"}
    values = " ".join(f'"${name}"' for name in wanted)
    shown = renter.run(f"printf '<%s>' {values}")
    assert shown == "".join(f"<{value}>" for value in wanted.values())


def test_a_login_shell_has_the_images_path(renter: Renter) -> None:
    terminal = Terminal(renter.ssh("-tt", "door"), rows=20, columns=2000)
    terminal.type('echo "<$PATH>" "<$HOME>" "<$PWD>"; exit\n')
    terminal.expect(f"<{PATH_INSIDE}:/.access/bin> </root> <{where(renter)}>")
    assert terminal.wait() == 0


def test_every_session_starts_in_the_images_folder(renter: Renter) -> None:
    assert renter.run("pwd") == where(renter)
    copied = renter.do(renter.ssh("door", program="sftp"), b"pwd\n")
    assert f"Remote working directory: {where(renter)}" in copied.stdout.decode()


def test_the_images_user_runs_its_command_and_may_log_in(renter: Renter) -> None:
    place = renter.place
    label = f"label=berth.placement={renter.desired.placement_id}"
    name = docker("ps", "-q", "--filter", label)
    users = {
        line.split()[1]
        for line in docker("top", name, "-eo", "pid,uid,args").splitlines()[1:]
        if line.split()[2] == "/probe"
    }
    init = docker("inspect", "-f", "{{.State.Pid}}", name).strip()
    # From inside to outside: who is 0 in a mapped container is somebody else's nobody here.
    inside, outside, _ = Path(f"/proc/{init}/uid_map").read_text().split()[:3]
    assert users == {str(place.number - int(inside) + int(outside))}
    command = 'id -u; pwd; printf "%s\\n" "$FROM_IMAGE"; echo x > /tmp/mine'
    login = renter.do(renter.ssh("-l", place.login, "door", command))
    assert login.stdout.decode().split() == [str(place.number), place.folder or "/", "one"]
    assert login.stderr == b""
    assert renter.run("id -u; stat -c %u /tmp/mine").split() == ["0", str(place.number)]


def test_a_name_that_the_image_does_not_have_stays_out(renter: Renter) -> None:
    assert renter.do(renter.ssh("-l", "nobody-here", "door", "id")).returncode == 255


def test_a_terminal_has_the_size_of_the_renters_and_follows_it(renter: Renter) -> None:
    terminal = Terminal(renter.ssh("-tt", "door", "/probe size"), rows=31, columns=97)
    terminal.expect("size 31x97.")
    terminal.resize(40, 120)
    terminal.expect("size 40x120.")
    terminal.type("\x03")
    assert terminal.wait() == 255


def test_a_shell_survives_the_interrupt_of_its_command_and_returns_its_status(
    renter: Renter,
) -> None:
    terminal = Terminal(renter.ssh("-tt", "door"), rows=24, columns=80)
    terminal.type("PS1=rea'dy: '; echo is-$((1+1)); cat\n")
    terminal.expect("is-2")
    terminal.type("typed\n")
    terminal.expect("typed\r\ntyped")
    terminal.type("\x03")
    # What is typed before the shell is back is thrown away with the interrupt.
    terminal.expect("ready: ")
    terminal.type("echo still-$((1+2))\n")
    terminal.expect("still-3")
    terminal.type("exit 7\n")
    assert terminal.wait() == 7


def test_a_client_that_vanishes_leaves_no_shell(renter: Renter) -> None:
    terminal = Terminal(renter.ssh("-tt", "door"), rows=24, columns=80)
    terminal.type("echo pid-$$-\n")
    terminal.expect("pid-")
    # The line that was typed is shown too.
    process = next(part for part in iter(lambda: terminal.expect("-")[:-1], "") if part.isdigit())
    assert renter.run(f"kill -0 {process} && echo there") == "there"
    terminal.kill()
    deadline = time.monotonic() + PATIENCE_S
    while renter.run(f"kill -0 {process} 2>/dev/null && echo there || echo gone") == "there":
        assert time.monotonic() < deadline


@pytest.mark.parametrize("protocol", ["-s", "-O"])
def test_scp_copies_both_ways_and_a_relative_path_is_where_sessions_start(
    renter: Renter, protocol: str, tmp_path: Path
) -> None:
    source, back = tmp_path / "a file", tmp_path / "back"
    source.write_bytes(noise(SIZE))
    there = renter.do(renter.ssh(protocol, str(source), "door:copied", program="scp"))
    assert there.returncode == 0, there.stderr
    assert renter.run("sha256sum copied").split()[0] == digest(source)
    again = renter.do(renter.ssh(protocol, "door:copied", str(back), program="scp"))
    assert again.returncode == 0, again.stderr
    assert digest(back) == digest(source)
    assert renter.run("rm copied") == ""


def test_sftp_copies_both_ways(renter: Renter, tmp_path: Path) -> None:
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(noise(SIZE))
    batch = f"put {source} /tmp/sent\nget /tmp/sent {back}\nrm /tmp/sent\n"
    finished = renter.do(renter.ssh("-b", "-", "door", program="sftp"), batch.encode())
    assert finished.returncode == 0, finished.stderr
    assert digest(back) == digest(source)


def test_rsync_copies_a_folder_both_ways(renter: Renter, tmp_path: Path) -> None:
    source, back = tmp_path / "source", tmp_path / "back"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "one").write_bytes(noise(SIZE))
    (source / "two").write_text("two")
    (source / "two").chmod(0o751)
    shell = " ".join(renter.ssh())
    for pair in ([f"{source}/", "door:/tmp/tree/"], ["door:/tmp/tree/", f"{back}/"]):
        finished = renter.do(["rsync", "-a", "-e", shell, *pair])
        assert finished.returncode == 0, finished.stderr
    assert digest(back / "deep" / "one") == digest(source / "deep" / "one")
    assert os.stat(back / "two").st_mode == os.stat(source / "two").st_mode
