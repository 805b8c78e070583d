"""A marketplace that says nonsense: one placement's harms only that one, and no tenant's work."""

import asyncio
import contextlib
import gzip
import json
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from miner_agent import market as agent_market
from miner_agent.domain.reply import MALFORMED, ReplyMalformed, read
from miner_agent.hearing import StaleReply
from miner_agent.market import HttpMarket, MarketRefused, MarketUnreachable
from protocol.agent import ObservedState, SyncRequest, Want
from protocol.message import holds_nul
from tests.miner_agent.market import LoopbackMarket
from tests.miner_agent.replies import changed, desired, full, json_values, odd, places, reply
from tests.miner_agent.world import VirtualClock, World

QUIET = SyncRequest(agent_version="1", boot_id="boot", hold_s=0)
ONE, OTHER = UUID(int=1), UUID(int=2)
#: of the reply that the fuzz mutates: its third placement is the tenant's
PATHS = [
    *places(full(ONE, OTHER)),
    *(("desired", 2, *path) for path in places(desired(ONE).model_dump(mode="json"))),
]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "journal")


def hear(world: World, content: object) -> None:
    """Let the agent hear a reply as it comes from the wire, then work, and report as it would."""
    heard = read(json.dumps(content).encode())
    world.agent.apply(heard)
    world.work()
    body = world.agent.request(hold_s=0).model_dump_json().encode()
    # What the marketplace would refuse whole.
    assert SyncRequest.model_validate_json(body)
    assert not holds_nul(body)


def reported(world: World) -> dict[UUID, tuple[ObservedState, str]]:
    return {
        one.placement_id: (one.state, one.problem.code if one.problem else "")
        for one in world.agent.request(hold_s=0).placements
    }


def test_a_placement_that_cannot_be_read_is_reported_as_refused_until_it_is_not_desired(
    world: World,
) -> None:
    good, bad = desired(ONE), desired(OTHER)
    content = changed(reply(good, bad), ("desired", 1, "workload", "ports"), list(range(1, 10_001)))
    hear(world, content)
    assert reported(world) == {
        ONE: (ObservedState.RUNNING, ""),
        OTHER: (ObservedState.GONE, MALFORMED),
    }
    world.restart()
    hear(world, content)
    assert reported(world)[OTHER] == (ObservedState.GONE, MALFORMED)
    hear(world, reply(good, revision=2))
    assert set(reported(world)) == {ONE}


def test_what_runs_goes_on_when_its_next_wish_cannot_be_read(world: World) -> None:
    content = reply(desired(ONE))
    hear(world, content)
    for path, value in [(("workload", "surprise"), 1), (("workload",), None), (("want",), "rest")]:
        hear(world, changed(content, ("desired", 0, *path), value))
        assert reported(world)[ONE][0] is ObservedState.RUNNING
    twice = {**content, "desired": content["desired"] * 2}
    hear(world, twice)
    assert reported(world)[ONE] == (ObservedState.RUNNING, "")
    assert world.runtime.starts == {ONE: 1}


def test_while_nobody_can_say_which_one_is_meant_none_is_missing(world: World) -> None:
    content = reply(desired(ONE), desired(OTHER, want=Want.END, run_for_ms=None))
    hear(world, content)
    assert reported(world)[OTHER][0] is ObservedState.GONE
    hear(world, {**content, "desired": [{"placement_id": "me"}]})
    assert world.runtime.running() == {ONE}
    assert set(reported(world)) == {ONE, OTHER}
    hear(world, {**content, "desired": []})
    assert world.runtime.placements() == set()


def test_an_end_is_heard_though_nothing_else_of_it_can_be_read(world: World) -> None:
    hear(world, reply(desired(ONE)))
    ending = reply(desired(ONE, want=Want.END, run_for_ms=None))
    hear(world, changed(ending, ("desired", 0, "workload", "surprise"), 1))
    world.work()
    assert reported(world)[ONE][0] is ObservedState.GONE


def test_a_thousand_refusals_fit_into_one_report(world: World) -> None:
    world.want()
    world.settle()
    (running,) = world.desired
    many = [desired(uuid4()).model_dump(mode="json") | {"new": 1} for _ in range(999)]
    content = reply(world.desired[running], revision=2)
    hear(world, {**content, "desired": content["desired"] + many})
    assert len(reported(world)) == 1000
    assert reported(world)[running][0] is ObservedState.RUNNING


def test_a_gpu_by_a_name_without_end_is_refused_alone(world: World) -> None:
    resources = {
        "cpu": {"count": 1},
        "gpu": {"count": 64},
        "ram": {"capacity": 1},
        "hard_disk": {"capacity": 1},
    }
    hopeless = desired(
        OTHER,
        gpu_uuids=tuple(f"{number:03}{'f' * 197}" for number in range(64)),
        workload={"image": "i", "resources": resources},
    )
    hear(world, reply(hopeless, desired(ONE)))
    assert reported(world) == {
        ONE: (ObservedState.RUNNING, ""),
        OTHER: (ObservedState.GONE, "no_capacity"),
    }


