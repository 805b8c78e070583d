"""This will fetch the epoch's public record for a management command."""

import bittensor_core

from protocol.validator import EpochRecord
from validator import clock
from validator.env import Configuration
from validator.market import Market


async def fetch_epoch(configuration: Configuration, keypair: bittensor_core.Keypair) -> EpochRecord:
    """Return the record of the newest closed epoch; before one is, of the epoch that goes on.

    :raises MarketUnreachable, MarketRefused: when it cannot be had.
    """
    async with Market(
        url=configuration.marketplace_url, keypair=keypair, now_ns=clock.now_ns
    ) as market:
        newest = await market.newest_closed()
        return await (market.epoch() if newest is None else market.closed(newest))
