"""This will have disk and line measured after a proof, where it is their time."""

import asyncio
import logging
from contextlib import closing

from protocol.validator import COMMAND_PROOF, Target, VerdictState
from validator import clock
from validator.domain.speeds import PROOFS_A_MEASUREMENT, Speeds, are_due
from validator.domain.verdict import Look, decide
from validator.proof.conversation import ProverBusy, Randomness
from validator.proof.speeds import limits, measure_speeds
from validator.ssh.command import Lines
from validator.ssh.connection import Connection, Unreachable

logger = logging.getLogger(__name__)

#: of the whole look, which must not fail for it
SPEEDS_S_MAX = 30.0
#: the container of the proof that has just ended may still be on its way out
BUSY_ATTEMPTS_MAX = 4
BUSY_PAUSE_S = 1.0
#: a fast line that is long holds so much on its way
WINDOW_BYTES = 4 << 20


def are_wanted(target: Target, look: Look, randomness: Randomness) -> bool:
    """Say whether the proof just given is one after which disk and line are measured.

    Only where the look verifies the machine: one that never is has no proof before any look, and
    would take 16 MB of our line at each.
    """
    verdict = decide(hotkey="", target=target, look=look, now_ms=clock.now_ms())
    if verdict.state is not VerdictState.VERIFIED:
        return False
    draw = randomness.below(PROOFS_A_MEASUREMENT)
    return are_due(proven_before=target.proven_at_ms is not None, draw=draw)


async def take(
    connection: Connection, target: Target, *, machine: bytes, randomness: Randomness
) -> Speeds:
    """Return what could be measured, in a session with room for it; nothing where it fails."""
    try:
        async with asyncio.timeout(SPEEDS_S_MAX):
            for _ in range(BUSY_ATTEMPTS_MAX - 1):
                try:
                    return await _measured(connection, machine, randomness)
                except ProverBusy:
                    await asyncio.sleep(BUSY_PAUSE_S)
            return await _measured(connection, machine, randomness)
    except (ProverBusy, Unreachable, TimeoutError) as error:
        logger.info("Not measured: %s %s", target.machine_id, error)
        return Speeds()


async def _measured(connection: Connection, machine: bytes, randomness: Randomness) -> Speeds:
    stream = await connection.start(COMMAND_PROOF, window_bytes=WINDOW_BYTES)
    with closing(stream):
        return await measure_speeds(
            Lines(stream, limits()),
            machine=machine,
            randomness=randomness,
            rtt_s=connection.rtt_s,
        )
