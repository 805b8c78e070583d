"""This will sign and verify with a Bittensor hotkey (sr25519), for validators."""

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
