"""What is asked of the marketplace for many machines in one call, and what one spoils of it."""

import asyncio
import json
from dataclasses import dataclass, field

import httpx
import pytest

from protocol.validator import TARGETS_MOST, VERDICTS_MOST, SignedVerdicts, Target, Verdict
from tests.validator.builders import ALICE, NOW_MS, target
from tests.validator.test_market import market_of
from validator import market
from validator.domain.verdict import Look, Outcome, decide
from validator.market import Market, MarketRefused, MarketUnreachable


def verdict(number: int, detail: str = "Quiet.") -> Verdict:
    look = Look(Outcome.SILENT, detail)
    return decide(hotkey=ALICE, target=target(number), look=look, now_ms=NOW_MS)


@dataclass
class Marketplace:
    """Takes verdicts in, but for those of some machines, and knows some targets."""

    refused: frozenset[int] = frozenset()
    #: a verdict on one of these spoils the request that it is in
    malformed: frozenset[int] = frozenset()
    listed: tuple[Target, ...] = ()
    #: how many verdicts each request held
    requests: list[int] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            wanted = request.url.params.get_list("machine_id")
            self.requests.append(len(wanted))
            found = [each for each in self.listed if str(each.machine_id) in wanted]
            return httpx.Response(200, json=[each.model_dump(mode="json") for each in found])
        signed = SignedVerdicts.model_validate_json(request.content).verdicts
        numbers = [each.verdict.machine_id.int for each in signed]
        self.requests.append(len(numbers))
        if self.malformed & set(numbers):
            return httpx.Response(422, json={"status": 422, "code": "invalid", "detail": "No."})
        refused = [
            {"number": place, "status": 404, "code": "machine_unknown", "detail": "Who?"}
            for place, number in enumerate(numbers)
            if number in self.refused
        ]
        self.taken += [number for number in numbers if number not in self.refused]
        reply = {"recorded": len(numbers) - len(refused), "refused": refused}
        return httpx.Response(201, json=reply)


async def hand_in(client: Market, *verdicts: Verdict) -> list[BaseException | None]:
    async with client:
        handed = (client.post_verdict(each) for each in verdicts)
        return await asyncio.gather(*handed, return_exceptions=True)


async def test_verdicts_of_one_moment_go_in_one_request_and_are_refused_one_by_one() -> None:
    there = Marketplace(refused=frozenset({2}))
    first, second, third = await hand_in(market_of(there.answer), *map(verdict, (1, 2, 3)))
    assert (first, third, there.requests, there.taken) == (None, None, [3], [1, 3])
    assert isinstance(second, MarketRefused)
    assert (second.status, second.code) == (404, "machine_unknown")


async def test_one_that_spoils_the_request_is_found_and_refused_alone() -> None:
    there = Marketplace(malformed=frozenset({3}))
    found = await hand_in(market_of(there.answer), *map(verdict, range(1, 9)))
    assert [each is None for each in found] == [number != 3 for number in range(1, 9)]
    assert sorted(there.taken) == [1, 2, 4, 5, 6, 7, 8]


async def test_no_request_holds_more_verdicts_or_bytes_than_it_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(market, "VERDICTS_BYTES_MAX", 20_000)
    there = Marketplace()
    count = VERDICTS_MOST + 1
    found = await hand_in(market_of(there.answer), *map(verdict, range(count)))
    assert found == [None] * count
    assert there.requests[-1] == 1
    assert sum(there.requests) == count
    assert max(there.requests) < VERDICTS_MOST


@pytest.mark.parametrize(
    "reply",
    [
        {},
        {"recorded": 1, "refused": []},
        {"recorded": 1, "refused": [{"number": 2, "status": 1, "code": "x", "detail": "x"}]},
    ],
)
async def test_a_word_on_other_verdicts_takes_none_of_them(reply: object) -> None:
    client = market_of(lambda _: httpx.Response(201, content=json.dumps(reply)))
    found = await hand_in(client, verdict(1), verdict(2))
    assert [type(each) for each in found] == [MarketUnreachable] * 2


async def test_targets_of_one_moment_are_asked_for_in_one_request() -> None:
    there = Marketplace(listed=tuple(target(number) for number in range(2, TARGETS_MOST + 2)))
    async with market_of(there.answer) as client:
        ids = [target(number).machine_id for number in range(1, TARGETS_MOST + 2)]
        found = await asyncio.gather(*map(client.target, ids))
    assert found == [None, *there.listed]
    assert there.requests == [TARGETS_MOST, 1]


async def test_whoever_is_called_off_spoils_nothing_for_the_others() -> None:
    there = Marketplace(listed=(target(1), target(2)))
    async with market_of(there.answer) as client:
        off = asyncio.ensure_future(client.target(target(1).machine_id))
        other = asyncio.ensure_future(client.target(target(2).machine_id))
        await asyncio.sleep(0)
        off.cancel()
        assert await other == target(2)
    assert there.requests == [1]
