"""Anyone sees what every machine scored, why, and who signed it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from django.test import Client

from marketplace.accounts.models import User
from marketplace.machines.models import Machine, UptimeDay
from marketplace.metering.actions.close_epochs import close_epochs
from marketplace.verification import published
from marketplace.verification.actions.record_scores import record_scores
from marketplace.verification.actions.record_verdict import record
from marketplace.verification.epochs import EPOCH_S
from marketplace.verification.models import ClosedEpoch, EpochScore, SignedReport, Validator
from protocol import hotkey as hotkeys
from protocol.message import canonical_bytes
from protocol.validator import SignedScoreReport
from tests.marketplace.metering.test_close_epochs import (
    CLOSES,
    EPOCH,
    closed_record,
    signed_report,
)
from tests.marketplace.scene import NOW, Judge, machine

pytestmark = pytest.mark.django_db
PATH = f"/scores/{EPOCH}/"


@pytest.fixture(autouse=True)
def at_closing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: CLOSES)


def scored(machines: int = 1) -> None:
    """Close the epoch with so many verified machines, and let a validator sign its scores."""
    judge = Judge().admitted()
    for _ in range(machines):
        on = machine()
        UptimeDay.objects.update_or_create(
            machine=on, day=NOW.date(), defaults={"up_ms": 1_200_000}
        )
        record(signed=judge.verdict(on), now=NOW)
    close_epochs(now=CLOSES)
    told, sha256 = closed_record()
    record_scores(signed=signed_report(judge, told, sha256), now=CLOSES)


def text(path: str = PATH) -> str:
    reply = Client().get(path)
    assert reply.status_code == 200
    return reply.content.decode()


def test_a_visitor_sees_points_with_each_factor_and_who_signed() -> None:
    scored()
    page = text()
    score = EpochScore.objects.get()
    assert score.points_micro > 0
    assert f"{score.points_micro / 1_000_000:.6f}".rstrip("0") in page
    assert "Judge" in page
    assert ClosedEpoch.objects.get().sha256 in page
    assert f"--epoch {EPOCH} --url http://127.0.0.1:8000" in page
    assert "How it was computed" in page
    for address in (f"/api/v1{PATH}record", f"/api/v1{PATH}reports"):
        assert f'href="{address}"' in page
        assert Client().get(address).status_code == 200


def test_a_miners_share_is_of_what_is_on_chain() -> None:
    scored(machines=4)
    alice, bob, *others = Machine.objects.order_by("id")
    for on, hotkey, points in ((alice, "5Alice", 3), (bob, "5Bob", 1), (others[0], "", 9)):
        changes = {"miner_hotkey": hotkey, "points_micro": points}
        EpochScore.objects.filter(machine=on).update(**changes)
    EpochScore.objects.filter(machine=others[1]).delete()
    page = text()
    assert "75.00 %" in page
    assert "25.00 %" in page
    assert Client().get(f"/api/v1{PATH[:-1]}").json()["miners"][0]["share_ppm"] == 0


def test_scores_lead_to_the_newest_closed_epoch() -> None:
    assert Client().get("/scores/").headers["Location"] == f"/scores/{EPOCH + 1}/"
    scored()
    assert Client().get("/scores/").headers["Location"] == PATH


def test_an_epoch_leads_to_its_neighbours() -> None:
    scored()
    close_epochs(now=CLOSES + timedelta(seconds=2 * EPOCH_S))
    assert f'href="/scores/{EPOCH + 1}/"' in text()
    assert f'href="/scores/{EPOCH}/"' in Client().get(f"/scores/{EPOCH + 1}/").content.decode()


def test_nobody_scored_yet_is_said_and_the_past_and_the_future_are_not_there() -> None:
    assert "Nobody has scored epoch" in text(f"/scores/{EPOCH + 1}/")
    assert Client().get(PATH).status_code == 404
    assert Client().get(f"/scores/{EPOCH + 2}/").status_code == 404
    assert Client().get(f"/scores/{10**30}/").status_code == 404


def test_a_closed_epochs_page_may_be_cached_for_visitors_alone(
    alice: User, browser_of: Callable[[User], Client]
) -> None:
    scored()
    assert "public" in Client().get(PATH).headers["Cache-Control"]
    assert "public" not in browser_of(alice).get(PATH).headers.get("Cache-Control", "")


def test_machines_come_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "SCORES_AT_ONCE", 1)
    scored(machines=2)
    first = text()
    assert "Show more machines" in first
    second = text(PATH + "?cursor=" + first.split("cursor=")[1].split('"')[0])
    assert "Show more machines" not in second
    assert Client().get(f"{PATH}?cursor=rubbish").headers["Location"] == PATH


@pytest.mark.parametrize("machines", [1, 4])
def test_the_page_asks_as_often_for_many_machines_as_for_one(
    machines: int, django_assert_num_queries: Callable[[int], AbstractContextManager[object]]
) -> None:
    scored(machines)
    with django_assert_num_queries(8):
        text()
    # Nothing is summed for the next one.
    with django_assert_num_queries(5):
        text()


def test_validators_that_differ_are_told_of() -> None:
    scored()
    assert "They differ" not in text()
    score, report = EpochScore.objects.get(), SignedReport.objects.get()
    other = Validator.objects.create(hotkey="5Other", name="Other", admitted_at=NOW)
    score.pk, score.points_micro, score.validator = None, score.points_micro + 1, other
    score.save()
    report.pk, report.validator = None, other
    report.save()
    assert "They differ" in text()
    Validator.objects.filter(pk=other.pk).update(admitted=False)
    assert "They differ" not in text()


def test_a_report_that_comes_again_after_another_is_what_is_shown() -> None:
    scored()
    shown, judge = text(), Judge()
    first = signed_report(judge, *closed_record())
    less = tuple(one.model_copy(update={"points_micro": 1}) for one in first.report.scores)
    report = first.report.model_copy(update={"scores": less})
    signature = hotkeys.sign(judge.keypair, canonical_bytes(report))
    other = SignedScoreReport(report=report, signature=signature)
    record_scores(signed=other, now=CLOSES + timedelta(seconds=1))
    assert text() != shown
    record_scores(signed=first, now=CLOSES + timedelta(seconds=2))
    assert text() == shown
