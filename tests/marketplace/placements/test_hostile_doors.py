"""What answers a look may be hostile: it costs us a bounded number of bytes, and one log line."""

import logging
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from marketplace.placements.reachability import TAKEN_BYTES_MAX, BoundedSocket, Door, SshProbe

#: what the kernels hold on the way is not taken, but sent
BUFFERED_BYTES_MAX = 512 << 10
SENDS_BYTES = 64 << 20
HELLO = b"SSH-2.0-OpenSSH_9.2\r\n"


def endless_line(accepted: socket.socket) -> bytes:
    return b"A" * 65536


def huge_packet(accepted: socket.socket) -> bytes:
    accepted.sendall(HELLO)
    accepted.recv(1)
    accepted.sendall(struct.pack(">I", 0x7FFFFFF4) + b"\x04")
    return b"B" * 65536


def many_lines(accepted: socket.socket) -> bytes:
    return b"".join(b"GARB\x1b]0;pwned\x07\x1b[2J%d\r\n" % number for number in range(3000))


class Flood:
    """Sends one look as much as it takes, at most ``SENDS_BYTES``."""

    def __init__(self, begin: Callable[[socket.socket], bytes]) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.sent = 0
        self._begin = begin
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def door(self) -> Door:
        port = self.listener.getsockname()[1]
        return Door(uuid4(), host="127.0.0.1", port=port, host_key="ssh-ed25519 AAAA")

    def _serve(self) -> None:
        accepted, _ = self.listener.accept()
        with accepted:
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            try:
                blob = self._begin(accepted)
                while self.sent < SENDS_BYTES:
                    self.sent += accepted.send(blob)
            except OSError:
                return


@pytest.fixture(params=[endless_line, huge_packet, many_lines])
def flood(request: pytest.FixtureRequest) -> Iterator[Flood]:
    flood = Flood(request.param)
    yield flood
    flood.thread.join(timeout=60)
    flood.listener.close()


def test_a_look_takes_a_bounded_number_of_bytes(flood: Flood) -> None:
    assert SshProbe().look([flood.door()]) == {}
    flood.thread.join(timeout=60)
    assert flood.sent < BUFFERED_BYTES_MAX


def test_a_hostile_door_is_one_line_of_log(flood: Flood, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        SshProbe().look([flood.door()])
    assert [record.getMessage() for record in caplog.records] == ["Door closed"]


@pytest.mark.parametrize("asked", [1 << 10, (1 << 31) - 1])
def test_a_socket_gives_no_more_than_its_bound(asked: int) -> None:
    ours, theirs = socket.socketpair()
    sender = threading.Thread(target=send_all, args=(theirs, b"A" * (8 * TAKEN_BYTES_MAX)))
    sender.start()
    with BoundedSocket(fileno=ours.detach()) as bounded:
        with pytest.raises(OSError, match="sends too much"):
            drain(bounded, asked)
        assert bounded.taken == TAKEN_BYTES_MAX
    theirs.close()
    sender.join(timeout=60)


def drain(bounded: socket.socket, asked: int) -> None:
    while bounded.recv(asked):
        pass


def send_all(theirs: socket.socket, blob: bytes) -> None:
    try:
        theirs.sendall(blob)
    except OSError:
        return
