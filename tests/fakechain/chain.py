"""A chain in memory: real storage keys and values, blocks, signed transactions and their events."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from tests.fakechain.pallet import DispatchFailed, Pallet
from tests.fakechain.pool import check
from tests.fakechain.runtime import PALLET, runtime

GENESIS = "0x" + "11" * 32
#: unsigned, first in every block
TIMESTAMP_CALL = b"\x10\x04\x02\x00\x00"
WEIGHT = {"ref_time": 1, "proof_size": 1}
DISPATCH_INFO = {"weight": WEIGHT, "class": "Normal", "pays_fee": "Yes"}
FEE_RAO = 1000


@dataclass
class Block:
    hash: str
    parent: str
    extrinsics: list[str]
    state: dict[bytes, bytes]


class FakeChain:
    """What a node has: the state at every block, and how transactions change it."""

    def __init__(self) -> None:
        self._codec = runtime().codec
        self.state: dict[bytes, bytes] = {}
        #: hotkeys with too little stake to set weights
        self.without_stake: set[str] = set()
        self.blocks = [Block(GENESIS, "0x" + "00" * 32, [], self.state)]
        self.set("Timestamp", "Now", [], int(time.time() * 1000))

    @property
    def number(self) -> int:
        """The newest block's."""
        return len(self.blocks) - 1

    def set(self, pallet: str, item: str, keys: list[Any], value: Any) -> None:
        """Write one value of the newest block's state."""
        entry = self._codec.storage_entry(pallet, item)
        key = self._codec.storage_key(entry, keys)
        self.state[key] = self._codec.encode(entry.value_type, value)

    def get(self, pallet: str, item: str, keys: Iterable[Any] = ()) -> Any:
        """Read one value of the newest block's state, or its default."""
        entry = self._codec.storage_entry(pallet, item)
        raw = self.state.get(self._codec.storage_key(entry, list(keys)))
        if raw is None:
            return self._codec.decode(entry.decode_type(False), entry.default_bytes)
        return self._codec.decode(entry.value_type, raw)

    def subnet(self, item: str, *keys: Any) -> Any:
        """Read one value of the subnets' pallet."""
        return self.get(PALLET, item, keys)

    def set_subnet(self, item: str, netuid: int, value: Any) -> None:
        """Write one value of one subnet."""
        self.set(PALLET, item, [netuid], value)

    def add_subnet(self, netuid: int, *, owner: str, coldkey: str, **changes: Any) -> None:
        """Make a subnet that its owner's hotkey, uid 0, owns."""
        settings: dict[str, Any] = {
            "NetworksAdded": True,
            "Tempo": 360,
            "CommitRevealWeightsEnabled": False,
            "WeightsSetRateLimit": 100,
            "MinAllowedWeights": 1,
            "MaxWeightsLimit": 65_535,
            "SubnetworkN": 0,
            "LastUpdate": [],
            "ValidatorPermit": [],
            "RevealPeriodEpochs": 1,
            "SubnetOwner": coldkey,
            "SubnetOwnerHotkey": owner,
        }
        for item, value in {**settings, **changes}.items():
            self.set_subnet(item, netuid, value)
        self.register(netuid, owner, coldkey)

    def register(self, netuid: int, hotkey: str, coldkey: str, *, permit: bool = False) -> int:
        """Give a hotkey the next uid."""
        uid: int = self.subnet("SubnetworkN", netuid)
        self.set(PALLET, "Uids", [netuid, hotkey], uid)
        self.set(PALLET, "Keys", [netuid, uid], hotkey)
        self.set(PALLET, "Owner", [hotkey], coldkey)
        self.set_subnet("SubnetworkN", netuid, uid + 1)
        for item, value in (("LastUpdate", 0), ("ValidatorPermit", permit)):
            self.set_subnet(item, netuid, [*self.subnet(item, netuid), value])
        return uid

    def index_of(self, block_hash: str | None) -> int:
        """Return the number of a block; None: the newest."""
        if block_hash is None:
            return self.number
        return next(number for number, block in enumerate(self.blocks) if block.hash == block_hash)

    def advance(self, blocks: int) -> None:
        """Let empty blocks pass."""
        for _ in range(blocks):
            self._begin()
            self._end()

    def take_in(self, raw: bytes) -> str:
        """Apply a signed transaction in a block of its own and return that block's hash.

        :raises PoolRefused: when it never enters a block.
        """
        signed = check(self, raw)
        call = signed["call"]
        arguments = {one["name"]: one["value"] for one in call["call_args"]}
        self._begin()
        pallet = Pallet(self, who=signed["address"], block=self.number + 1)
        try:
            events = pallet.apply(call["call_function"], arguments)
            outcome: Any = {"ExtrinsicSuccess": {"dispatch_info": DISPATCH_INFO}}
        except DispatchFailed as error:
            self.state = dict(self.blocks[-1].state)
            events, outcome = [], {"ExtrinsicFailed": _failure(str(error))}
        account = self.get("System", "Account", [signed["address"]])
        account["nonce"] += 1
        self.set("System", "Account", [signed["address"]], account)
        paid = {"who": signed["address"], "actual_fee": FEE_RAO, "tip": 0}
        fee = {"TransactionPayment": {"TransactionFeePaid": paid}}
        return self._end([TIMESTAMP_CALL, raw], [*events, fee, {"System": outcome}])

    def _begin(self) -> None:
        # The block before keeps its own state for those who read at it.
        self.state = dict(self.state)

    def _end(self, extrinsics: Iterable[bytes] = (), events: Iterable[Any] = ()) -> str:
        digest = blake2b(f"block {self.number + 1}".encode(), digest_size=32).hexdigest()
        self.set("System", "Events", [], [_record(event) for event in events])
        hexed = ["0x" + bytes(one).hex() for one in extrinsics]
        block = Block(f"0x{digest}", self.blocks[-1].hash, hexed, self.state)
        self.blocks.append(block)
        return block.hash


def _record(event: Any) -> dict[str, Any]:
    """Return an event of a block's second transaction, the first signed one."""
    return {"phase": {"ApplyExtrinsic": 1}, "event": event, "topics": []}


def _failure(name: str) -> dict[str, Any]:
    index = runtime().error_index[name]
    module = {"index": runtime().pallet_index, "error": "0x" + bytes([index, 0, 0, 0]).hex()}
    return {"dispatch_error": {"Module": module}, "dispatch_info": DISPATCH_INFO}
