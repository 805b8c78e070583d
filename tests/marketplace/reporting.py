"""This will bring one machine's syncs to the marketplace, as a call over the network does."""

from collections.abc import Mapping
from datetime import datetime

from marketplace import reports
from marketplace.machines.actions.authenticate import check_signature
from protocol import paths


def take_in(*, headers: Mapping[str, str], body: bytes, now: datetime) -> reports.Taken:
    """Return the sync that was taken in.

    :raises Refused: when it was not.
    """
    signed = check_signature(
        headers=headers, method="POST", path=paths.AGENT_SYNC, body=body, now=now
    )
    (outcome,) = reports.take_in(reports=[reports.Report(signed=signed, body=body)], now=now)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome
