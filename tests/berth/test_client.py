"""This will check the client against a real loopback server that misbehaves on request."""

import json
import socket
import threading
import time as real_time

import pytest

from berth.client import Client
from berth.exchange import Clock
from berth.problem import CannotReach, Refused
from berth.shapes import RentalRequest
from protocol.hardware import Resources
from tests.berth.conftest import VirtualClock
from tests.berth.market import API_KEY, PASSWORD, Fault, Market, Refusal
from tests.berth.server import Server

RESOURCES = Resources.of(cpus=1, ram_bytes=1 << 30, disk_bytes=1 << 30)


def request(offer_id: str = "offer-a") -> RentalRequest:
    return RentalRequest(offer_id=offer_id, image="debian:12", resources=RESOURCES, lease_s=3600)


def test_logging_in_gives_the_key(server: Server) -> None:
    with Client(server.url) as client:
        key = client.log_in(email="alice@example.com", password=PASSWORD, name="laptop")
    assert key == API_KEY


def test_a_refusal_keeps_its_code_sentence_and_status(client: Client, market: Market) -> None:
    market.refusals["RENT", "offer-a"] = Refusal(409, "offer_taken", "Somebody was faster.")
    with pytest.raises(Refused) as caught:
        client.rent(request())
    assert (caught.value.code, caught.value.sentence, caught.value.status) == (
        "offer_taken",
        "Somebody was faster.",
        409,
    )
    assert len(market.seen) == 1


def test_a_lost_answer_is_asked_for_again_and_rents_once(client: Client, market: Market) -> None:
    market.faults.append(Fault(drop=True))
    rental = client.rent(request())
    assert list(market.rentals) == [rental.id]
    first, second = market.seen
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


def test_two_rents_have_two_keys(client: Client, market: Market) -> None:
    assert client.rent(request()).id != client.rent(request()).id
    assert len(market.rentals) == 2


@pytest.mark.parametrize("status", [502, 503, 504, 429])
def test_a_passing_trouble_is_tried_again(
    client: Client, market: Market, time: VirtualClock, status: int
) -> None:
    market.faults.append(Fault(status=status, headers={"Retry-After": "2"}))
    assert client.me().email == "alice@example.com"
    assert sum(time.slept) >= 2


def test_a_trouble_that_stays_is_reported_after_three_attempts(
    client: Client, market: Market
) -> None:
    market.faults.extend(Fault(status=503) for _ in range(9))
    with pytest.raises(Refused, match="status 503"):
        client.me()
    assert len(market.seen) == 3


def test_all_attempts_together_meet_the_deadline(
    server: Server, market: Market, time: VirtualClock
) -> None:
    market.faults.extend(Fault(status=503, headers={"Retry-After": "9"}) for _ in range(9))
    with (
        Client(server.url, API_KEY, deadline_s=15, clock=time.clock()) as client,
        pytest.raises(Refused, match="status 503"),
    ):
        client.me()
    assert len(market.seen) == 2
    assert sum(time.slept) < 15


def test_an_hour_of_retry_after_is_not_slept(
    client: Client, market: Market, time: VirtualClock
) -> None:
    market.faults.append(Fault(status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(Refused):
        client.me()
    assert time.slept == []


def test_money_is_never_added_twice_by_a_lost_answer(client: Client, market: Market) -> None:
    market.faults.append(Fault(drop=True))
    with pytest.raises(CannotReach):
        client.top_up(amount_microusd=1_000_000)
    assert len(market.seen) == 1


def test_a_closed_port_cannot_be_reached(time: VirtualClock) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with (
        Client(f"http://127.0.0.1:{port}", "k", clock=time.clock()) as client,
        pytest.raises(CannotReach, match=f"127.0.0.1:{port}"),
    ):
        client.top_up(amount_microusd=1)
    assert len(time.slept) == 2


def test_an_answer_without_end_is_cut_off(client: Client, market: Market) -> None:
    market.faults.append(Fault(content=b'"' + b"x" * (5 << 20) + b'"'))
    with pytest.raises(CannotReach) as caught:
        client.me()
    assert caught.value.code == "answer_too_large"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"<html>", "not_berth"),
        (b'{"email": 1}', "unexpected_answer"),
        (b"[1]", "unexpected_answer"),
        (b"\xff", "not_berth"),
    ],
)
def test_an_answer_of_another_shape_is_no_crash(
    client: Client, market: Market, content: bytes, code: str
) -> None:
    market.faults.append(Fault(content=content))
    with pytest.raises(CannotReach) as caught:
        client.me()
    assert caught.value.code == code


def test_a_redirect_is_not_followed_with_the_key(client: Client, market: Market) -> None:
    market.faults.append(Fault(status=302, headers={"Location": "http://127.0.0.1:1/"}))
    with pytest.raises(Refused, match="elsewhere"):
        client.me()
    assert len(market.seen) == 1


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"oops", "status 422"),
        (b"[]", "status 422"),
        (b"{}", "status 422"),
        (json.dumps({"code": "invalid", "detail": "No."}).encode(), "No."),
        (json.dumps({"detail": [{"loc": ["body", "x"], "msg": "bad"}]}).encode(), "body.x: bad"),
    ],
)
def test_every_refusal_becomes_a_sentence(
    client: Client, market: Market, body: bytes, sentence: str
) -> None:
    market.faults.append(Fault(status=422, content=body))
    with pytest.raises(Refused, match=sentence):
        client.me()


def test_offers_are_read_page_by_page_and_only_as_far_as_needed(
    client: Client, market: Market
) -> None:
    pages = client.offers()
    assert next(pages).id == "offer-b"
    assert len(market.seen) == 1
    assert [offer.id for offer in pages] == ["offer-a", "offer-c"]
    assert len(market.seen) == 2


@pytest.mark.parametrize(
    "start",
    [b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-Slow: "],
    ids=["body", "header"],
)
def test_a_server_that_drips_meets_the_deadline(start: bytes) -> None:
    """Each byte comes in time, the whole does not."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_drip, args=(listener, start))
        thread.start()
        started = real_time.monotonic()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with (
            Client(url, "k", deadline_s=0.3, clock=Clock(sleep=lambda _: None)) as client,
            pytest.raises(CannotReach, match="did not answer within"),
        ):
            client.top_up(amount_microusd=1)
        assert real_time.monotonic() - started < 5
        thread.join()


def _drip(listener: socket.socket, start: bytes) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65_536)
        connection.sendall(start)
        try:
            for _ in range(100_000):
                connection.sendall(b"x")
                real_time.sleep(0.02)
        except OSError:
            return
