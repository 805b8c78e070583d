import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from random import Random
from uuid import UUID, uuid4

import paramiko
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.db import connection

from marketplace.placements.actions.look_again import look_again
from marketplace.placements.actions.observe import observe
from marketplace.placements.actions.prove_reachable import prove_reachable
from marketplace.placements.actions.request_end import request_end
from marketplace.placements.models import Placement
from marketplace.placements.reachability import Door, SshProbe
from protocol.agent import ObservedState
from protocol.signing import openssh_public_key, public_key_of
from tests.marketplace.scene import HOST_KEY, after, machine, placement, seen


@dataclass
class Outside:
    """Answers for the network: which doors open, and how long each takes."""

    opens: bool = True
    looked_at: list[Door] = field(default_factory=list)

    def look(self, doors: Sequence[Door]) -> Mapping[UUID, timedelta]:
        self.looked_at.extend(doors)
        return {door.placement_id: timedelta(seconds=2) for door in doors} if self.opens else {}


class Server(paramiko.ServerInterface):
    """Lets nobody in."""


@dataclass
class SshServer:
    """Answers the key exchange of a real SSH connection on a port of the loopback."""

    private: Ed25519PrivateKey
    listener: socket.socket

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    @property
    def host_key(self) -> str:
        return openssh_public_key(public_key_of(self.private))

    def serve(self, key: paramiko.PKey) -> None:
        while True:
            try:
                accepted, _ = self.listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(accepted)
            transport.add_server_key(key)
            try:
                transport.start_server(server=Server(), event=threading.Event())
            except (EOFError, paramiko.SSHException):
                continue


@pytest.fixture
def ssh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    private = Ed25519PrivateKey.generate()
    path = tmp_path_factory.mktemp("key") / "host_key"
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    listener = socket.create_server(("127.0.0.1", 0))
    server = SshServer(private, listener)
    key = paramiko.Ed25519Key.from_private_key_file(str(path))
    thread = threading.Thread(target=server.serve, args=(key,), daemon=True)
    thread.start()
    yield server
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(timeout=60)


def door(port: int, host_key: str) -> Door:
    return Door(placement_id=uuid4(), host="127.0.0.1", port=port, host_key=host_key)


def test_a_door_with_its_own_key_answers(ssh_server: SshServer) -> None:
    right = door(ssh_server.port, f"{ssh_server.host_key} a comment")
    found = SshProbe().look([right])
    assert timedelta(0) < found[right.placement_id] < timedelta(seconds=5)


def test_a_door_with_another_key_does_not_count(ssh_server: SshServer) -> None:
    other = openssh_public_key(public_key_of(Ed25519PrivateKey.generate()))
    assert SshProbe().look([door(ssh_server.port, other)]) == {}


def test_a_closed_port_does_not_count() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert SshProbe().look([door(port, "ssh-ed25519 AAAA")]) == {}


def test_what_accepts_but_never_speaks_is_given_up_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        silent = SshProbe(deadline_s=0.3)
        assert silent.look([door(port, "ssh-ed25519 AAAA")]) == {}


def test_a_look_says_that_it_is_what_renters_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(SshProbe().look, [door(listener.getsockname()[1], "ssh-ed25519 AAAA")])
        accepted, _ = listener.accept()
        with accepted, accepted.makefile("rb") as heard:
            accepted.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
            assert heard.readline().startswith(b"SSH-2.0-OpenSSH_")
        assert asked.result() == {}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::ffff:127.0.0.1"])
def test_an_address_inside_our_network_is_not_looked_at(ssh_server: SshServer, host: str) -> None:
    inside = Door(uuid4(), host=host, port=ssh_server.port, host_key=ssh_server.host_key)
    assert SshProbe(public_only=True).look([inside]) == {}


def test_a_name_that_cannot_be_looked_up_does_not_hide_the_other_doors(
    ssh_server: SshServer,
) -> None:
    strange = Door(uuid4(), host="a..b", port=22, host_key="ssh-ed25519 AAAA")
    right = door(ssh_server.port, ssh_server.host_key)
    assert list(SshProbe().look([strange, right])) == [right.placement_id]


def running(**told: object) -> Placement:
    on = machine()
    it = placement(on)
    one = seen(it.id, ObservedState.RUNNING, **told)  # type: ignore[arg-type]
    observe(machine_id=on.id, observed=[one], now=after(1))
    return it


DOOR = {"ssh_port": 20001, "ssh_host_key": HOST_KEY}


@pytest.mark.django_db
def test_billing_may_start_when_the_door_answered_not_when_the_pass_began() -> None:
    it = running(**DOOR)
    assert prove_reachable(now=after(10), probe=Outside()) == 1
    it.refresh_from_db()
    assert it.reachable_at == after(12)


@pytest.mark.django_db
def test_a_door_is_proven_once() -> None:
    running(**DOOR)
    outside = Outside()
    prove_reachable(now=after(10), probe=outside)
    assert prove_reachable(now=after(20), probe=outside) == 0
    assert len(outside.looked_at) == 1


@pytest.mark.django_db
def test_a_door_that_stays_closed_is_looked_at_again() -> None:
    it = running(**DOOR)
    assert prove_reachable(now=after(10), probe=Outside(opens=False)) == 0
    assert prove_reachable(now=after(20), probe=Outside()) == 1
    it.refresh_from_db()
    assert it.reachable_at == after(22)


@pytest.mark.django_db
def test_a_door_that_stays_closed_is_looked_at_less_and_less() -> None:
    running(**DOOR)
    outside = Outside(opens=False)
    looks = []
    for second in (1 + tenth / 5 for tenth in range(5 * 299)):
        before = len(outside.looked_at)
        prove_reachable(now=after(second), probe=outside)
        looks += [second] if len(outside.looked_at) > before else []
    gaps = [later - sooner for sooner, later in pairwise(looks)]
    assert gaps[0] <= 0.21
    assert max(gaps) <= 15.3
    assert len(looks) < 50


@pytest.mark.django_db
def test_a_door_that_was_never_seen_is_tried_and_not_looked_at_again() -> None:
    running(**DOOR)
    prove_reachable(now=after(10), probe=Outside(opens=False))
    outside = Outside()
    assert look_again(now=after(60), probe=outside, chance=Random(1)) == 0
    assert outside.looked_at == []


@pytest.mark.django_db
def test_a_door_whose_port_or_key_is_not_known_is_not_looked_at() -> None:
    running()
    running(ssh_port=20001)
    outside = Outside()
    prove_reachable(now=after(10), probe=outside)
    assert outside.looked_at == []


@pytest.mark.django_db
def test_a_placement_that_was_stopped_while_its_door_was_looked_at_is_not_reachable() -> None:
    it = running(**DOOR)

    class StopsMeanwhile(Outside):
        def look(self, doors: Sequence[Door]) -> Mapping[UUID, timedelta]:
            request_end(placement_id=it.id, reason_code="renter", reason="", now=after(11))
            return super().look(doors)

    assert prove_reachable(now=after(10), probe=StopsMeanwhile()) == 0
    it.refresh_from_db()
    assert it.reachable_at is None


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_the_network_is_used() -> None:
    running(**DOOR)

    class LooksAround(Outside):
        def look(self, doors: Sequence[Door]) -> Mapping[UUID, timedelta]:
            assert not connection.in_atomic_block
            return super().look(doors)

    assert prove_reachable(now=after(10), probe=LooksAround()) == 1
