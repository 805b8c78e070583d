"""The agent sends the end of a container's log to who asks, and the last words of what fails."""

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from miner_agent.clock import MachineClock
from miner_agent.containers import Containers
from miner_agent.domain.container_spec import LABEL_MACHINE, container_name
from miner_agent.engine import Engine, EngineUnavailable
from miner_agent.logs import LAST_MOST, Logs
from miner_agent.market import HttpMarket, MarketUnreachable
from miner_agent.supervisor import Supervisor
from miner_agent.transfers import HttpTransfers
from protocol.agent import DesiredPlacement, ObservedState, Problem, Want
from protocol.container_log import (
    LAST_CHARACTERS_MOST,
    LINES_MOST,
    LogAsked,
    LogLine,
    LogReport,
    Stream,
    answers,
)
from protocol.hardware import Resources
from protocol.workload import PlacementKind, Workload
from tests.miner_agent.domain.test_container_log import frame
from tests.miner_agent.market import LoopbackMarket
from tests.miner_agent.world import World

DEADLINE_S = 90


class Talk:
    """What containers say, and what of it the marketplace got."""

    def __init__(self, world: World) -> None:
        self.said: dict[str, bytes] = {}
        self.sent: list[tuple[UUID, LogReport]] = []
        self.broken: Exception | None = None
        self.engine_away = False
        self.logs = Logs(journal=world.journal, said=self.read, send=self.send)
        world.keep_last = self.logs.keep_last

    def read(self, name: str, *, lines_most: int) -> bytes | None:
        if self.engine_away:
            raise EngineUnavailable("Docker does not answer.")
        return self.said.get(name)

    def send(self, placement_id: UUID, report: LogReport) -> None:
        if self.broken is not None:
            raise self.broken
        self.sent.append((placement_id, report))

    def texts(self) -> list[list[str]]:
        """Return the lines of each report that came."""
        return [[line.text for line in report.lines] for _, report in self.sent]


def asked(placement_id: UUID, lines_most: int = 10) -> LogAsked:
    return LogAsked(placement_id=placement_id, asked_id=uuid4(), lines_most=lines_most)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "journal")


@pytest.fixture
def talk(world: World) -> Talk:
    return Talk(world)


def runs(world: World, talk: Talk, said: bytes) -> UUID:
    """Return a placement that runs and said this."""
    placement_id = world.want()
    world.settle()
    talk.said[container_name(placement_id, 0)] = said
    return placement_id


def test_each_question_is_answered_once(world: World, talk: Talk) -> None:
    placement_id = runs(world, talk, frame(b"ready\n") + frame(b"steady\n", 2))
    question = asked(placement_id, 1)
    talk.logs.hear([question])
    talk.logs.answer()
    talk.logs.hear([question])
    talk.logs.answer()
    ((told_of, report),) = talk.sent
    assert (told_of, report.asked_id) == (placement_id, question.asked_id)
    assert ([line.text for line in report.lines], report.is_cut) == (["steady"], True)
    talk.logs.hear([asked(placement_id)])
    talk.logs.answer()
    assert talk.texts() == [["steady"], ["ready", "steady"]]


def test_what_has_no_container_says_so(world: World, talk: Talk) -> None:
    fetching = world.want()
    world.sync()
    for placement_id in (fetching, uuid4()):
        talk.logs.hear([asked(placement_id)])
        talk.logs.answer()
    assert [report.has_container for _, report in talk.sent] == [False, False]


def test_what_cannot_be_read_or_sent_now_is_tried_again(world: World, talk: Talk) -> None:
    placement_id = runs(world, talk, frame(b"ready\n"))
    talk.logs.hear([asked(placement_id)])
    talk.engine_away = True
    talk.logs.answer()
    talk.engine_away, talk.broken = False, MarketUnreachable("away")
    talk.logs.answer()
    assert talk.sent == []
    talk.broken = None
    talk.logs.answer()
    assert talk.texts() == [["ready"]]


def test_what_fails_leaves_its_last_words_unasked(world: World, talk: Talk) -> None:
    wrong = b"".join(frame(b"wrong %d\n" % number, number) for number in range(2000))
    placement_id = runs(world, talk, wrong)
    problem = Problem(code="start_failed", message="It did not start.")
    world.journal.change(placement_id, want=Want.END, problem=problem)
    talk.broken = MarketUnreachable("away")
    world.work()
    talk.said.clear()
    assert world.state(placement_id) is ObservedState.GONE
    talk.logs.answer()
    talk.broken = None
    talk.logs.answer()
    talk.logs.answer()
    ((told_of, report),) = talk.sent
    assert (told_of, report.asked_id, report.is_cut) == (placement_id, None, True)
    assert report.lines[-1].text == "wrong 1999"
    assert sum(len(line.text) for line in report.lines) <= LAST_CHARACTERS_MOST


@pytest.mark.parametrize("code", ["", "lease_ended"])
def test_what_only_ends_leaves_nothing(world: World, talk: Talk, code: str) -> None:
    placement_id = runs(world, talk, frame(b"secret\n"))
    problem = Problem(code=code, message="It is over.") if code else None
    world.journal.change(placement_id, want=Want.END, problem=problem)
    world.work()
    talk.logs.answer()
    assert (world.state(placement_id), talk.sent) == (ObservedState.GONE, [])


