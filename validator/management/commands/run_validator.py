"""This will run the validator: look at every machine, again and again, until it is stopped."""

import asyncio
import logging
import signal
from argparse import ArgumentParser
from functools import partial

from django.core.management.base import BaseCommand, CommandError

from validator import clock, env, identity
from validator.looks.pool import Looks
from validator.management.quiet import quiet
from validator.market import Market, MarketRefused, MarketUnreachable
from validator.memory import Memory, Ports
from validator.rental_proofs import RentalProofs
from validator.round import Report, run_pass, step
from validator.ssh import credential

logger = logging.getLogger(__name__)

#: the longest time between two steps
STEP_S = 1.0
#: while the marketplace is away or has not admitted us yet, it is asked this often
WAIT_S = 2.0
#: in ``--once``, how long to wait for the marketplace before giving up
WAIT_S_MAX = 120.0


class Command(BaseCommand):
    help = "Look at every machine of the marketplace, prove it, and hand in verdicts and scores."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="make one pass and exit")

    def handle(self, *args: object, once: bool, **options: object) -> None:
        try:
            configuration = env.read()
            who = identity.load(configuration)
        except (env.SettingWrong, identity.IdentityMissing) as error:
            raise CommandError(str(error)) from error
        quiet()
        self.stdout.write(f"Validator {who.hotkey} for {configuration.marketplace_url}")
        try:
            asyncio.run(_run(configuration, who, once=once))
        except (MarketRefused, MarketUnreachable) as error:
            raise CommandError(str(error)) from error


async def _run(configuration: env.Configuration, who: identity.Identity, *, once: bool) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with (
        Looks(
            log_in=credential.maker(who.ssh_private_key, now_s=clock.now_s),
            allow_private=configuration.allow_private,
            proof_memory_bytes_max=configuration.proof_memory_bytes_max,
            processes=min(configuration.look_processes, configuration.machines_at_once),
        ) as looks,
        Market(
            url=configuration.marketplace_url, keypair=who.keypair, now_ns=clock.now_ns
        ) as market,
    ):
        ports = Ports(
            market=market,
            inspector=looks,
            now_ms=clock.now_ms,
            below=clock.randomness().below,
            hotkey=who.hotkey,
            machines_at_once=configuration.machines_at_once,
            list_again_ms=configuration.list_interval_s * 1000,
            proof_mean_ms=configuration.proof_mean_s * 1000,
        )
        memory = Memory()
        proofs = RentalProofs(
            market,
            hotkey=who.hotkey,
            now_ms=clock.now_ms,
            randomness=clock.randomness(),
            memory_bytes_max=configuration.proof_memory_bytes_max,
            doubted=partial(memory.doubt, now_ms=clock.now_ms),
        )
        leading = asyncio.ensure_future(proofs.tend())
        working = asyncio.ensure_future(_work(ports, memory, market, who, configuration, once=once))
        stopped = asyncio.ensure_future(stopping.wait())
        await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        leading.cancel()
        if working.done():
            working.result()
        else:
            working.cancel()
            await asyncio.wait({working}, timeout=5)


async def _work(
    ports: Ports,
    memory: Memory,
    market: Market,
    who: identity.Identity,
    configuration: env.Configuration,
    *,
    once: bool,
) -> None:
    """Make steps until stopped; ``once``: one pass, waiting ``WAIT_S_MAX`` for it at most.

    The marketplace may start later, admit this hotkey later or lose what it knew, so each time that
    its machines are listed it is told the SSH key that they must let in.
    """
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + WAIT_S_MAX
    told = ""
    while True:
        try:
            if ports.now_ms() >= memory.list_again_ms:
                await market.register(who.ssh_public_key)
            report = await (run_pass if once else step)(ports, memory)
        except (MarketUnreachable, MarketRefused) as error:
            if once and loop.time() > give_up_at:
                raise
            if str(error) != told:
                told = str(error)
                logger.warning("Waiting for the marketplace: %s", told)
            await asyncio.sleep(WAIT_S)
            continue
        if once:
            return
        told = ""
        _log(report)
        await _until_next(memory)


async def _until_next(memory: Memory) -> None:
    """Wait until a look is done, or for STEP_S where none is or none runs."""
    if memory.looks:
        looks = memory.looks.values()
        await asyncio.wait(looks, timeout=STEP_S, return_when=asyncio.FIRST_COMPLETED)
    else:
        await asyncio.sleep(STEP_S)


def _log(report: Report) -> None:
    if report.verdicts or report.failed:
        logger.info(
            "Looked: %d verdicts, %d failed, %s scored",
            len(report.verdicts),
            report.failed,
            "none" if report.scored is None else report.scored,
        )
