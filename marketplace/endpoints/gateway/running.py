"""This will run a gateway: its server, and what it has to know and to tell meanwhile."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_ssh_private_key,
)
from django.utils import timezone

from marketplace import secret_key
from marketplace.endpoints.actions.register_gateway import HELD, KeyInUse, register
from marketplace.endpoints.actions.tell_looks import tell_looks
from marketplace.endpoints.gateway import routes, serving
from marketplace.endpoints.gateway.application import Gateway
from marketplace.endpoints.gateway.machines import Machines
from marketplace.endpoints.gateway.pool import Pool
from marketplace.watch import in_thread
from protocol.signing import openssh_public_key, public_key_of

logger = logging.getLogger(__name__)
#: what changed in the database is known after this, and told after that
READ_S, LOOK_S = 0.5, 0.25
#: several times before the key is another process's (register_gateway.HELD)
PRESENT_S = 4.0
#: a key is waited for, as whoever was killed seems to have it for a while
TAKE_S, TRY_S = HELD.total_seconds() + 5, 0.5


@dataclass(frozen=True, slots=True)
class Identity:
    """By what machines know this gateway."""

    #: OpenSSH's own format
    private: str
    #: "ssh-ed25519 AAAA..."
    public: str
    #: nobody else's, though a key may be copied
    process: UUID = field(default_factory=uuid4)


def identity(path: Path) -> Identity:
    """Return the gateway's key, made on first use and readable by its owner only.

    :raises ValueError: when the file holds no ed25519 key.
    """
    private = secret_key.load_or_create(path, make=_new_key) + "\n"
    key = load_ssh_private_key(private.encode(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{path} holds no ed25519 key; remove it, and another one is made.")
    return Identity(private=private, public=openssh_public_key(public_key_of(key)))


def take_key(who: Identity) -> None:
    """Have the gateway's key, after a moment where whoever had it was killed.

    :raises KeyInUse: when another gateway has it.
    """
    give_up_at = time.monotonic() + TAKE_S
    while True:
        try:
            return register(public_key=who.public, process=who.process, now=timezone.now())
        except KeyInUse:
            if time.monotonic() >= give_up_at:
                raise
        time.sleep(TRY_S)


async def run(*, who: Identity, host: str, port: int, public_only: bool) -> None:
    """Serve callers until SIGTERM or SIGINT. ``public_only``: visit no machine in private networks.

    It has taken its key before. Without the database it goes on with what it knows.
    """
    pool = Pool(
        Machines(key=who.private, public_only=public_only),
        chance=SystemRandom(),
        clock=timezone.now,
    )
    server = serving.server(Gateway(pool), host=host, port=port)
    await _read(pool)
    duties = [
        asyncio.create_task(_again_and_again(duty, every_s))
        for duty, every_s in (
            (lambda: _register(who), PRESENT_S),
            (lambda: _read(pool), READ_S),
            (lambda: _look(pool, who), LOOK_S),
        )
    ]
    try:
        await server.serve()
    finally:
        for duty in duties:
            duty.cancel()
        for duty in duties:
            with suppress(asyncio.CancelledError):
                await duty


async def _again_and_again(duty: Callable[[], Awaitable[None]], every_s: float) -> None:
    while True:
        try:
            await duty()
        except Exception:
            # A lost database must not end it: callers are served with what is known.
            logger.exception("The gateway could not do a part of its work")
        await asyncio.sleep(every_s)


async def _register(who: Identity) -> None:
    await in_thread(register)(public_key=who.public, process=who.process, now=timezone.now())


async def _read(pool: Pool) -> None:
    pool.follow(await in_thread(routes.read)())


async def _look(pool: Pool, who: Identity) -> None:
    pool.look()
    news = pool.news()
    if news and await in_thread(tell_looks)(
        looks=news, blind=pool.is_blind, process=who.process, now=timezone.now()
    ):
        pool.was_told(news)


def _new_key() -> str:
    content = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()
    )
    return content.decode().strip()
