"""This will find who this validator is: its hotkey on chain and its SSH key."""

import os
from dataclasses import dataclass
from pathlib import Path

import bittensor_core
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from protocol import hotkey as hotkeys
from validator.env import Configuration

KEY_FILE_BYTES_MAX = 16_384


class IdentityMissing(Exception):
    """The validator has no key that it could use; the message says what to set."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this validator is, to the marketplace and to machines."""

    keypair: bittensor_core.Keypair
    #: OpenSSH private key text; never logged
    ssh_private_key: str
    #: "ssh-ed25519 AAAA..."
    ssh_public_key: str

    @property
    def hotkey(self) -> str:
        """The ss58 address of the hotkey."""
        return str(self.keypair.ss58_address)


def load(configuration: Configuration) -> Identity:
    """Return this validator's identity; an SSH key is made where there is none yet.

    :raises IdentityMissing: when no hotkey is named or a key cannot be read.
    """
    private = _ssh_key(configuration.ssh_key_file)
    public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return Identity(
        keypair=load_hotkey(configuration),
        ssh_private_key=_openssh(private).decode(),
        ssh_public_key=public.decode(),
    )


def load_hotkey(configuration: Configuration) -> bittensor_core.Keypair:
    """Return the hotkey's key pair.

    :raises IdentityMissing: when none is named or it cannot be read.
    """
    named = (
        "BERTH_VALIDATOR_HOTKEY_SEED"
        if configuration.hotkey_file is None
        else "BERTH_VALIDATOR_HOTKEY_FILE"
    )
    try:
        if configuration.hotkey_file is not None:
            return _from_file(configuration.hotkey_file)
        if configuration.hotkey_seed:
            return bittensor_core.Keypair.create_from_uri(configuration.hotkey_seed)
    except (OSError, ValueError) as error:
        # Never its value, which is a secret.
        raise IdentityMissing(f"No hotkey can be read from {named}.") from error
    raise IdentityMissing(
        "Set BERTH_VALIDATOR_HOTKEY_FILE to the hotkey's file, or for a demo"
        " BERTH_VALIDATOR_HOTKEY_SEED=//Alice."
    )


def _from_file(path: Path) -> bittensor_core.Keypair:
    with path.open("rb") as file:
        return hotkeys.read(file.read(KEY_FILE_BYTES_MAX).decode())


def _ssh_key(path: Path) -> Ed25519PrivateKey:
    if not path.exists():
        _make_ssh_key(path)
    try:
        key = load_ssh_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError) as error:
        raise IdentityMissing(f"The SSH key {path} cannot be read.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise IdentityMissing(f"The SSH key {path} must be an ed25519 key.")
    return key


def _make_ssh_key(path: Path) -> None:
    """Write it whole and link it into place, so that two starting processes agree on one key."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(_openssh(Ed25519PrivateKey.generate()))
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _openssh(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
