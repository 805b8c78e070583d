"""Whoever has no key recomputes an epoch from what is published, and finds what does not follow."""

import json
import zlib
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from marketplace.metering.actions.charge import charge_all
from marketplace.metering.actions.close_epochs import close_epochs
from marketplace.rentals.models import Rental
from marketplace.verification.actions.record_scores import record_scores
from marketplace.verification.actions.record_verdict import record
from marketplace.verification.models import EpochScore, SignedReport
from protocol.agent import ObservedState
from tests.marketplace.metering.test_close_epochs import (
    CLOSES,
    EPOCH,
    closed_record,
    signed_report,
)
from tests.marketplace.metering.test_settle import market, rental, signed, told
from tests.marketplace.rentals.market import Market
from tests.marketplace.scene import NOW, Judge, after
from tests.validator.marketplace_stub import Stub, serving

__all__ = ["market", "rental"]
API = f"/api/v1/scores/{EPOCH}"
Words = Callable[..., tuple[int, str]]


@pytest.fixture
def stub(market: Market, rental: Rental, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    """All that the marketplace publishes of a closed epoch in which a verified machine worked."""
    judge, on = Judge(), market.machine
    later_ms = int(NOW.timestamp() * 1000) + 20 * 3_600_000
    record(signed=judge.admitted().verdict(on, expires_at_ms=later_ms), now=NOW)
    running = told(market, rental, ObservedState.RUNNING, second=50)
    market.agent.sync(
        after(50), placements=[running], intervals=[signed(market, rental, until_s=50)]
    )
    charge_all(now=after(51))
    close_epochs(now=CLOSES)
    epoch, sha256 = closed_record()
    record_scores(signed=signed_report(judge, epoch, sha256), now=CLOSES)
    number = SignedReport.objects.get().id
    paths = [API, f"{API}/reports", f"{API}/reports/{number}"]
    paths.append(f"{API}/machines/{on.id}/evidence")
    answers = {path: Client().get(path).content for path in paths}
    packed = Client().get(f"{API}/record", headers={"Accept-Encoding": "deflate"}).content
    answers[f"{API}/record"] = zlib.decompress(packed)
    answers["/api/v1/scores/newest"] = answers[API]
    monkeypatch.delenv("BERTH_VALIDATOR_HOTKEY_SEED", raising=False)
    with serving(Stub(answers)) as stub:
        yield stub


@pytest.fixture
def types(stub: Stub) -> Words:
    def _types(*words: str) -> tuple[int, str]:
        out = StringIO()
        try:
            call_command("recompute_scores", *words, "--url", stub.url, stdout=out)
        except CommandError as error:
            return error.returncode, out.getvalue() + str(error)
        return 0, out.getvalue()

    return _types


def ending(stub: Stub, end: str) -> str:
    (path,) = (path for path in stub.answers if path.endswith(end))
    return path


def test_an_epoch_is_recomputed_without_a_key_to_the_bit(types: Words) -> None:
    code, out = types("--epoch", str(EPOCH), "--check-evidence")
    assert code == 0, out
    score = EpochScore.objects.get()
    assert score.factors_ppm["organic"] > 0
    assert f"{score.points_micro / 1_000_000:.6f} points" in out
    assert "1 machine: equal to the bit" in out
    assert "The evidence of 1 machine holds." in out
    assert types("--epoch", "newest")[0] == 0


def test_what_is_not_there_is_said(types: Words, stub: Stub) -> None:
    code, out = types("--epoch", "7")
    assert (code, "publishes nothing" in out) == (1, True)
    assert "or newest" in types("--epoch", "../me")[1]
    stub.answers[f"{API}/record"] = b"{}"
    assert "malformed" in types("--epoch", str(EPOCH))[1]
    stub.answers[API] = json.dumps({"epoch": EPOCH, "record_sha256": ""}).encode()
    assert f"Epoch {EPOCH} is not closed yet" in types("--epoch", str(EPOCH))[1]


def test_a_report_that_differs_by_a_millionth_is_found(types: Words, stub: Stub) -> None:
    path = next(path for path in stub.answers if "/reports/" in path)
    content = json.loads(stub.answers[path])
    content["report"]["scores"][0]["points_micro"] += 1
    stub.answers[path] = json.dumps(content).encode()
    code, out = types("--epoch", str(EPOCH))
    assert code == 1
    assert "it said" in out
    assert "is not signed by the validator" in out


def test_a_record_that_was_changed_is_found_by_its_hash(types: Words, stub: Stub) -> None:
    path = f"{API}/record"
    stub.answers[path] = stub.answers[path].replace(b'"uptime_ppm":', b'"uptime_ppm":1')
    code, out = types("--epoch", str(EPOCH))
    assert code == 1
    assert "not those of the published SHA-256" in out
    assert "names another record" in out


def _slower(evidence: dict[str, Any]) -> None:
    evidence["verdicts"][0]["verdict"]["measurement"]["cpu_hash_rate"] -= 4


def _gone(evidence: dict[str, Any]) -> None:
    evidence["verdicts"] = []


def _resigned(evidence: dict[str, Any]) -> None:
    evidence["intervals"][0]["signature"] = "0" * 128


def _longer(evidence: dict[str, Any]) -> None:
    evidence["intervals"][0]["interval"]["to_age_ms"] += 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_slower, "is not signed by the validator"),
        (_gone, "which a measurement names"),
        (_resigned, "is not the machine's"),
        (_longer, "Nobody has the newest interval"),
    ],
)
def test_evidence_that_does_not_bear_the_record_is_found(
    types: Words, stub: Stub, change: Callable[[dict[str, Any]], None], sentence: str
) -> None:
    path = ending(stub, "/evidence")
    evidence = json.loads(stub.answers[path])
    change(evidence)
    stub.answers[path] = json.dumps(evidence).encode()
    assert types("--epoch", str(EPOCH))[0] == 0
    code, out = types("--epoch", str(EPOCH), "--check-evidence")
    assert code == 1
    assert sentence in out


def test_the_scene_has_an_interval_to_check(stub: Stub) -> None:
    evidence = json.loads(stub.answers[ending(stub, "/evidence")])
    assert [len(evidence[name]) for name in ("verdicts", "intervals")] == [1, 1]
