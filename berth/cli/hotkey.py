"""This will let a host name the hotkey that earns for a machine, with that hotkey's signature."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from berth.cli import output, session
from berth.cli.options import AsJson
from berth.client import Client
from berth.hosting import Consent, HostedMachine
from berth.problem import Refused
from protocol.hotkey_consent import HotkeyConsent

KEY_FILE_BYTES_MAX = 16_384


@dataclass(frozen=True, slots=True)
class Signed:
    """A hotkey's consent."""

    #: ss58
    hotkey: str
    at: datetime
    #: hex
    signature: str


MachineId = Annotated[
    str, typer.Argument(metavar="MACHINE", help="Its id or key, or how the id begins.")
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key", metavar="FILE", help="The hotkey's file in a wallet; signs here, and never leaves."
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address", metavar="SS58", help="The hotkey's address: shows what to sign elsewhere."
    ),
]
SignedAt = Annotated[
    datetime | None,
    typer.Option(
        "--signed-at", formats=["%Y-%m-%dT%H:%M:%SZ"], metavar="TIME", help="The time in that text."
    ),
]
Signature = Annotated[
    str | None, typer.Option(metavar="HEX", help="What the wallet made of that text, in hex.")
]


def hotkey(
    *,
    machine: MachineId,
    key: KeyFile = None,
    address: Address = None,
    signed_at: SignedAt = None,
    signature: Signature = None,
    as_json: AsJson = False,
) -> None:
    """Name the Bittensor hotkey that earns for your machine, with its signature."""
    by_hand = signed_at is not None or signature is not None
    if (key is None) == (address is None) or (
        by_hand and (key is not None or signed_at is None or signature is None)
    ):
        raise typer.BadParameter(
            "Give --key FILE; or --address, and then --signed-at and --signature as well."
        )
    with session.client() as client:
        found = find_machine(client, machine)
        if key is not None:
            signed = _sign(client, found, key.expanduser())
        elif address and signed_at and signature:
            signed = Signed(address, signed_at.replace(tzinfo=UTC), signature)
        else:
            _show(client, found, address or "", as_json=as_json)
            return
        client.hosting.name_hotkey(
            found.id, hotkey=signed.hotkey, signed_at=signed.at, signature=signed.signature
        )
    if as_json:
        output.write_json({"machine_id": found.id, "hotkey": signed.hotkey})
    else:
        output.say(f"{signed.hotkey} earns for machine {output.short(found.id)} now.")


def _show(client: Client, machine: HostedMachine, address: str, *, as_json: bool) -> None:
    consent = _consent(client, machine, address)
    if as_json:
        output.write_json(consent)
        return
    for line in consent.text.split("\n"):
        output.say(line)
    moment = f"{consent.signed_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    output.note("Sign these lines, with no end of line after the last one, and within an hour:")
    output.note(
        f"berth hotkey {machine.id} --address {address} --signed-at {moment} --signature HEX"
    )


def _sign(client: Client, machine: HostedMachine, file: Path) -> Signed:
    try:
        from protocol import hotkey as hotkeys
    except ModuleNotFoundError as error:
        sentence = "bittensor-core is missing here: python -m pip install bittensor-core"
        raise Refused("not_installed", sentence) from error
    try:
        with file.open("rb") as opened:
            keypair = hotkeys.read(opened.read(KEY_FILE_BYTES_MAX).decode())
    except (OSError, ValueError) as error:
        # Never what is in it, which is a secret.
        sentence = f"{file} is no hotkey's file that can be read; it must not be encrypted."
        raise Refused("key_unreadable", sentence) from error
    address = str(keypair.ss58_address)
    consent = _consent(client, machine, address)
    signature = hotkeys.sign(keypair, consent.text.encode())
    return Signed(address, consent.signed_at, signature)


def _consent(client: Client, machine: HostedMachine, address: str) -> Consent:
    """Return what is to be signed, once it is what this side would have written itself.

    A hotkey's signature is worth something elsewhere too, so a marketplace must not choose it.
    """
    told = client.hosting.consent(machine.id, address)
    ours = HotkeyConsent(
        marketplace=session.load().url.rstrip("/"),
        account=client.me().email,
        machine_key=machine.machine_key,
        hotkey=address,
        signed_at=told.signed_at,
    )
    if told.text != ours.text():
        raise Refused(
            "consent_strange",
            f"The marketplace at {ours.marketplace} asks for a signature of something else, or"
            " calls itself otherwise: log in at the address that its own pages show.",
        )
    return told


def find_machine(client: Client, machine: str) -> HostedMachine:
    """Return the account's machine by its id, its key, or how the id begins.

    :raises Refused: when there is none, or several begin so.
    """
    machines = client.hosting.machines()

    def find(machine_id: str) -> HostedMachine:
        for one in machines:
            if machine_id in (one.id, one.machine_key):
                return one
        raise Refused("not_found", f"You have no machine {machine_id!r}. See: berth host machines")

    if any(one.machine_key == machine for one in machines):
        return find(machine)
    ids = [one.id for one in machines]
    return session.only(
        machine, kind="machine", see="berth host machines", ids=lambda: ids, find=find
    )
