"""The check at a node's door: signature, mortality and nonce of a transaction."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import bittensor_core

from tests.fakechain.runtime import runtime

if TYPE_CHECKING:
    from tests.fakechain.chain import FakeChain

SIGNED_V4 = 0x84
#: first byte of what was signed, an account's kind of address, its key, the signature's kind
SIGNATURE_AT = 1 + 1 + 32 + 1
SIGNATURE_BYTES = 64
#: a longer payload is signed as its hash
PAYLOAD_BYTES_MAX = 256


class PoolRefused(Exception):
    """A transaction never enters a block; the message is the node's."""


def check(chain: FakeChain, raw: bytes) -> dict[str, Any]:
    """Return the decoded transaction.

    :raises PoolRefused: when it is dead, not signed by its sender, or out of order.
    """
    signed: dict[str, Any] = runtime().codec.decode_extrinsic(raw)
    era, birth = _era(chain, signed["era"])
    _, extra, beside = runtime().codec.signature_payload_parts(
        b"",
        era=era,
        nonce=signed["nonce"],
        tip=signed["tip"],
        tip_asset_id=None,
        genesis_hash=chain.blocks[0].hash,
        era_block_hash=chain.blocks[birth].hash,
    )
    body = raw[_length_bytes(raw) :]
    signature = body[SIGNATURE_AT : SIGNATURE_AT + SIGNATURE_BYTES]
    rest = body[SIGNATURE_AT + SIGNATURE_BYTES :]
    if body[0] != SIGNED_V4 or not rest.startswith(extra):
        raise PoolRefused("Transaction has a bad format")
    payload = rest[len(extra) :] + extra + beside
    if len(payload) > PAYLOAD_BYTES_MAX:
        payload = blake2b(payload, digest_size=32).digest()
    if not bittensor_core.verify(
        payload, signature, signed["address"], bittensor_core.CRYPTO_SR25519
    ):
        raise PoolRefused("Transaction has a bad signature")
    expected = chain.get("System", "Account", [signed["address"]])["nonce"]
    if signed["nonce"] < expected:
        raise PoolRefused("Transaction is outdated")
    if signed["nonce"] > expected:
        raise PoolRefused("Transaction nonce is too high")
    return signed


def _era(chain: FakeChain, told: Any) -> tuple[Any, int]:
    """Return the era and the block of its birth; "00" lives for ever."""
    if told == "00":
        return told, 0
    period, phase = (told["period"], told["phase"]) if isinstance(told, dict) else told
    # Too late, and the birth is another block than the one that was signed: a bad signature.
    birth = (max(chain.number, phase) - phase) // period * period + phase
    return {"period": period, "phase": phase}, birth


def _length_bytes(raw: bytes) -> int:
    return {0: 1, 1: 2, 2: 4}[raw[0] & 3]
