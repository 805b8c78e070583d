"""This will be an SSH client that takes from a server what a look needs and nothing beyond it.

asyncssh bounds what a server sends through a channel. What it may send beside them (banners,
messages to ignore, stderr, requests, new key exchanges) has no end there; here all of it has.
"""

import asyncio
import time
from collections.abc import Awaitable
from functools import cache
from typing import TypeAlias, cast

import asyncssh
from asyncssh.packet import SSHPacketLogger
from asyncssh.public_key import SigningKey

from protocol.validator import SSH_USER
from validator.ssh.output import WINDOW_BYTES, expected
from validator.ssh.writes import GatheredWrites

#: bytes before the log-in is done; an honest machine sends about 3 kB
LOGIN_BYTES_MAX = 65_536
#: bytes of a whole connection. Source: gpu_verification.md 5.3
CONNECTION_BYTES_MAX = 67_108_864
#: Seconds of a processor that taking in one connection's messages may take: an honest look takes
#: about 0.02, while ten million empty messages fit into the bytes above. By the wall clock whatever
#: else keeps the computer busy would count against the machine.
TAKING_S_MAX = 2.0
#: Messages that nobody asked for: openings of channels, requests, banners, notes. An honest agent
#: sends one every 30 s, to see whether we are there.
UNASKED_MAX = 32
#: Bytes taken in without a pause: the other machines of this loop have their clocks to be read.
PART_BYTES = 8_192
PACKET_BYTES = 32_768

#: message numbers. Source: RFC 4253 section 12, RFC 4252 section 6, RFC 4254 section 9
_IGNORE, _UNIMPLEMENTED, _DEBUG, _KEXINIT = 2, 3, 4, 20
_BANNER, _GLOBAL_REQUEST, _CHANNEL_OPEN = 53, 80, 90
#: the flag that says that a signature follows. Source: RFC 4252 section 7
_SIGNED = b"\x01"
_UNASKED = frozenset({_UNIMPLEMENTED, _DEBUG, _BANNER, _GLOBAL_REQUEST, _CHANNEL_OPEN})


#: a private key and the certificate of its public half
Own: TypeAlias = tuple[asyncssh.SSHKey, asyncssh.SSHCertificate]


class TookTooMuch(asyncssh.ProtocolError):
    """The server sent more than a look needs."""


