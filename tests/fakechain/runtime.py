"""A subtensor runtime's types, from its real metadata: SCALE in and out by the SDK's own codec."""

import lzma
from functools import cache
from pathlib import Path
from typing import Any

METADATA = Path(__file__).parent / "vendor" / "runtime_v15.scale.xz"
SPEC_VERSION = 470
PALLET = "SubtensorModule"


def compact(number: int) -> bytes:
    """Return SCALE's short form of a number below 2**30."""
    if number < 1 << 6:
        return bytes([number << 2])
    if number < 1 << 14:
        return ((number << 2) | 1).to_bytes(2, "little")
    return ((number << 2) | 2).to_bytes(4, "little")


class Runtime:
    """The codec of one runtime, and the numbers that its errors have."""

    def __init__(self) -> None:
        # Not at the top: the SDK costs 2 s, also where nobody's test needs it.
        from bittensor._transport.codec import strip_option_opaque_metadata

        metadata = strip_option_opaque_metadata(lzma.decompress(METADATA.read_bytes()))
        assert metadata is not None
        # SDK 11.3 reads an item that this runtime does not have yet; False stands for Yuma.
        self.metadata = _with_map(
            metadata,
            name="SubnetEpochConsensus",
            key_like="Tempo",
            value_like="CommitRevealWeightsEnabled",
            default=b"\x00",
            codec=_codec(metadata),
        )
        self.codec = _codec(self.metadata)
        pallet = next(one for one in self.codec.metadata_ir().pallets if one.name == PALLET)
        self.pallet_index: int = pallet.index
        self.error_index: dict[str, int] = {error.name: error.index for error in pallet.errors}


@cache
def runtime() -> Runtime:
    """Return the runtime; reading it takes a moment."""
    return Runtime()


def _codec(metadata: bytes) -> Any:
    from bittensor._transport.codec import RuntimeCodec

    return RuntimeCodec(
        metadata, spec_version=SPEC_VERSION, transaction_version=1, spec_name="node-subtensor"
    )


def _with_map(
    metadata: bytes, *, name: str, key_like: str, value_like: str, default: bytes, codec: Any
) -> bytes:
    """Return the metadata with one more storage map from netuid, of types that others have."""
    prefix = compact(len(PALLET)) + PALLET.encode()
    at = metadata.index(prefix + b"\x01" + prefix) + 2 * len(prefix) + 1
    assert metadata[at] & 3 == 1
    entries = int.from_bytes(metadata[at : at + 2], "little") >> 2
    key = codec.storage_entry(PALLET, key_like).param_types[0]
    value = codec.storage_entry(PALLET, value_like).value_type
    default_modifier, is_map, identity_hasher = b"\x01", b"\x01", b"\x06"
    entry = (
        *(compact(len(name)), name.encode(), default_modifier),
        *(is_map, compact(1), identity_hasher, _type_id(key), _type_id(value)),
        *(compact(len(default)), default, compact(0)),
    )
    return metadata[:at] + compact(entries + 1) + b"".join(entry) + metadata[at + 2 :]


def _type_id(name: str) -> bytes:
    return compact(int(name.removeprefix("scale_info::")))
