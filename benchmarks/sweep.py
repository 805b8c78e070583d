"""This will measure what visits cost a validator, beside their cryptography and a bare scrape.

Run it on a quiet machine: ``python -m benchmarks.sweep``. The machines' SSH doors and the
marketplace are processes of their own, whose work is not counted. In every round take turns: the
four operations of cryptography that one log-in needs; a scrape as asyncssh has it by itself, log
in, ``facts``, JSON; one look of the validator; and a whole pass, with looks in processes, a
marketplace over HTTP, and a signed verdict for each machine. Then bad machines among good ones.
"""

import argparse
import asyncio
import json
import logging
import statistics
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncssh
import bittensor_core
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from benchmarks.processor_time import used_s
from benchmarks.sweep_parts import GPUS, Places, machines, marketplace, part
from protocol import hotkey
from protocol.message import canonical_bytes
from protocol.signing import openssh_public_key
from protocol.validator import SSH_USER, SignedVerdicts, Target, VerdictState
from tests.validator import gpu_machine
from tests.validator.builders import target
from tests.validator.machine_door import Machine, credentials_of, new_machine, private_key_text
from validator import clock
from validator.domain.verdict import Look, Outcome
from validator.inspection.machine import MachineInspector
from validator.looks.pool import Looks
from validator.market import Market
from validator.memory import Memory, Ports
from validator.round import run_pass
from validator.ssh.credential import maker

AT_ONCE = 32
#: one way, through the proxy that counts round trips
DELAY_S = 0.1


@dataclass(slots=True)
class Bench:
    """Everything that the parts of one run share."""

    machine: Machine
    places: Places
    keypair: Any
    market_url: str

    def target(self, number: int, port: int) -> Target:
        """Return a machine that renters hold whole, so that a look reads its facts alone."""
        uuids = [gpu.uuid for gpu in self.machine.hardware.gpus] if self.machine.hardware else []
        return target(
            number,
            machine_key=self.machine.machine_key,
            control_port=port,
            claimed=self.machine.hardware,
            cpus_free=0,
            busy=True,
            gpus_rented=tuple(uuids),
            gpus_proven_at_ms=dict.fromkeys(uuids, clock.now_ms()),
            proven_at_ms=clock.now_ms(),
        )


def floor(count: int) -> None:
    """Do what the cryptography of ``count`` log-ins takes."""
    theirs, ours = X25519PrivateKey.generate().public_key(), Ed25519PrivateKey.generate()
    signature, public = ours.sign(bytes(32)), ours.public_key()
    for _ in range(count):
        X25519PrivateKey.generate().exchange(theirs)
        public.verify(signature, bytes(32))
        ours.sign(bytes(32))


async def scrape(bench: Bench, count: int) -> None:
    """Log in, ask for facts and parse them, with the library as it is."""
    made = credentials_of(bench.machine)(bench.machine.machine_key)
    key = asyncssh.import_private_key(made.private_key)
    own = (key, asyncssh.import_certificate(made.certificate))
    pinned = asyncssh.import_public_key(openssh_public_key(bench.machine.machine_key))
    room = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with (
            room,
            asyncssh.connect(
                "127.0.0.1",
                bench.places.good,
                username=SSH_USER,
                client_keys=[own],
                known_hosts=([pinned], [], []),
            ) as connection,
        ):
            done = await connection.run("facts", encoding=None)
            assert json.loads(done.stdout)["hardware"]["gpus"]

    await asyncio.gather(*(one() for _ in range(count)))


async def look(bench: Bench, count: int, port: int = 0) -> None:
    """Look ``count`` times, in this process."""
    inspector = MachineInspector(
        log_in=credentials_of(bench.machine),
        allow_private=True,
        proof_memory_bytes_max=1,
        randomness=clock.randomness(),
    )
    aim = bench.target(1, port or bench.places.good)
    room = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with room:
            seen = await inspector.look(aim)
            assert seen.outcome is Outcome.SEEN, seen
            assert seen.hardware == bench.machine.hardware

    await asyncio.gather(*(one() for _ in range(count)))


