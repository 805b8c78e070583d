"""What a node answers: the JSON-RPC methods that the SDK calls for setting weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fakechain.runtime import SPEC_VERSION, compact, runtime

if TYPE_CHECKING:
    from tests.fakechain.chain import FakeChain

NO_HASH = "0x" + "00" * 32


class MethodUnknown(Exception):
    """The node does not know the method."""


def answer(chain: FakeChain, method: str, asked: list[Any]) -> Any:
    """Return the result of one call.

    :raises MethodUnknown: when there is no such method here.
    """
    if method not in METHODS:
        raise MethodUnknown(method)
    return METHODS[method](chain, *asked)


def _runtime_version(chain: FakeChain, block: str | None = None) -> Any:
    return {
        "specName": "node-subtensor",
        "specVersion": SPEC_VERSION,
        "transactionVersion": 1,
        "apis": [],
    }


def _head(chain: FakeChain) -> str:
    return chain.blocks[-1].hash


def _block_hash(chain: FakeChain, number: int | None = None) -> str | None:
    if number is None:
        return _head(chain)
    return chain.blocks[number].hash if 0 <= number <= chain.number else None


def _header(chain: FakeChain, block: str | None = None) -> Any:
    number = chain.index_of(block)
    return {
        "parentHash": chain.blocks[number].parent,
        "number": hex(number),
        "stateRoot": NO_HASH,
        "extrinsicsRoot": NO_HASH,
        "digest": {"logs": []},
    }


def _block(chain: FakeChain, block: str | None = None) -> Any:
    extrinsics = chain.blocks[chain.index_of(block)].extrinsics
    return {
        "block": {"header": _header(chain, block), "extrinsics": extrinsics},
        "justifications": None,
    }


def _storage(chain: FakeChain, key: str, block: str | None = None) -> str | None:
    return _hexed(_state(chain, block).get(_raw(key)))


def _keys_paged(
    chain: FakeChain, prefix: str, count: int, start: str = "0x", block: str | None = None
) -> list[str]:
    begins, after = _raw(prefix), _raw(start or "0x")
    found = sorted(key for key in _state(chain, block) if key.startswith(begins) and key > after)
    return ["0x" + key.hex() for key in found[:count]]


def _query_storage(chain: FakeChain, keys: list[str], block: str | None = None) -> Any:
    changes = [[key, _storage(chain, key, block)] for key in keys]
    return [{"block": block or _head(chain), "changes": changes}]


def _next_index(chain: FakeChain, account: str) -> int:
    nonce: int = chain.get("System", "Account", [account])["nonce"]
    return nonce


def _call(chain: FakeChain, name: str, data: str, block: str | None = None) -> str:
    types = runtime()
    if name == "Metadata_metadata_at_version":
        size = compact(len(types.metadata))
        return "0x" + (b"\x01" + size + types.metadata).hex()
    if name == "TransactionPaymentApi_query_info":
        weight = {"ref_time": 1, "proof_size": 1}
        info = {"weight": weight, "class": "Normal", "partial_fee": 1000}
        api = types.codec.runtime_api_map["TransactionPaymentApi"]["query_info"]
        return "0x" + bytes(types.codec.encode(api["output"], info)).hex()
    raise MethodUnknown(name)


def _state(chain: FakeChain, block: str | None) -> dict[bytes, bytes]:
    return chain.blocks[chain.index_of(block)].state


def _raw(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _hexed(value: bytes | None) -> str | None:
    return None if value is None else "0x" + value.hex()


METHODS: dict[str, Any] = {
    "account_nextIndex": _next_index,
    "author_unwatchExtrinsic": lambda chain, subscription: True,
    "chain_getBlock": _block,
    "chain_getBlockHash": _block_hash,
    "chain_getFinalizedHead": _head,
    "chain_getHead": _head,
    "chain_getHeader": _header,
    "state_call": _call,
    "state_getKeysPaged": _keys_paged,
    "state_getRuntimeVersion": _runtime_version,
    "state_getStorage": _storage,
    "state_getStorageAt": _storage,
    "state_queryStorageAt": _query_storage,
    "system_accountNextIndex": _next_index,
}
