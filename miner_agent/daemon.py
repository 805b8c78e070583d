"""This will run the agent's process: enrol once, then serve until a signal comes."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Coroutine, Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from miner_agent import VERSION, enrolment, firewall, heard, kernel_tables, reserve
from miner_agent.access.door import Answers, Hall, NoAnswer, open_door
from miner_agent.access.gateway import Gateways
from miner_agent.access.proof import ProofDesk
from miner_agent.agent import Agent
from miner_agent.bandwidth import BandwidthFailed
from miner_agent.check import check, refuse_unisolated
from miner_agent.engine import Engine, EngineRefused, EngineUnavailable
from miner_agent.enrolment import Enrolment
from miner_agent.journal import Journal
from miner_agent.machine import Machine
from miner_agent.market import HttpMarket, MarketRefused, MarketUnreachable
from miner_agent.metrics import Endpoint, Metrics
from miner_agent.packaging import versions
from miner_agent.proofs import Proofs
from miner_agent.replicas import Replicas
from miner_agent.route import local_address
from miner_agent.store import StoreUnwritable
from miner_agent.supervisor import Supervisor
from protocol.agent import EnrolmentToken, EnrolRequest
from protocol.signing import public_key_of

#: seconds that a leaving agent waits for the marketplace to hear it
FAREWELL_S = 3
#: seconds until a journal that the disk does not take is opened again
OPEN_AGAIN_S = 1

logger = logging.getLogger(__name__)


class TokenMalformed(Exception):
    """No marketplace ever issued this token."""


async def enrol(machine: Machine, *, token: str) -> Enrolment:
    """Make the machine's key where there is none and tell the marketplace whose machine it is.

    :raises TokenMalformed: when it is no token at all.
    :raises MarketRefused: when the token is unknown, used or expired, or the address private.
    """
    try:
        TypeAdapter(EnrolmentToken).validate_python(token)
    except ValidationError as error:
        message = "This is no enrolment token; copy the whole line from the site's page Host."
        raise TokenMalformed(message) from error
    with machine.alone():
        key, settings = machine.key_or_new(), machine.settings
        address = settings.address or local_address(settings.marketplace_url)
        request = EnrolRequest(
            token=token,
            machine_key=public_key_of(key),
            agent_version=VERSION,
            address=address,
            control_port=settings.control_port,
            port_first=settings.port_first,
            port_last=settings.port_last,
            hardware=machine.hardware(machine.engine()),
        )
        market = _market(machine)
        try:
            reply = await market.enrol(request)
        finally:
            await market.close()
        # A marketplace that enrols anew counts its revisions anew.
        journal = machine.journal()
        journal.remember(revision="0", nonce="")
        journal.close()
        enrolled = Enrolment(
            machine_id=reply.machine_id, marketplace_url=settings.marketplace_url, address=address
        )
        enrolment.write(settings.home, enrolled)
        return enrolled


async def run(machine: Machine, *, ephemeral: bool) -> None:
    """Serve until SIGINT or SIGTERM. Rentals run on, unless ``ephemeral`` removes everything.

    :raises NotEnrolled: when it is nobody's machine yet.
    :raises NotIsolated: when rentals would not be kept apart from this machine.
    """
    machine.enrolment()
    with machine.alone():
        engine = machine.engine()
        widths_before = kernel_tables.widen()
        results = check(machine, asks=False)
        refuse_unisolated(results)
        for result in results:
            if not result.passed:
                logger.warning("machine is limited", extra={"detail": result.sentence})
        if not firewall.missing():
            await _protect(engine)
        await _renew_bandwidth(machine, engine)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        try:
            await _serve(machine, engine, stop, ephemeral=ephemeral)
        finally:
            if ephemeral:
                kernel_tables.write(widths_before)


async def _protect(engine: Engine) -> None:
    """Renew the firewall's rules for what runs already; without Docker there is no place for them.

    :raises FirewallFailed: when the kernel or Docker lacks what a rule needs.
    """
    try:
        await asyncio.to_thread(engine.facts)
    except EngineUnavailable:
        return
    await asyncio.to_thread(firewall.install)


async def _renew_bandwidth(machine: Machine, engine: Engine) -> None:
    try:
        await asyncio.to_thread(machine.renew_bandwidth, engine)
    except EngineUnavailable:
        # What runs keeps the limit that it was started with.
        return
    except BandwidthFailed as error:
        logger.warning("bandwidth not renewed", extra={"error": str(error)})


async def uninstall(machine: Machine) -> None:
    """End everything on this machine and tell the marketplace, if it answers."""
    with machine.alone():
        engine, journal = machine.engine(), machine.journal()
        agent = machine.agent(engine, journal, machine.settings.home)
        market = _market(machine)
        try:
            await _clear(machine, engine, agent, market)
        finally:
            await market.close()
            machine.close()
            journal.close()


async def _clear(machine: Machine, engine: Engine, agent: Agent, market: HttpMarket) -> None:
    await asyncio.to_thread(machine.clear, engine, agent)
    logger.info("everything of this machine is removed")
    try:
        async with asyncio.timeout(FAREWELL_S):
            await market.sync(agent.request(hold_s=0))
    except (TimeoutError, MarketUnreachable, MarketRefused) as error:
        logger.info("the marketplace did not hear the end", extra={"error": str(error)})


def _market(machine: Machine) -> HttpMarket:
    return HttpMarket(url=machine.settings.marketplace_url, key=machine.key(), clock=machine.clock)


async def _serve(machine: Machine, engine: Engine, stop: asyncio.Event, *, ephemeral: bool) -> None:
    # Each callback runs, whatever the ones before it and the work itself came to.
    async with contextlib.AsyncExitStack() as leaving:
        settings, journal = machine.settings, await _journal(machine, stop)
        if journal is None:
            return
        leaving.callback(journal.close)
        leaving.callback(machine.close)
        idle = machine.idle(engine, journal)
        proofs = machine.proofs(engine, journal, idle)
        leaving.callback(proofs.remove)
        make_way = (idle.make_way, proofs.make_way)
        logs = machine.logs(engine, journal)
        kit = await asyncio.to_thread(machine.kit)
        agent = machine.agent(engine, journal, kit, make_way, logs.keep_last)
        market = _market(machine)
        leaving.push_async_callback(market.close)
        if ephemeral:
            leaving.push_async_callback(_clear, machine, engine, agent, market)
        hall, loop = Hall(), asyncio.get_running_loop()
        door = await open_door(
            host=settings.bind_address,
            port=settings.control_port,
            host_key=machine.key_path,
            answers=_answers(machine, engine, agent, proofs),
            gateways=_gateways(machine.replicas(engine, journal)),
            hall=hall,
        )
        leaving.callback(door.close)
        # Nobody would make way for a placement while no agent runs.
        leaving.callback(idle.remove)
        telemetry, metrics = machine.telemetry(agent), Metrics()
        leaving.callback(telemetry.close)

        def is_heard() -> None:
            _heard(settings.home)
            # Who was dismissed with this reply keeps no stream that was open.
            loop.call_soon_threadsafe(hall.show_out)

        supervisor = Supervisor(
            agent=agent,
            market=market,
            hardware=lambda: machine.hardware(engine),
            telemetry=telemetry,
            metrics=metrics,
            logs=logs,
            chores=(idle.settle, proofs.tidy, lambda: reserve.keep(settings.home), firewall.keep),
            heard=is_heard,
        )
        engine.pulled = lambda seconds, done: metrics.pulled(seconds, done=done)
        proofs.ended = lambda seconds, done: metrics.proved(seconds, done=done)
        metrics.show(usage=lambda: telemetry.newest, states=agent.states)
        _open_endpoint(metrics, settings.metrics, leaving)
        logger.info("agent runs")
        await _work((supervisor.run(), machine.prepull(engine, agent).run()), agent, stop)


def _heard(home: Path) -> None:
    heard.note(home)
    versions.passed()


async def _journal(machine: Machine, stop: asyncio.Event) -> Journal | None:
    """Return the journal as soon as the disk takes it; None: the agent shall end before."""
    while not stop.is_set():
        try:
            return machine.journal()
        except (StoreUnwritable, OSError) as error:
            logger.error("journal cannot be opened", extra={"error": str(error)})
        reserve.use(machine.settings.home)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(OPEN_AGAIN_S):
                await stop.wait()
    return None


def _open_endpoint(
    metrics: Metrics, where: tuple[str, int] | None, leaving: contextlib.AsyncExitStack
) -> None:
    """Let Prometheus ask; a machine whose port is taken works on without."""
    if where is None:
        return
    try:
        endpoint = Endpoint(metrics, host=where[0], port=where[1])
    except OSError as error:
        detail = f"No metrics at {where[0]}:{where[1]}: {error}"
        logger.warning("metrics are not shown", extra={"detail": detail})
        return
    leaving.callback(endpoint.close)


def _answers(machine: Machine, engine: Engine, agent: Agent, proofs: Proofs) -> Answers:
    async def facts() -> str:
        try:
            told = await asyncio.to_thread(machine.told, engine)
        except (EngineUnavailable, EngineRefused) as error:
            raise NoAnswer("Docker does not answer on this machine.") from error
        return told.model_dump_json()

    return Answers(keys=agent.validators, facts=facts, proof=ProofDesk(proofs).serve)


def _gateways(replicas: Replicas) -> Gateways:
    async def replica(placement: str, port: int) -> tuple[str, int] | None:
        try:
            return await asyncio.to_thread(replicas.find, placement, port)
        except (EngineUnavailable, EngineRefused) as error:
            logger.warning("replica not found", extra={"error": str(error)})
            return None

    return Gateways(keys=replicas.gateways, replica=replica)


async def _work(
    parts: Sequence[Coroutine[None, None, None]], agent: Agent, stop: asyncio.Event
) -> None:
    """Work until ``stop`` is set; a defect of a part is raised."""
    working = asyncio.create_task(_together(parts))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        agent.stopping = True
        for task in (working, stopping):
            task.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


async def _together(parts: Sequence[Coroutine[None, None, None]]) -> None:
    async with asyncio.TaskGroup() as group:
        for part in parts:
            group.create_task(part)