class Visitor(asyncssh.SSHClient):
    """Who logs in: with one certificate, at a server that shows one key."""

    def __init__(self) -> None:
        self._connection: GuardedConnection | None = None

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        """Remember whose log-in this is."""
        self._connection = cast(GuardedConnection, conn)

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        """Accept the machine's own key and no other."""
        return self._connection is not None and key == self._connection.machine_key

    def auth_completed(self) -> None:
        """Let who waits for the log-in go on."""
        if self._connection is not None:
            self._connection.enter()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits for the log-in that it will not be."""
        if self._connection is not None and not self._connection.logged_in.done():
            lost = expected(exc) or asyncssh.ConnectionLost("The server hung up.")
            self._connection.logged_in.set_exception(lost)
        self._connection = None


class GuardedConnection(asyncssh.SSHClientConnection):
    """One connection with a limit on everything that the server decides."""

    def __init__(self, *, machine_key: asyncssh.SSHKey, own_key: Own) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(loop, _options())
        self.machine_key = machine_key
        self._own_key: Own | None = own_key
        self._pair: asyncssh.SSHKeyPair | None = None
        self._asked = False
        #: done when the server has let us in; its exception says why it did not
        self.logged_in: asyncio.Future[None] = loop.create_future()
        #: when the latest bytes came off the socket, on the loop's clock
        self.heard_at = loop.time()
        self._clock = loop.time
        self._call_soon = loop.call_soon
        self._from: asyncio.Transport | None = None
        self._writes: GatheredWrites | None = None
        self._waiting = bytearray()
        self._bytes_left = LOGIN_BYTES_MAX
        self._taking_s_left = TAKING_S_MAX
        self._unasked_left = UNASKED_MAX
        self._key_exchanged = False

    @property
    def has_socket(self) -> bool:
        """Say whether the socket is this connection's to close."""
        return self._from is not None

    @property
    def has_entered(self) -> bool:
        """Say whether the server has let us in."""
        entered = self.logged_in
        return entered.done() and not entered.cancelled() and entered.exception() is None

    def try_next_auth(self, *, next_method: bool = False) -> None:
        """Log in by key from the first, without asking which ways there are: a round trip less."""
        if not self._asked:
            self._asked = True
            self._auth_methods = [b"publickey"]
        super().try_next_auth(next_method=next_method)

    async def public_key_auth_requested(self) -> asyncssh.SSHKeyPair | None:
        """Offer the one key once."""
        own, self._own_key = self._own_key, None
        self._pair = None if own is None else asyncssh.load_keypairs([own])[0]
        return self._pair

    async def send_userauth_request(
        self,
        method: bytes,
        *args: bytes,
        key: SigningKey | None = None,
        trivial: bool = True,
    ) -> None:
        """Sign at once, without asking whether this key would do: another round trip less."""
        if method == b"publickey" and key is None and self._pair is not None:
            key, trivial, args = self._pair, False, (_SIGNED, *args[1:])
        await super().send_userauth_request(method, *args, key=key, trivial=trivial)

    def enter(self) -> None:
        """Take that the server has let us in."""
        self._bytes_left += CONNECTION_BYTES_MAX
        if not self.logged_in.done():
            self.logged_in.set_result(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, to pause it."""
        self._from = cast(asyncio.Transport, transport)
        self._writes = GatheredWrites(self._from, self._call_soon)
        super().connection_made(cast(asyncio.Transport, self._writes))

    def data_received(self, data: bytes, datatype: int | None = None) -> None:
        """Take bytes in, a part in each turn of the loop."""
        self.heard_at = self._clock()
        self._bytes_left -= len(data)
        if self._bytes_left < 0:
            self._end("The server sent too many bytes.")
            return
        self._waiting += data
        if len(self._waiting) == len(data):
            self._take_part()

    def send_packet(
        self, pkttype: int, *args: bytes, handler: SSHPacketLogger | None = None
    ) -> None:
        """Send one message; none to ignore, which only ciphers that are not offered here need."""
        if pkttype != _IGNORE:
            super().send_packet(pkttype, *args, handler=handler)

    def log_sent_packet(self, *args: object, **kwargs: object) -> None:
        """Build no log line: nobody reads one of each message."""

    def log_received_packet(self, *args: object, **kwargs: object) -> None:
        """Build no log line: nobody reads one of each message."""

    def process_packet(
        self, pkttype: int, pktid: int, packet: "asyncssh.packet.SSHPacket"
    ) -> bool | Awaitable[None]:
        """Take one message that belongs to no channel; a server gets one key exchange."""
        if pkttype == _KEXINIT:
            if self._key_exchanged:
                raise TookTooMuch("The server wants new keys, for a few kilobytes.")
            self._key_exchanged = True
        elif pkttype in _UNASKED:
            self._unasked_left -= 1
            if self._unasked_left < 0:
                raise TookTooMuch("The server sends what nobody asked for.")
        return super().process_packet(pkttype, pktid, packet)

    def _take_part(self) -> None:
        part = bytes(self._waiting[:PART_BYTES])
        del self._waiting[:PART_BYTES]
        began_s = time.thread_time()
        super().data_received(part)
        self._taking_s_left -= time.thread_time() - began_s
        if self._writes is not None:
            self._writes.flush()
        if self._taking_s_left < 0:
            self._end("The server's messages cost too much.")
        elif self._from is None or self._from.is_closing():
            self._waiting.clear()
        elif self._waiting:
            self._from.pause_reading()
            self._call_soon(self._take_part)
        else:
            self._from.resume_reading()

    def _end(self, why: str) -> None:
        self._waiting.clear()
        self.connection_lost(TookTooMuch(why))


@cache
def _options() -> asyncssh.SSHClientConnectionOptions:
    """Return what holds for every connection: made once, as making it costs as much as a visit."""
    return asyncssh.SSHClientConnectionOptions(
        client_factory=Visitor,
        username=SSH_USER,
        # Neither files, environment nor programs of the computer that the validator runs on.
        config=None,
        known_hosts=([], [], []),
        client_keys=None,
        agent_path=None,
        gss_host=None,
        x509_trusted_certs=None,
        preferred_auth="publickey",
        public_key_auth=True,
        password_auth=False,
        kbdint_auth=False,
        host_based_auth=False,
        server_host_key_algs=["ssh-ed25519"],
        signature_algs=["ssh-ed25519"],
        kex_algs=["curve25519-sha256"],
        encryption_algs=["aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com"],
        mac_algs=["hmac-sha2-256-etm@openssh.com"],
        compression_algs=None,
        login_timeout=0,
        # Every wait of ours has its own end.
        keepalive_interval=0,
        tcp_keepalive=False,
        rekey_bytes=1 << 40,
        agent_forwarding=False,
        request_pty=False,
        x11_forwarding=False,
        command=None,
        env={},
        send_env=[],
        encoding=None,
        window=WINDOW_BYTES,
        max_pktsize=PACKET_BYTES,
    )
