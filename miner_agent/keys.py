"""This will read and write ed25519 keys in OpenSSH's format, and files as a whole."""

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_ssh_private_key,
)


def write_whole(path: Path, content: str, mode: int) -> None:
    """Replace a file's content at once: a reader sees the old text or the new one."""
    part = path.with_name(f".{path.name}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.chmod(mode)
    part.replace(path)


def read_private_key(path: Path) -> Ed25519PrivateKey:
    """Return the ed25519 key of an OpenSSH private key file.

    :raises ValueError: when the file holds something else.
    """
    key = load_ssh_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{path} holds no ed25519 key.")
    return key


def make_private_key(path: Path) -> Ed25519PrivateKey:
    """Write a new ed25519 key that only its owner can read and return it."""
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    write_whole(path, text, 0o600)
    return key
