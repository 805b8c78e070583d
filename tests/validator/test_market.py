"""The marketplace's client: what it signs, what it accepts, what it refuses."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable

import bittensor_core
import httpx
import pytest

from protocol import hotkey, paths
from protocol.message import canonical_bytes
from protocol.validator import ScoreReport, SignedScoreReport, SignedVerdicts
from tests.validator import builders
from tests.validator.builders import ALICE, NOW_MS, cpu_record, target
from validator import btauth, market
from validator.domain.scoring import score
from validator.domain.verdict import Look, Outcome, decide
from validator.market import Market, MarketRefused, MarketUnreachable

KEYPAIR = bittensor_core.Keypair.create_from_uri("//Alice")
NOW_NS = NOW_MS * 1_000_000
Answer = Callable[[httpx.Request], httpx.Response]


def market_of(answer: Answer) -> Market:
    transport = httpx.MockTransport(answer)
    return Market(url="http://m", keypair=KEYPAIR, now_ns=lambda: NOW_NS, transport=transport)


def text_of(*, body: bytes = b"x", method: str = "post", path: str = "/a?b=1") -> bytes:
    return btauth.signed_text(method=method, path=path, body=body, nonce_ns=5, sender="S")


def test_the_signed_text_is_btauths_eight_lines() -> None:
    digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    assert text_of() == f"btauth/1\nsr25519\nPOST\n/a?b=1\n{digest}\n5\nS\n-".encode()


def test_the_headers_carry_a_signature_that_only_this_request_has() -> None:
    headers = btauth.headers(KEYPAIR, method="POST", path="/a?b=1", body=b"x", nonce_ns=5)
    assert headers["X-Bittensor-Version"] == "1"
    assert headers["X-Bittensor-Hotkey"] == ALICE
    assert headers["X-Bittensor-Nonce"] == "5"
    signature = headers["X-Bittensor-Signature"].removeprefix("0x")

    def signed(body: bytes, path: str = "/a?b=1") -> bytes:
        return btauth.signed_text(method="POST", path=path, body=body, nonce_ns=5, sender=ALICE)

    assert hotkey.verify(ALICE, signed(b"x"), signature)
    assert not hotkey.verify(ALICE, signed(b"y"), signature)
    assert not hotkey.verify(ALICE, signed(b"x", "/a"), signature)
    assert not hotkey.verify(builders.BOB, signed(b"x"), signature)


async def test_targets_are_read_and_the_request_is_signed() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=[target().model_dump(mode="json")])

    async with market_of(answer) as client:
        assert await client.targets() == (target(),)
    (request,) = asked
    text = btauth.signed_text(
        method="GET", path=paths.VALIDATOR_TARGETS, body=b"", nonce_ns=NOW_NS, sender=ALICE
    )
    signature = request.headers["X-Bittensor-Signature"].removeprefix("0x")
    assert hotkey.verify(ALICE, text, signature)


async def test_verdicts_and_scores_are_signed_by_the_hotkey() -> None:
    bodies: dict[str, bytes] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        bodies[request.url.path] = request.content
        return httpx.Response(201, json={"recorded": 1, "refused": []})

    verdict = decide(
        hotkey=ALICE, target=target(), look=Look(Outcome.SILENT, "Quiet."), now_ms=NOW_MS
    )
    report = ScoreReport(validator_hotkey=ALICE, epoch=7, scores=())
    async with market_of(answer) as client:
        await client.post_verdict(verdict)
        await client.post_scores(report)
        await client.register("ssh-ed25519 AAAA")
    (sent,) = SignedVerdicts.model_validate_json(bodies[paths.VALIDATOR_VERDICTS]).verdicts
    assert hotkey.verify(ALICE, canonical_bytes(sent.verdict), sent.signature)
    scores = SignedScoreReport.model_validate_json(bodies[paths.VALIDATOR_SCORES])
    assert hotkey.verify(ALICE, canonical_bytes(scores.report), scores.signature)
    assert json.loads(bodies[paths.VALIDATOR_REGISTER]) == {"ssh_public_key": "ssh-ed25519 AAAA"}


async def test_the_epoch_record_is_read() -> None:
    record = builders.epoch(cpu_record())
    async with market_of(lambda _: httpx.Response(200, text=record.model_dump_json())) as client:
        assert await client.epoch() == record


async def test_a_problem_is_raised_with_its_code() -> None:
    problem = {"status": 403, "code": "forbidden", "detail": "Ask the operator."}
    async with market_of(lambda _: httpx.Response(403, json=problem)) as client:
        with pytest.raises(MarketRefused) as refused:
            await client.targets()
    assert (refused.value.status, refused.value.code) == (403, "forbidden")
    assert str(refused.value) == "Ask the operator. (forbidden)"


async def test_a_refusal_without_a_problem_still_says_the_status() -> None:
    async with market_of(lambda _: httpx.Response(502, text="<html>")) as client:
        with pytest.raises(MarketRefused, match="502"):
            await client.targets()


@pytest.mark.parametrize("text", ["not json", "{}", '[{"machine_id": 1}]'])
async def test_malformed_targets_are_no_targets(text: str) -> None:
    async with market_of(lambda _: httpx.Response(200, text=text)) as client:
        with pytest.raises(MarketUnreachable):
            await client.targets()


async def test_a_malformed_epoch_is_no_epoch() -> None:
    async with market_of(lambda _: httpx.Response(200, text="{}")) as client:
        with pytest.raises(MarketUnreachable):
            await client.epoch()


async def test_a_reply_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(market, "REPLY_BYTES_MAX", 1_000)

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 100

    async with market_of(lambda _: httpx.Response(200, content=endless())) as client:
        with pytest.raises(MarketUnreachable, match="too long"):
            await client.targets()


async def test_a_reply_that_never_ends_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(market, "CALL_S_MAX", 0.1)

    async def never() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    async with market_of(lambda _: httpx.Response(200, content=never())) as client:
        with pytest.raises(MarketUnreachable):
            await client.targets()


async def test_a_marketplace_that_is_down_is_unreachable() -> None:
    async with Market(url="http://127.0.0.1:9", keypair=KEYPAIR, now_ns=lambda: NOW_NS) as client:
        with pytest.raises(MarketUnreachable):
            await client.targets()


async def test_many_scores_are_handed_in_as_several_signed_reports() -> None:
    told: list[SignedScoreReport] = []

    def answer(request: httpx.Request) -> httpx.Response:
        assert len(request.content) < 2_621_440
        told.append(SignedScoreReport.model_validate_json(request.content))
        return httpx.Response(201, json={"recorded": 1})

    scores = score(builders.epoch(*(cpu_record(number) for number in range(1, 10_001))))
    async with market_of(answer) as client:
        await client.post_scores(ScoreReport(validator_hotkey=ALICE, epoch=7, scores=scores))
    assert tuple(each for signed in told for each in signed.report.scores) == scores
    for signed in told:
        assert hotkey.verify(ALICE, canonical_bytes(signed.report), signed.signature)
