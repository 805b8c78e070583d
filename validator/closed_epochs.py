"""This will score the newest closed epoch once, and sign which record was scored."""

import hashlib
from typing import Protocol

from protocol.message import canonical_bytes
from protocol.validator import EpochRecord, ScoreReport
from validator.domain.scoring import score


class ClosedPort(Protocol):
    """What it takes of the marketplace."""

    async def newest_closed(self) -> int | None: ...

    async def closed(self, epoch: int) -> EpochRecord: ...

    async def post_scores(self, report: ScoreReport) -> None: ...


def sha256(record: EpochRecord) -> str:
    """Return the hash by which a signed report names the record that it scores."""
    return hashlib.sha256(canonical_bytes(record)).hexdigest()


async def hand_in(market: ClosedPort, *, hotkey: str, last: int | None) -> int | None:
    """Return the newest closed epoch, its scores handed in; ``last`` is not scored again.

    :raises MarketUnreachable, MarketRefused: when it could not be.
    """
    epoch = await market.newest_closed()
    if epoch is None or epoch == last:
        return epoch
    record = await market.closed(epoch)
    await market.post_scores(
        ScoreReport(
            validator_hotkey=hotkey,
            epoch=record.epoch,
            record_sha256=sha256(record),
            scores=score(record),
        )
    )
    return epoch
