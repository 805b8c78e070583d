"""This will be a subnet in one JSON file, for demos and tests: same rules, no network.

Several processes share it through the file: an exclusive lock around every change, and the new
content is moved into place whole, so a killed process leaves the old state or the new.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import bittensor_core
from pydantic import Field

from protocol.message import Message
from validator.chain.interface import Sent
from validator.domain.submission import BLOCK_S, Outcome, Standing
from validator.domain.weights import WeightPlan

BLOCK_MS = BLOCK_S * 1000
#: Source: research bittensor.md 6, "weights rate limit default 100 blocks"
RATE_LIMIT_BLOCKS = 100


class Ledger(Message):
    """The whole state of the chain."""

    started_at_ms: int
    rate_limit_blocks: int = RATE_LIMIT_BLOCKS
    uid_by_hotkey: dict[str, int] = Field(default_factory=dict)
    #: by the validator's hotkey: {uid: u16 weight}
    weights: dict[str, dict[int, int]] = Field(default_factory=dict)
    #: block of the last set, by the validator's hotkey
    last_update: dict[str, int] = Field(default_factory=dict)


class MemoryChain:
    """A chain that lives in one file."""

    def __init__(self, path: Path, *, now_ms: Callable[[], int]) -> None:
        self._path = path
        self._now_ms = now_ms

    def register(self, hotkey: str) -> int:
        """Return the hotkey's uid, the next free one where it is new."""
        with self._locked():
            ledger = self.read()
            uids = dict(ledger.uid_by_hotkey)
            uid = uids.setdefault(hotkey, len(uids))
            self._write(ledger.model_copy(update={"uid_by_hotkey": uids}))
        return uid

    @contextmanager
    def session(self) -> Iterator["MemoryChain"]:
        """Yield itself: there is nothing to connect."""
        yield self

    def look(self, hotkey: str) -> Standing:
        """Return how the subnet stands for this validator; its first uid owns it."""
        with self._locked():
            ledger = self.read()
        uid_by_hotkey = dict(ledger.uid_by_hotkey)
        return Standing(
            block=self._block(ledger),
            uid_by_hotkey=uid_by_hotkey,
            uid=uid_by_hotkey.get(hotkey),
            last_update=ledger.last_update.get(hotkey, 0),
            rate_limit_blocks=ledger.rate_limit_blocks,
            owner_hotkey=min(uid_by_hotkey, key=lambda name: uid_by_hotkey[name], default=""),
            weights=ledger.weights.get(hotkey),
        )

    def send(
        self,
        *,
        keypair: bittensor_core.Keypair,
        share_by_uid: Mapping[int, Fraction],
        version_key: int,
    ) -> Sent:
        """Apply the rules of a chain: registered, and not too often."""
        hotkey = str(keypair.ss58_address)
        with self._locked():
            ledger = self.read()
            block = self._block(ledger)
            if hotkey not in ledger.uid_by_hotkey:
                return Sent(Outcome.NOT_READY, "The validator is not registered.")
            last = ledger.last_update.get(hotkey)
            if last is not None and block - last < ledger.rate_limit_blocks:
                return Sent(Outcome.TOO_SOON, "Setting weights too fast.")
            planned = WeightPlan(share_by_uid)
            self._write(
                ledger.model_copy(
                    update={
                        "weights": {**ledger.weights, hotkey: planned.weight_by_uid},
                        "last_update": {**ledger.last_update, hotkey: block},
                    }
                )
            )
        return Sent(Outcome.SET, extrinsic_id=f"{block}-0")

    def read(self) -> Ledger:
        """Return the state; a chain without file starts now, empty."""
        try:
            return Ledger.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return Ledger(started_at_ms=self._now_ms())

    def _block(self, ledger: Ledger) -> int:
        # Block 0 is where the chain began; a LastUpdate of 0 is read as never.
        return 1 + (self._now_ms() - ledger.started_at_ms) // BLOCK_MS

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self, ledger: Ledger) -> None:
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps(ledger.model_dump(mode="json"), indent=1, sort_keys=True))
        os.replace(draft, self._path)
