"""This will sign and verify with a Bittensor hotkey (sr25519), for validators and miners."""

import json

import bittensor_core

#: sr25519 in bittensor_core
SR25519 = bittensor_core.CRYPTO_SR25519


def sign(keypair: bittensor_core.Keypair, content: bytes) -> str:
    """Return the hotkey's signature over ``content`` in hex."""
    return bytes(keypair.sign(content)).hex()


def verify(hotkey: str, content: bytes, signature: str) -> bool:
    """Say whether ``hotkey`` (ss58) signed ``content`` so; a malformed signature is False."""
    try:
        return bool(bittensor_core.verify(content, bytes.fromhex(signature), hotkey, SR25519))
    except ValueError:
        return False


def read(text: str) -> bittensor_core.Keypair:
    """Return the key in a wallet's hotkey file (JSON), or in a line with a phrase or path.

    :raises ValueError: when there is none that can be read; the message does not tell what is.
    """
    text = text.strip()
    if not text.startswith("{"):
        return bittensor_core.Keypair.create_from_uri(text)
    content = json.loads(text)
    secret = content.get("secretSeed") or content.get("secretPhrase")
    if not isinstance(secret, str):
        raise ValueError("The file holds no secretSeed.")
    if secret.startswith("0x"):
        return bittensor_core.Keypair.create_from_seed(bytes.fromhex(secret[2:]))
    return bittensor_core.Keypair.create_from_mnemonic(secret)


def is_address(text: str) -> bool:
    """Say whether this is a key's ss58 address in the one form that the chain's tools use."""
    try:
        return bool(bittensor_core.encode_ss58(bittensor_core.decode_ss58(text)) == text)
    except ValueError:
        return False
