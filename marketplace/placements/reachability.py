"""This will look at renters' SSH doors from outside, with another SSH than theirs."""

import errno
import logging
import socket
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from uuid import UUID

import paramiko

from protocol.address import is_public

logger = logging.getLogger(__name__)
DEADLINE_S = 5.0
#: beyond the deadline: what a look-up of a strange name may take, as nothing else bounds that
GRACE_S = 1.0
#: a key exchange is some 3 KiB; a strange server announces packets of 2 GiB and lines without end
TAKEN_BYTES_MAX = 64 << 10
#: what our own client says it is; a host that knew a look from a renter could open to looks alone
CLIENT = "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3"


class BoundedSocket(socket.socket):
    """A socket that gives no more than ``TAKEN_BYTES_MAX`` in all, whatever is asked of it."""

    taken = 0

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Return some bytes.

        :raises OSError: when the other side sends more than the bound.
        """
        if self.taken >= TAKEN_BYTES_MAX:
            # paramiko takes both arguments for granted.
            raise OSError(errno.EMSGSIZE, "The other side sends too much.")
        found = super().recv(min(bufsize, TAKEN_BYTES_MAX - self.taken), flags)
        self.taken += len(found)
        return found


@dataclass(frozen=True, slots=True)
class Door:
    """Where a placement's SSH server should answer, and with which host key."""

    placement_id: UUID
    host: str
    port: int
    #: "ssh-ed25519 AAAA..."
    host_key: str


class Probe(Protocol):
    """Looks at doors from outside."""

    def look(self, doors: Sequence[Door]) -> Mapping[UUID, timedelta]:
        """Return the doors that answered with their own key: how long after the call began."""


class SshProbe:
    """Looks at doors over the network, several at once, each within one deadline."""

    def __init__(self, *, deadline_s: float = DEADLINE_S, public_only: bool = False) -> None:
        self._deadline_s = deadline_s
        self._public_only = public_only

    def look(self, doors: Sequence[Door]) -> Mapping[UUID, timedelta]:
        """Return the doors that answered with their own key: how long after the call began."""
        if not doors:
            return {}
        began = time.monotonic()
        pool = ThreadPoolExecutor(len(doors))
        looks = {pool.submit(self._answered_at, door): door.placement_id for door in doors}
        done, _ = wait(looks, timeout=self._deadline_s + GRACE_S)
        # Whoever is late is not waited for: its thread ends by itself.
        pool.shutdown(wait=False, cancel_futures=True)
        answered = {looks[look]: look.result() for look in done}
        return {
            placement_id: timedelta(seconds=at - began)
            for placement_id, at in answered.items()
            if at is not None
        }

    def _answered_at(self, door: Door) -> float | None:
        return time.monotonic() if self._answers(door) else None

    def _answers(self, door: Door) -> bool:
        try:
            found = host_key_at(
                door.host, door.port, deadline_s=self._deadline_s, public_only=self._public_only
            )
        # paramiko raises whatever a strange server made it stumble over, and a strange host name is
        # a UnicodeError: one host's door must not keep the others' from being seen.
        except Exception as problem:
            logger.info(
                "Door closed", extra={"placement_id": door.placement_id, "problem": str(problem)}
            )
            return False
        if found != " ".join(door.host_key.split()[:2]):
            logger.warning("Door has another key", extra={"placement_id": door.placement_id})
            return False
        return True


def host_key_at(host: str, port: int, *, deadline_s: float, public_only: bool = False) -> str:
    """Return ``ssh-ed25519 AAAA...`` as the SSH server there proves it in a key exchange.

    ``public_only``: the machine's host chose the address, so look at none inside our own network.

    :raises OSError: when nothing answers in time, or the address is not a public one.
    :raises paramiko.SSHException: when what answers is not such an SSH server.
    """
    until = time.monotonic() + deadline_s
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # One address only, so that many dead ones don't add up; Docker publishes on IPv4 everywhere.
    address = str(min(found, key=lambda one: one[0] != socket.AF_INET)[4][0])
    if public_only and not is_public(address):
        raise OSError(f"{address} is not a public address.")
    connected = socket.create_connection((address, port), timeout=deadline_s)
    with BoundedSocket(fileno=connected.detach()) as connection:
        transport = paramiko.Transport(connection)
        transport.local_version = CLIENT
        try:
            transport.banner_timeout = deadline_s
            transport.get_security_options().key_types = ("ssh-ed25519",)
            transport.start_client(timeout=max(0.1, until - time.monotonic()))
            key = transport.get_remote_server_key()
            return f"{key.get_name()} {key.get_base64()}"
        finally:
            transport.close()
