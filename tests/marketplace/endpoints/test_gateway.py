"""A gateway between callers and replicas, over loopback, with the agent's own door."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from marketplace.endpoints.gateway import application, caller, under_way
from marketplace.endpoints.gateway.machines import Machines, Unreachable
from marketplace.endpoints.gateway.standing import BREAKS_MAX
from tests.marketplace.endpoints.way import (
    KEY,
    Echo,
    Way,
    head_of,
    open_way,
    saying,
    until,
)


@pytest.fixture
async def way(tmp_path: Path) -> AsyncIterator[Way]:
    async with open_way(tmp_path) as way:
        yield way


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_request_reaches_a_replica_and_its_answer_comes_back(way: Way) -> None:
    await way.replica(Echo())
    await way.look()
    answer = await way.ask("/v1/chat%2Fx?q=1&q=2", "POST", content=b"hello")
    head, _, body = answer.content.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/chat%2Fx?q=1&q=2 HTTP/1.1\r\n")
    assert body == b"hello"
    assert b"\r\ncontent-length: 5" in head


async def test_what_a_replica_says_is_passed_on_before_it_says_more(way: Way) -> None:
    heard = asyncio.Event()

    async def tokens(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
        await writer.drain()
        # It says no more until the caller has heard this.
        await heard.wait()
        writer.write(b"3\r\ntwo\r\n0\r\n\r\n")
        await writer.drain()

    await way.replica(tokens)
    await way.look()
    bearer = {"authorization": f"Bearer {KEY}"}
    async with way.client.stream("GET", f"/{way.endpoint_id}/", headers=bearer) as answer:
        parts = answer.aiter_raw()
        assert await anext(parts) == b"one"
        heard.set()
        assert await anext(parts) == b"two"


async def test_a_body_is_passed_on_while_it_comes_and_may_be_answered_before_its_end(
    way: Way,
) -> None:
    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"first")
        writer.write(b"HTTP/1.1 403 No\r\ncontent-length: 2\r\n\r\nno")
        await writer.drain()

    await way.replica(early)
    await way.look()
    # The caller never ends its body.
    answer = await way.raw(way.head("POST", "content-length: 10", "connection: close") + b"first")
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert answer.endswith(b"\r\n\r\nno")


async def test_only_who_shows_the_endpoints_key_is_served(way: Way) -> None:
    await way.replica(saying(b"secret"))
    await way.look()
    for shown in ("", "Bearer", "Bearer bre_wrong", f"Basic {KEY}"):
        answer = await way.ask(headers={"authorization": shown})
        assert code_of(answer) == (401, "unauthenticated")
    start = f"GET /{way.endpoint_id}/ HTTP/1.1\r\nhost: x\r\n".encode()
    twice = f"authorization: Bearer {KEY}\r\n".encode() * 2
    assert b" 401 " in (await way.raw(start + twice + b"\r\n")).split(b"\r\n")[0]


@pytest.mark.parametrize(
    "path", ["/", "/x/", "/5f0c4b7e-3f54-4f0e-9f1c-3c1f6a0c9d11/", "/../etc", "//"]
)
async def test_an_address_of_no_endpoint_is_refused(way: Way, path: str) -> None:
    start = f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode()
    answer = await way.raw(start)
    assert b" 404 " in answer.split(b"\r\n")[0]
    assert b'"not_found"' in answer


async def test_no_header_between_neighbours_passes_and_no_key(way: Way) -> None:
    await way.replica(Echo())
    await way.look()
    answer = await way.ask(
        headers={
            "connection": "keep-alive, x-mine",
            "x-mine": "1",
            "x-forwarded-for": "1.2.3.4",
            "x_forwarded_for": "1.2.3.4",
            "cookie": "a=b",
            "te": "trailers",
            "x-other": "kept",
        }
    )
    names = {line.split(b":")[0] for line in answer.content.split(b"\r\n")[1:] if line}
    assert names == {
        *(b"host", b"x-other", b"accept", b"accept-encoding", b"user-agent", b"connection")
    }
    assert b"connection: close" in answer.content
    assert KEY.encode() not in answer.content


async def test_no_answer_speaks_for_the_whole_address(way: Way) -> None:
    spoken = (b"set-cookie: a=b", b"strict-transport-security: max-age=1", b"x-kept: 1")
    await way.replica(saying(b"x", *spoken, b"connection: x-hop", b"x-hop: 1", b"server: me"))
    await way.look()
    answer = await way.ask()
    assert set(answer.headers) == {*("content-length", "date", "x-content-type-options", "x-kept")}


@pytest.mark.parametrize(
    "framing",
    [
        b"content-length: 3\r\ncontent-length: 4\r\n",
        b"content-length: 3\r\ntransfer-encoding: chunked\r\n",
        b"transfer-encoding: chunked, identity\r\n",
        b"content-length: +3\r\n",
        b"content-length : 3\r\n",
    ],
)
async def test_a_request_with_two_readings_reaches_no_replica_in_both(
    way: Way, framing: bytes
) -> None:
    heard: list[bytes] = []

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())

    await way.replica(keep)
    await way.look()
    heard.clear()
    smuggled = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n"
    await way.raw(way.head("POST")[:-2] + framing + b"\r\n" + smuggled, ends=True)
    await until(lambda: not any(house.gateways.streams for house in way.houses))
    assert all(b"GET /smuggled" not in one.split(b"\r\n\r\n")[0] for one in heard)
    for one in heard:
        # What came is framed in one way, by the gateway.
        framed = one.lower()
        assert framed.count(b"content-length:") + framed.count(b"transfer-encoding:") <= 1


async def test_a_request_may_have_only_so_much_body(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caller, "BODY_BYTES_MAX", 10)

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    await way.replica(listen)
    await way.look()

    async def endless() -> AsyncIterator[bytes]:
        yield b"x" * 8
        yield b"x" * 8

    for body in (b"x" * 11, endless()):
        answer = await way.ask("/", "POST", content=body)
        assert code_of(answer) == (413, "too_large")


async def test_no_answer_gives_orders_to_a_proxy_in_front(way: Way) -> None:
    orders = (b"X-Accel-Redirect: /x", b"X-Sendfile: /x", b"X-LIGHTTPD-send-file: /x")
    more = (b"x-litespeed-location: /x", b"x-reproxy-url: x", b"x-kept: 1")
    await way.replica(saying(b"x", *orders, *more))
    await way.look()
    answer = await way.ask()
    assert set(answer.headers) == {*("content-length", "date", "x-content-type-options", "x-kept")}


async def test_methods_that_mean_something_to_proxies_are_refused(way: Way) -> None:
    await way.replica(Echo())
    await way.look()
    assert code_of(await way.ask("/", "TRACE")) == (405, "invalid")


async def test_without_a_replica_that_answers_it_says_so(way: Way) -> None:
    answer = await way.ask()
    assert code_of(answer) == (503, "no_replica")
    assert answer.headers["retry-after"] == "2"


async def test_a_machine_with_another_host_key_gets_nothing(way: Way) -> None:
    house = await way.house()
    other = await way.house()
    target = await way.replica(saying(b"x"), house=house)
    way.targets[:] = [
        type(target)(
            target.placement_id,
            target.http_port,
            type(house.machine)(key=other.key, address="127.0.0.1", port=house.port),
        )
    ]
    way.pool.follow({})
    way.follow()
    way.pool.look()
    await until(lambda: not way.pool._looks._under_way)
    assert code_of(await way.ask()) == (503, "no_replica")
    assert not house.gateways.streams


async def test_another_replica_answers_where_the_first_took_no_stream(way: Way) -> None:
    await way.replica(saying(b"a"))
    await way.replica(saying(b"b"))
    await way.look()
    # Of equals any, so that who is first to fail does not get all.
    said = {(await way.ask()).text for _ in range(20)}
    assert said == {"a", "b"}
    way.pool.was_told(way.pool.news())
    first = way.targets[0]
    way.houses[0].running.pop(str(first.placement_id))
    assert [(await way.ask()).text for _ in range(4)] == ["b"] * 4
    assert {look.placement_id: look.answered for look in way.pool.news()} == {
        first.placement_id: False
    }


async def test_a_replica_that_breaks_off_again_and_again_is_asked_last(way: Way) -> None:
    async def breaking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)

    await way.replica(breaking)
    await way.look()
    assert [(await way.ask()).status_code for _ in range(BREAKS_MAX)] == [502] * BREAKS_MAX
    # There is no other yet.
    assert (await way.ask()).status_code == 502
    await way.replica(saying(b"whole"))
    await way.look()
    assert [(await way.ask()).text for _ in range(12)] == ["whole"] * 12


async def test_what_a_replica_took_is_asked_of_no_other(way: Way) -> None:
    asked: list[str] = []

    def dying(name: str) -> object:
        async def program(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await head_of(reader)
            asked.append(name)

        return program

    await way.replica(dying("a"))  # type: ignore[arg-type]
    await way.replica(dying("b"))  # type: ignore[arg-type]
    await way.look()
    assert code_of(await way.ask("/", "POST", content=b"x")) == (502, "replica_failed")
    assert len(asked) == 1


@pytest.mark.parametrize("length", [b"content-length: 99\r\n", b"transfer-encoding: chunked\r\n"])
async def test_half_an_answer_is_never_taken_for_a_whole_one(way: Way, length: bytes) -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n5\r\nhalf\n\r\n")
        await writer.drain()

    await way.replica(half)
    await way.look()
    with pytest.raises(httpx.RemoteProtocolError):
        await way.ask()


async def test_an_answer_with_two_lengths_has_one_afterwards(way: Way) -> None:
    async def both(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        framing = b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n"
        writer.write(b"HTTP/1.1 200 OK\r\n" + framing + b"5\r\nwhole\r\n0\r\n\r\n")

    await way.replica(both)
    await way.look()
    answer = await way.ask()
    assert answer.content == b"whole"
    assert "content-length" not in answer.headers


async def test_a_machine_inside_the_sites_own_network_is_not_visited(way: Way) -> None:
    target = await way.replica(saying(b"x"))
    key = way.gateway_key.export_private_key().decode()
    machines = Machines(key=key, public_only=True)
    with pytest.raises(Unreachable, match="not a public address"):
        await machines.open(target)


async def test_a_replica_that_says_nothing_is_given_up(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application, "FIRST_S", 0.05)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    await way.replica(silent)
    await way.look()
    assert code_of(await way.ask()) == (504, "replica_slow")
    await until(lambda: not way.houses[0].gateways.streams)


async def test_where_the_caller_hangs_up_the_replica_is_told(way: Way) -> None:
    hung_up = asyncio.Event()

    async def waits(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        await reader.read()
        hung_up.set()

    await way.replica(waits)
    await way.look()
    hung_up.clear()
    _, writer = await asyncio.open_connection("127.0.0.1", way.port)
    writer.write(way.head("GET"))
    await until(lambda: bool(way.houses[0].gateways.streams))
    writer.close()
    async with asyncio.timeout(10):
        await hung_up.wait()
    await until(lambda: not way.houses[0].gateways.streams)


async def test_an_endpoint_has_only_so_many_requests_under_way(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_way, "ENDPOINT_MAX", 1)
    go_on = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        await go_on.wait()
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    await way.replica(slow)
    await way.look()
    first = asyncio.create_task(way.ask())
    await until(lambda: bool(way.houses[0].gateways.streams))
    assert code_of(await way.ask()) == (429, "endpoint_busy")
    go_on.set()
    assert (await first).status_code == 204


async def test_the_replica_that_has_least_to_do_is_next(way: Way) -> None:
    go_on = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        await go_on.wait()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nslow")

    await way.replica(slow)
    await way.look()
    first = asyncio.create_task(way.ask())
    await until(lambda: bool(way.houses[0].gateways.streams))
    await way.replica(saying(b"free"))
    await way.look()
    assert [(await way.ask()).text for _ in range(3)] == ["free"] * 3
    go_on.set()
    assert (await first).text == "slow"