@settings(max_examples=150, deadline=None)
@given(
    wrongs=st.lists(st.tuples(st.sampled_from(PATHS), odd | json_values), min_size=1, max_size=3)
)
def test_no_nonsense_ends_what_runs_nor_keeps_a_good_reply_from_working(
    wrongs: list[tuple[tuple[object, ...], object]],
) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        world = World(Path(directory) / "journal", ports=8, cores=8)
        tenant = world.want()
        world.settle()
        content = full(ONE, OTHER)
        content["desired"].append(world.desired[tenant].model_dump(mode="json"))
        content["revision"] = world.revision
        for path, value in wrongs:
            try:
                content = changed(content, path, value)
            except (KeyError, IndexError, TypeError):
                # An earlier change has taken this place away.
                continue
        try:
            hear(world, content)
        except (ReplyMalformed, StaleReply):
            hear(world, reply(world.desired[tenant], revision=world.revision))
        row = world.journal.get(tenant)
        names_tenant = isinstance(content.get("desired"), list) and any(
            isinstance(one, dict) and one.get("placement_id") == str(tenant)
            for one in content["desired"]
        )
        if names_tenant:
            # A change that can be read may be made; whatever comes of it, the work goes on.
            for _ in range(4):
                world.work()
            assert row.want is Want.RUN
            assert tenant in world.runtime.running()
        world.desired.clear()
        world.revision = int(world.journal.fact("revision")) + 1
        world.settle()
        assert (world.runtime.found, world.runtime.disks) == ({}, {})
        assert world.journal.placements() == {}
        world.journal.close()


class Mad(LoopbackMarket):
    """Answers every sync with whatever it was given."""

    status, body = 200, b""

    def answer(self, path: str, headers, body: bytes) -> tuple[int, bytes]:
        return self.status, self.body


@pytest.fixture(scope="module")
def mad() -> Iterator[Mad]:
    mad = Mad()
    yield mad
    mad.close()


def ask(url: str) -> object:
    """Return what one sync over HTTP hears."""

    async def sync() -> object:
        line = HttpMarket(url=url, key=Ed25519PrivateKey.generate(), clock=VirtualClock())
        try:
            return await line.sync(QUIET)
        finally:
            await line.close()

    return asyncio.run(sync())


@settings(max_examples=40, deadline=None)
@given(
    status=st.sampled_from([200, 200, 201, 307, 401, 404, 422, 500, 503]),
    body=st.binary() | json_values.map(lambda value: json.dumps(value).encode()),
)
def test_whatever_the_marketplace_sends_is_at_worst_no_answer(
    mad: Mad, status: int, body: bytes
) -> None:
    mad.status, mad.body = status, body
    with pytest.raises((MarketUnreachable, MarketRefused)) as caught:
        ask(mad.url)
    assert len(str(caught.value)) <= 1100


def test_a_refusal_without_end_is_cut(mad: Mad) -> None:
    refusal = {"status": 401, "code": "c" * 9, "detail": "d" * 100_000}
    mad.status, mad.body = 401, json.dumps(refusal).encode()
    with pytest.raises(MarketRefused) as caught:
        ask(mad.url)
    assert str(caught.value) == "d" * 1000


def test_an_answer_that_is_too_long_is_not_read_to_its_end(
    mad: Mad, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_market, "ANSWER_BYTES_MOST", 1000)
    mad.status, mad.body = 200, b" " * 1001
    with pytest.raises(MarketUnreachable, match="too long"):
        ask(mad.url)


RAW = {
    "nothing": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "a compressed bomb": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"
    + gzip.compress(bytes(1 << 20)),
    "less than it says": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
    "a wrong chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nXYZ\r\n",
    "headers without end": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 100_000,
}


@pytest.mark.parametrize("raw", RAW.values(), ids=RAW)
def test_what_is_no_http_is_no_answer(raw: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(1 << 16)
                connection.sendall(raw)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(MarketUnreachable):
            ask(f"http://127.0.0.1:{server.getsockname()[1]}")
        thread.join()


def test_a_byte_now_and_then_does_not_keep_the_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_market, "WHOLE_DEADLINE_S", 0.3)
    heard_enough = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                while not heard_enough.wait(0.02):
                    connection.sendall(b" ")

        thread = threading.Thread(target=drip)
        thread.start()
        with pytest.raises(MarketUnreachable):
            ask(f"http://127.0.0.1:{server.getsockname()[1]}")
        heard_enough.set()
        thread.join()
