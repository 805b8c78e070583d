"""This will sign HTTP requests with the validator's hotkey, in the SDK's own btauth/1 format."""

import hashlib

import bittensor_core

from protocol import hotkey

VERSION = "1"
HEADER_PREFIX = "X-Bittensor-"


def signed_text(*, method: str, path: str, body: bytes, nonce_ns: int, sender: str) -> bytes:
    """Return the eight lines that are signed; ``path`` with its query as sent.

    Source: bittensor 11.3 ``http_auth``, read in research/bittensor.md 2. The receiver is "-": the
    marketplace has no hotkey.
    """
    digest = hashlib.sha256(body).hexdigest()
    lines = (
        "btauth/1",
        "sr25519",
        method.upper(),
        path,
        digest,
        str(nonce_ns),
        sender,
        "-",
    )
    return "\n".join(lines).encode()


def headers(
    keypair: bittensor_core.Keypair, *, method: str, path: str, body: bytes, nonce_ns: int
) -> dict[str, str]:
    """Return the headers that prove who sends this request; ``nonce_ns`` is the time it is sent."""
    sender = str(keypair.ss58_address)
    text = signed_text(method=method, path=path, body=body, nonce_ns=nonce_ns, sender=sender)
    return {
        f"{HEADER_PREFIX}Version": VERSION,
        f"{HEADER_PREFIX}Hotkey": sender,
        f"{HEADER_PREFIX}Nonce": str(nonce_ns),
        f"{HEADER_PREFIX}Signature": "0x" + hotkey.sign(keypair, text),
    }
