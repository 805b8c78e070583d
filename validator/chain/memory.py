"""This will be a subnet in one JSON file, for demos and tests: same rules, no network.

Several processes share it through the file: an exclusive lock around every change, and the new
content is moved into place whole, so a killed process leaves the old state or the new.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import Field

from protocol.message import Message
from validator.chain.interface import Outcome, Report, Submission
from validator.domain.weights import NothingToSet, plan

#: Source: research bittensor.md 6, "12 s", "weights rate limit default 100 blocks"
BLOCK_MS = 12_000
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

    def submit(self, submission: Submission) -> Report:
        """Apply the rules of ``set_weights``: registered, rate limit, not all zero."""
        with self._locked():
            ledger = self.read()
            hotkey = str(submission.keypair.ss58_address)
            block = (self._now_ms() - ledger.started_at_ms) // BLOCK_MS
            try:
                planned = plan(
                    share_by_hotkey=submission.share_by_hotkey,
                    uid_by_hotkey=ledger.uid_by_hotkey,
                    burn=submission.burn,
                )
            except NothingToSet as error:
                return Report(Outcome.REJECTED, str(error), block)
            if submission.dry_run:
                return Report(Outcome.DRY_RUN, "nothing was sent.", block, planned)
            if hotkey not in ledger.uid_by_hotkey:
                return Report(Outcome.NOT_READY, "The validator is not registered.", block, planned)
            last = ledger.last_update.get(hotkey)
            if last is not None and block - last < ledger.rate_limit_blocks:
                wait = ledger.rate_limit_blocks - (block - last)
                return Report(Outcome.TOO_SOON, f"{wait} blocks to wait.", block, planned)
            self._write(
                ledger.model_copy(
                    update={
                        "weights": {**ledger.weights, hotkey: planned.weight_by_uid},
                        "last_update": {**ledger.last_update, hotkey: block},
                    }
                )
            )
            return Report(Outcome.SET, "", block, planned)

    def read(self) -> Ledger:
        """Return the state; a chain without file starts now, empty."""
        try:
            return Ledger.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return Ledger(started_at_ms=self._now_ms())

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
