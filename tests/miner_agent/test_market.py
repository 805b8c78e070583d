"""Each signed request carries a later time than all before it: the marketplace takes each once."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from miner_agent.market import HttpMarket, MarketRefused
from protocol.agent import ProblemReply, SyncRequest
from protocol.paths import HEADER_SENT_AT
from tests.miner_agent.market import LoopbackMarket

QUIET = SyncRequest(agent_version="1", boot_id="boot", hold_s=0)


class Recorder(LoopbackMarket):
    """Remembers when each request was sent; refuses while it finds the clock wrong."""

    def __init__(self) -> None:
        self.sent_at_ms: list[int] = []
        self.finds_clock_wrong = False
        super().__init__()

    def answer(self, path: str, headers, body: bytes) -> tuple[int, bytes]:
        self.sent_at_ms.append(int(headers[HEADER_SENT_AT]))
        if self.finds_clock_wrong:
            problem = ProblemReply(status=401, code="clock_skew", detail="Set the clock.")
            return 401, problem.model_dump_json().encode()
        return super().answer(path, headers, body)


class SetClock:
    """A clock that shows what it is set to."""

    now_ms = 1_000_000

    def wall_ms(self) -> int:
        return self.now_ms

    def boot_ms(self) -> int:
        return self.now_ms

    def boot_id(self) -> str:
        return "boot"


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.close()


async def test_the_signed_time_rises_though_the_clock_stands_or_is_set_back(
    recorder: Recorder,
) -> None:
    clock = SetClock()
    market = HttpMarket(url=recorder.url, key=Ed25519PrivateKey.generate(), clock=clock)
    for now_ms in (1_000_000, 1_000_000, 990_000, 1_000_000, 1_000_050):
        clock.now_ms = now_ms
        await market.sync(QUIET)
    await market.close()
    assert all(earlier < later for earlier, later in pairwise(recorder.sent_at_ms))
    assert recorder.sent_at_ms[-1] == 1_000_050


async def test_a_clock_that_was_wrong_counts_again_once_it_is_set(recorder: Recorder) -> None:
    clock = SetClock()
    market = HttpMarket(url=recorder.url, key=Ed25519PrivateKey.generate(), clock=clock)
    recorder.finds_clock_wrong, clock.now_ms = True, 99_000_000
    with pytest.raises(MarketRefused):
        await market.sync(QUIET)
    recorder.finds_clock_wrong, clock.now_ms = False, 1_000_000
    await market.sync(QUIET)
    await market.close()
    assert recorder.sent_at_ms == [99_000_000, 1_000_000]
