"""What a renter's editor and tools do with a rental of any image: tunnels, agents, many at once."""

import contextlib
import socket
import struct
import subprocess
from pathlib import Path

import pytest

from tests.miner_agent.access.places import PORT, SOCKET
from tests.miner_agent.access.renter import PATIENCE_S, Echo, Renter
from tests.ports import free_port

MANY = 20


def asked(where: str | tuple[str, int]) -> bytes:
    """Return what is answered to a greeting at a socket file or a port."""
    family = socket.AF_UNIX if isinstance(where, str) else socket.AF_INET
    with socket.socket(family) as line:
        line.settimeout(PATIENCE_S)
        line.connect(where)
        line.sendall(b"hello")
        return line.recv(64)


def asked_through(proxy: int, port: int) -> bytes:
    """Return the same through a SOCKS server. Source: RFC 1928, sections 3 to 6."""
    with socket.create_connection(("127.0.0.1", proxy), timeout=PATIENCE_S) as line:
        line.sendall(b"\x05\x01\x00")
        assert line.recv(2) == b"\x05\x00"
        line.sendall(b"\x05\x01\x00\x03\x09localhost" + struct.pack(">H", port))
        assert line.recv(10)[:2] == b"\x05\x00"
        line.sendall(b"hello")
        return line.recv(64)


@pytest.mark.parametrize("to", [f"127.0.0.1:{PORT}", SOCKET], ids=["port", "socket"])
def test_a_local_tunnel_reaches_what_listens_inside(
    renter: Renter, to: str, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    renter.forward("-L", f"{here}:{to}")
    assert asked(str(here)) == b"hello"
    port = free_port()
    renter.forward("-L", f"{port}:{to}")
    assert asked(("127.0.0.1", port)) == b"hello"


def test_a_tunnel_back_reaches_the_renters_machine(renter: Renter, echo: Echo) -> None:
    port = renter.forward("-R", f"0:127.0.0.1:{echo.port}")
    assert renter.run(f"/probe call-tcp {port}") == "hello"
    renter.forward("-R", f"/tmp/back.sock:127.0.0.1:{echo.port}")
    assert renter.run("/probe call-unix /tmp/back.sock") == "hello"
    assert echo.visits == 2


def test_one_connection_carries_input_and_output_of_a_port(renter: Renter) -> None:
    line = subprocess.Popen(
        renter.ssh("-W", f"127.0.0.1:{PORT}", "door"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert line.stdin is not None
    assert line.stdout is not None
    line.stdin.write(b"hello")
    line.stdin.flush()
    assert line.stdout.read(5) == b"hello"
    line.stdin.close()
    assert line.wait(PATIENCE_S) == 0
    line.stdout.close()


def test_a_rental_is_a_jump_host(renter: Renter) -> None:
    assert renter.do(renter.ssh("inside", "echo there")).stdout == b"there\n"


def test_the_machines_own_loopback_is_not_reached(renter: Renter, echo: Echo) -> None:
    place = f"127.0.0.1:{echo.port}"
    direct = renter.do(renter.ssh("-W", place, "door"), b"hello")
    assert direct.returncode == 255
    assert b"forwarding failed" in direct.stderr
    port = free_port()
    renter.forward("-L", f"{port}:{place}")
    with contextlib.suppress(ConnectionError):
        assert asked(("127.0.0.1", port)) == b""
    assert echo.visits == 0


def test_an_editor_bootstraps_on_stdin_and_talks_through_the_proxy(renter: Renter) -> None:
    proxy = free_port()
    editor = subprocess.Popen(
        renter.ssh("-T", "-D", str(proxy), "door", "sh"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert editor.stdin is not None
    assert editor.stdout is not None
    editor.stdin.write(b'echo "start:$(uname -s)"\nprintf "done:%s\\n" "$HOME"\n')
    editor.stdin.flush()
    assert editor.stdout.readline() == b"start:Linux\n"
    assert editor.stdout.readline() == b"done:/root\n"
    assert [asked_through(proxy, PORT) for _ in range(8)] == [b"hello"] * 8
    editor.stdin.close()
    assert editor.wait(PATIENCE_S) == 0
    editor.stdout.close()


def test_the_renters_agent_is_reached_from_inside(renter: Renter, tmp_path: Path) -> None:
    place = str(tmp_path / "agent")
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", place], stdout=subprocess.PIPE)
    assert agent.stdout is not None
    try:
        agent.stdout.readline()
        environment = {"SSH_AUTH_SOCK": place, "PATH": "/usr/bin:/bin"}
        key = str(renter.host.key)
        subprocess.run(["ssh-add", "-q", key], env=environment, check=True, timeout=PATIENCE_S)
        asked_inside = subprocess.run(
            renter.ssh("-A", "door", "/probe keys"),
            env=environment,
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        )
    finally:
        agent.terminate()
        agent.wait()
        agent.stdout.close()
    assert asked_inside.stdout == b"1 keys\n"


def test_one_connection_carries_many_sessions(renter: Renter) -> None:
    command = renter.ssh("-S", str(renter.control), "door", "cat")
    sessions = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(MANY)
    ]
    # Each answers before any of them ends.
    for number, session in enumerate(sessions):
        assert session.stdin is not None
        session.stdin.write(f"{number}\n".encode())
        session.stdin.flush()
    heard = [session.stdout.readline() for session in sessions if session.stdout is not None]
    assert heard == [f"{number}\n".encode() for number in range(MANY)]
    for session in sessions:
        assert session.communicate(timeout=PATIENCE_S)[0] == b""


def test_many_log_in_at_once(renter: Renter) -> None:
    command = renter.ssh("door", "echo ok")
    logins = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(MANY)
    ]
    said = [login.communicate(timeout=PATIENCE_S) for login in logins]
    assert said == [(b"ok\n", b"")] * MANY