def test_what_ends_while_somebody_asks_is_read_before_it_goes(world: World, talk: Talk) -> None:
    placement_id = runs(world, talk, frame(b"why\n"))
    question = asked(placement_id)
    # As the supervisor does it: the question comes with the reply that ends it.
    talk.logs.hear([question])
    world.end(placement_id)
    world.sync()
    world.work()
    talk.said.clear()
    talk.logs.answer()
    ((_, report),) = talk.sent
    assert ([line.text for line in report.lines], report.asked_id) == (["why"], question.asked_id)


def test_no_log_keeps_a_container_from_its_end(world: World, talk: Talk) -> None:
    placement_id = runs(world, talk, frame(b"why\n"))
    talk.logs.hear([asked(placement_id)])
    talk.engine_away = True
    world.end(placement_id)
    world.sync()
    world.work()
    assert world.state(placement_id) is ObservedState.GONE


def test_last_words_that_nobody_takes_do_not_pile_up(world: World, talk: Talk) -> None:
    placement = world.journal.get(runs(world, talk, frame(b"why\n")))
    problem = Problem(code="start_failed", message="It did not start.")
    for number in range(LAST_MOST + 5):
        other = placement.model_copy(update={"placement_id": UUID(int=number), "problem": problem})
        talk.said[container_name(other.placement_id, 0)] = frame(b"why\n")
        talk.logs.keep_last(other)
    talk.logs.answer()
    assert [told_of.int for told_of, _ in talk.sent] == list(range(5, LAST_MOST + 5))


async def test_a_question_reaches_the_machine_and_its_answer_comes_back(world: World) -> None:
    market, key, clock = LoopbackMarket(), Ed25519PrivateKey.generate(), MachineClock()
    transfers = HttpTransfers(url=market.url, key=key, clock=clock)
    talk = Talk(world)
    logs = Logs(journal=world.journal, said=talk.read, send=transfers.tell_log)
    line = HttpMarket(url=market.url, key=key, clock=clock)
    supervisor = Supervisor(agent=world.agent, market=line, hardware=lambda: None, logs=logs)
    desired = DesiredPlacement(
        placement_id=uuid4(),
        want=Want.RUN,
        workload=Workload(
            kind=PlacementKind.RENTAL,
            image="i",
            resources=Resources.of(cpus=1, ram_bytes=1, disk_bytes=1),
        ),
        run_for_ms=3_600_000,
    )
    talk.said[container_name(desired.placement_id, 0)] = frame(b"r\xc3\xa9ady \x1b[31m\n")
    running = asyncio.create_task(supervisor.run())
    try:
        async with asyncio.timeout(DEADLINE_S):
            market.want(desired)
            await asyncio.to_thread(market.wait_for, desired.placement_id, ObservedState.RUNNING)
            report = await asyncio.to_thread(market.ask_for_log, desired.placement_id)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await line.close()
        transfers.close()
        market.close()
    assert [one.text for one in report.lines] == ["réady \x1b[31m"]
    assert market.failures == []


class FakeDocker(BaseHTTPRequestHandler):
    """What Docker Engine answers of one container, which carries the label of machine "mine"."""

    protocol_version = "HTTP/1.1"
    log = frame(b"ready\n")
    asked: list[str] = []  # noqa: RUF012 - of the one server that a test starts

    def do_GET(self) -> None:
        path = self.path.partition("/containers/")[2]
        body, status = b'{"ApiVersion": "1.41"}', 200
        if path.startswith("known/json"):
            body = b'{"Config": {"Labels": {"%s": "mine"}}}' % LABEL_MACHINE.encode()
        elif path.startswith("known/logs"):
            self.asked.append(path)
            body = self.log
        elif path:
            body, status = b'{"message": "No such container"}', 404
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Stay quiet."""


@pytest.fixture
def engine() -> Iterator[Engine]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeDocker)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield Engine(f"tcp://127.0.0.1:{server.server_address[1]}")
    server.shutdown()
    server.server_close()


def test_docker_is_asked_for_the_newest_lines_of_this_machines_containers_alone(
    engine: Engine,
) -> None:
    FakeDocker.asked.clear()
    mine, others = Containers(engine, machine="mine"), Containers(engine, machine="others")
    assert mine.said("known", lines_most=7) == FakeDocker.log
    assert (others.said("known", lines_most=7), mine.said("gone", lines_most=7)) == (None, None)
    (query,) = FakeDocker.asked
    assert {"tail=7", "timestamps=1", "stdout=1", "stderr=1"} <= set(
        query.partition("?")[2].split("&")
    )


@pytest.mark.parametrize(
    ("version", "does"),
    [("0.1.9", False), ("0.2.0", True), ("0.10", True), ("1", True), ("", False), ("0.²", False)],
)
def test_which_agents_are_asked(version: str, *, does: bool) -> None:
    assert answers(version) is does


def test_a_report_is_bounded_as_a_whole() -> None:
    long = LogLine(at="2026-11-22T16:00:00.000000001Z", stream=Stream.STDOUT, text="x" * 8192)
    assert len(LogReport(lines=(long,) * 8).lines) == 8
    for lines in ((long,) * 9, (long.model_copy(update={"text": ""}),) * (LINES_MOST + 1)):
        with pytest.raises(ValueError, match="at most"):
            LogReport(lines=lines)