@dataclass(slots=True)
class Timed:
    """Looks, with the time that each took noted."""

    looks: Looks
    taken_s: dict[UUID, float]

    async def look(self, target: Target, **how: Any) -> Look:
        began = time.perf_counter()
        try:
            return await self.looks.look(target, **how)
        finally:
            self.taken_s[target.machine_id] = time.perf_counter() - began


@asynccontextmanager
async def looking(bench: Bench, processes: int) -> Any:
    """Yield warm processes that look."""
    log_in = maker(private_key_text(bench.machine.validator_key), now_s=clock.now_s)
    async with Looks(
        log_in=log_in, allow_private=True, proof_memory_bytes_max=1, processes=processes
    ) as looks:
        await asyncio.gather(*(looks.look(bench.target(1, bench.places.good)) for _ in range(8)))
        yield looks


async def sweep(bench: Bench, looks: Looks, ports: Sequence[int]) -> tuple[float, Timed]:
    """Make a whole pass over machines at these ports; return the seconds and each look's."""
    targets = [bench.target(number, port) for number, port in enumerate(ports, 1)]
    bench.places.tell(targets)
    timed = Timed(looks, {})
    began = time.perf_counter()
    async with Market(url=bench.market_url, keypair=bench.keypair, now_ns=clock.now_ns) as market:
        report = await run_pass(
            Ports(
                market=market,
                inspector=timed,
                now_ms=clock.now_ms,
                below=clock.randomness().below,
                hotkey=str(bench.keypair.ss58_address),
                machines_at_once=AT_ONCE,
                list_again_ms=60_000,
            ),
            Memory(),
        )
    assert report.failed == 0
    took_s = time.perf_counter() - began
    _check(bench, targets, {each.machine_id: each.control_port for each in targets})
    return took_s, timed


def _check(bench: Bench, targets: Sequence[Target], port_of: dict[UUID, int]) -> None:
    """Fail unless each machine got its one verdict, signed, and each good one the right one."""
    signed = [
        each
        for body in bench.places.told()
        for each in SignedVerdicts.model_validate_json(body).verdicts
    ]
    assert len(signed) == len(port_of)
    assert {each.verdict.machine_id for each in signed} == set(port_of)
    for each in signed:
        verdict = each.verdict
        assert hotkey.verify(verdict.validator_hotkey, canonical_bytes(verdict), each.signature), (
            verdict
        )
        good = port_of[verdict.machine_id] == bench.places.good
        right = VerdictState.VERIFIED if good else VerdictState.DEGRADED
        assert verdict.state is right, verdict


def processor_ms(run: Callable[[], object], count: int) -> float:
    """Return the milliseconds of this process for each of ``count``."""
    began = time.process_time()
    run()
    return (time.process_time() - began) / count * 1000


async def tree_ms(looks: Looks, doing: Coroutine[Any, Any, Any], count: int) -> tuple[float, Any]:
    """Return the milliseconds of this process and those that look, for each of ``count``."""
    pids = looks.pids
    before = time.process_time() + sum(map(used_s, pids))
    result = await doing
    assert looks.pids == pids, "a process was started anew meanwhile"
    return (time.process_time() + sum(map(used_s, pids)) - before) / count * 1000, result


def row(name: str, found: Sequence[float], unit: str) -> None:
    """Print the median, the best and the worst round."""
    print(
        f"{name:52} median {statistics.median(found):8.2f} {unit}"
        f"   ({min(found):.2f} - {max(found):.2f})"
    )


