"""This will find the machine that an operator means: by its address and key, or on the market."""

from dataclasses import dataclass
from uuid import UUID

import bittensor_core
from pydantic import ValidationError

from protocol.hardware import Hardware
from protocol.signing import machine_key_of
from protocol.validator import Target
from validator import clock
from validator.env import Configuration
from validator.market import Market, MarketRefused, MarketUnreachable

#: a look by hand is of no listed machine
NO_MACHINE = UUID(int=0)
PORT_MAX = 65_535
#: characters of an id, as pages show it
ID_LEAST = 8
#: machines named in one sentence
NAMED_MOST = 3


class NotFound(Exception):
    """Nobody can tell which machine is meant; the message says what to type instead."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the operator typed."""

    host: str
    port: str | None
    key: str | None
    #: what the proof may use of a machine that the marketplace is not asked about
    cpus: int
    memory_bytes: int


async def find(
    asked: Asked, configuration: Configuration, keypair: bittensor_core.Keypair
) -> Target:
    """Return the machine to look at.

    :raises NotFound: when what was typed names none, or more than one.
    """
    if asked.port is not None and asked.key is not None:
        return _by_hand(asked, asked.port, asked.key)
    if asked.port is not None:
        raise NotFound("Give the machine's key after its port, or the host alone.")
    return _listed(asked.host, await _targets(configuration, keypair))


def as_new(target: Target) -> Target:
    """Return the machine as one that was never proven: its disk and line are measured too."""
    return target.model_copy(update={"proven_at_ms": None})


def _by_hand(asked: Asked, port: str, key: str) -> Target:
    if not port.isdecimal() or not 1 <= int(port) <= PORT_MAX:
        raise NotFound(f"The port must be from 1 to {PORT_MAX}, not {port[:20]!r}.")
    try:
        return Target(
            machine_id=NO_MACHINE,
            machine_key=machine_key_of(key) if key.startswith("ssh-") else key.lower(),
            address=asked.host,
            control_port=int(port),
            claimed=_nothing_claimed(),
            cpus_free=asked.cpus,
            memory_bytes_free=asked.memory_bytes,
        )
    except (ValidationError, ValueError) as error:
        raise NotFound(
            "The machine's key must be 64 hexadecimal digits or an ssh-ed25519 line."
        ) from error


async def _targets(
    configuration: Configuration, keypair: bittensor_core.Keypair
) -> tuple[Target, ...]:
    alone = "To look without it, give address, port and key."
    try:
        async with Market(
            url=configuration.marketplace_url, keypair=keypair, now_ns=clock.now_ns
        ) as market:
            return await market.targets()
    except MarketUnreachable as error:
        raise NotFound(f"No marketplace answers at {configuration.marketplace_url}. {alone}") from (
            error
        )
    except MarketRefused as error:
        raise NotFound(f"The marketplace says: {error} {alone}") from error


def _listed(host: str, targets: tuple[Target, ...]) -> Target:
    wanted = host.lower()
    found = [each for each in targets if wanted == each.address.lower()]
    if not found and len(wanted) >= ID_LEAST:
        found = [each for each in targets if str(each.machine_id).startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotFound(
            f"The marketplace lists no machine {host[:64]!r} to look at. Give its id or address, or"
            " its address, port and key. Of an id the first 8 characters are enough."
        )
    shown = ", ".join(str(each.machine_id) for each in found[:NAMED_MOST])
    more = f" and {len(found) - NAMED_MOST} more" if len(found) > NAMED_MOST else ""
    raise NotFound(f"For {host[:64]} there are several machines. Give an id: {shown}{more}.")


def _nothing_claimed() -> Hardware:
    return Hardware(
        hostname="",
        os="",
        kernel="",
        boot_id="",
        cpu_model="",
        cpus=0,
        memory_bytes=0,
        disk_bytes=0,
        docker_version="",
        storage_driver="",
    )