async def costs(bench: Bench, rounds: int, count: int) -> None:
    """Compare what one visit costs."""
    floors, scrapes, looks_ms, passes, minutes = [], [], [], [], []
    async with looking(bench, processes=2) as looks:
        await scrape(bench, 20)
        for _ in range(rounds):
            floors.append(processor_ms(lambda: floor(count), count))
            for kept, doing in ((scrapes, scrape), (looks_ms, look)):
                began = time.process_time()
                await doing(bench, count)
                kept.append((time.process_time() - began) / count * 1000)
            ports = [bench.places.good] * count
            spent, (took_s, _) = await tree_ms(looks, sweep(bench, looks, ports), count)
            passes.append(spent)
            minutes.append(count / took_s * 60)
    row("cryptography of a log-in", floors, "ms")
    row("bare scrape", scrapes, "ms")
    row("one look", looks_ms, "ms")
    row("one look / cryptography", _ratios(looks_ms, floors), "x")
    row("one look / bare scrape", _ratios(looks_ms, scrapes), "x")
    row("a machine of a whole pass", passes, "ms")
    row("machines a minute and core / those of a bare scrape", _ratios(scrapes, passes), "x")
    row("machines a minute here, doors on the same cores", minutes, "")


def _ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    return [one / other for one, other in zip(ours, theirs, strict=True)]


async def round_trips(bench: Bench) -> None:
    """Count them by the time that a look takes through a long line, less what it takes on none."""
    found = []
    for _ in range(3):
        began = time.perf_counter()
        await look(bench, 1)
        middle = time.perf_counter()
        await look(bench, 1, bench.places.far)
        took = time.perf_counter() - middle - (middle - began)
        # The proxy answers the first one, TCP's own, at once.
        found.append(1 + took / (2 * DELAY_S))
    row("round trips of one look", found, "")


async def bad_machines(bench: Bench, rounds: int, count: int) -> None:
    """Compare good machines among bad ones with good machines among themselves."""
    alone, among = [], []
    bad = [*bench.places.dead * (count // 10), *[bench.places.tarpit] * (count // 20)]
    good = [bench.places.good] * (count - len(bad))
    # In turns: bad ones at the front, in the middle and at the end.
    step = len(good) // len(bad)
    mixed = [
        port for at, one in enumerate(bad) for port in (*good[at * step : (at + 1) * step], one)
    ]
    mixed += good[len(bad) * step :]
    async with looking(bench, processes=2) as looks:
        for _ in range(rounds):
            _, timed = await sweep(bench, looks, good)
            alone.append(sorted(timed.taken_s.values()))
            _, timed = await sweep(bench, looks, mixed)
            well = [
                timed.taken_s[UUID(int=number)]
                for number, port in enumerate(mixed, 1)
                if port == bench.places.good
            ]
            among.append(sorted(well))
    print(f"{len(good)} good machines, {len(bad)} bad ones, {rounds} rounds")
    row(
        "p99 of a good machine's look, among good ones", [_p99(each) * 1000 for each in alone], "ms"
    )
    row("p99 of a good machine's look, among bad ones", [_p99(each) * 1000 for each in among], "ms")
    row(
        "p99 among bad ones / among good ones",
        [_p99(ours) / _p99(theirs) for ours, theirs in zip(among, alone, strict=True)],
        "x",
    )


def _p99(found: Sequence[float]) -> float:
    return found[min(len(found) - 1, len(found) * 99 // 100)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--machines", type=int, default=200)
    told = parser.parse_args()
    for noisy in ("asyncssh", "httpx", "validator"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    machine = new_machine(hardware=gpu_machine.facts(GPUS).hardware)
    processes: list[Any] = []
    try:
        keys = private_key_text(machine.key), private_key_text(machine.validator_key)
        ports, _ = part(processes, machines, *keys, DELAY_S)
        market_port, pipe = part(processes, marketplace)
        bench = Bench(
            machine=machine,
            places=Places(*ports, pipe),
            keypair=bittensor_core.Keypair.create_from_uri("//Alice"),
            market_url=f"http://127.0.0.1:{market_port}",
        )
        asyncio.run(costs(bench, told.rounds, told.machines))
        asyncio.run(round_trips(bench))
        asyncio.run(bad_machines(bench, max(5, told.rounds), told.machines))
    finally:
        for process in processes:
            process.kill()
            process.join()


if __name__ == "__main__":
    main()
