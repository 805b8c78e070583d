"""An epoch that is over becomes a record that nobody changes, and everyone can read."""

import asyncio
import hashlib
import os
import zlib
from datetime import timedelta
from uuid import uuid4

import bittensor_core
import pytest
from django.test import Client

from marketplace.domain.placement import Blame, PlacementState
from marketplace.metering import queries as metering
from marketplace.metering.actions.close_epochs import (
    CLOSED_AFTER,
    EPOCHS_LATE_MOST,
    close_epochs,
)
from marketplace.placements.actions.observe import observe
from marketplace.placements.models import Placement
from marketplace.schedule import PASSES
from marketplace.verification import published
from marketplace.verification.actions import record_scores as record_scores_module
from marketplace.verification.actions.admit_validator import expel
from marketplace.verification.actions.record_scores import (
    TAKEN_FOR,
    EpochWrong,
    RecordDiffers,
    ReportsTooMany,
    record_scores,
)
from marketplace.verification.actions.record_verdict import record
from marketplace.verification.epochs import EPOCH_S, epoch_at, epoch_times
from marketplace.verification.models import ClosedEpoch, SignedReport
from protocol import hotkey as hotkeys
from protocol.agent import ObservedState
from protocol.message import canonical_bytes
from protocol.validator import (
    EpochRecord,
    ScoreReport,
    SignedScoreReport,
    SignedVerdict,
)
from tests.marketplace.scene import NOW, Judge, after, machine, placement, seen
from validator.domain.scoring import score

pytestmark = pytest.mark.django_db
EPOCH = epoch_at(NOW)
END = epoch_times(EPOCH)[1]
CLOSES = END + CLOSED_AFTER
PATH = f"/api/v1/scores/{EPOCH}"


def signed_report(judge: Judge, told: EpochRecord, sha256: str) -> SignedScoreReport:
    report = ScoreReport(
        validator_hotkey=judge.keypair.ss58_address,
        epoch=told.epoch,
        record_sha256=sha256,
        scores=score(told),
    )
    return SignedScoreReport(
        report=report, signature=hotkeys.sign(judge.keypair, canonical_bytes(report))
    )


def closed_record() -> tuple[EpochRecord, str]:
    reply = Client().get(f"{PATH}/record", headers={"Accept-Encoding": "deflate"})
    assert reply.status_code == 200
    content = zlib.decompress(reply.content)
    return EpochRecord.model_validate_json(content), hashlib.sha256(content).hexdigest()


def test_the_pass_is_in_the_schedule() -> None:
    assert any(one.path.endswith("close_epochs.close_epochs") for one in PASSES)


def test_an_epoch_is_closed_some_minutes_after_its_end_and_once() -> None:
    machine()
    assert close_epochs(now=CLOSES - timedelta(seconds=1)) == 0
    assert close_epochs(now=CLOSES) == 1
    assert close_epochs(now=CLOSES + timedelta(seconds=30)) == 0
    assert published.newest_closed() == EPOCH


def test_what_comes_after_the_closing_changes_no_record() -> None:
    on, judge = machine(), Judge().admitted()
    close_epochs(now=CLOSES)
    before = closed_record()
    record(signed=judge.verdict(on), now=NOW)
    machine()
    close_epochs(now=CLOSES + timedelta(seconds=60))
    assert closed_record() == before
    assert published.keep(before[0].model_copy(update={"machines": ()}), now=NOW) is False
    assert closed_record() == before


def test_epochs_missed_by_a_marketplace_that_was_away_are_closed_later() -> None:
    machine()
    close_epochs(now=CLOSES)
    assert close_epochs(now=CLOSES + timedelta(seconds=3 * EPOCH_S)) == 3
    assert close_epochs(now=CLOSES + timedelta(days=30)) == EPOCHS_LATE_MOST


def test_before_the_first_machine_there_is_nothing_to_close() -> None:
    assert close_epochs(now=CLOSES) == 0
    assert Client().get("/api/v1/scores/newest").json()["code"] == "epoch_unknown"


def test_anyone_can_fetch_the_record_that_a_published_hash_names() -> None:
    on = machine()
    close_epochs(now=CLOSES)
    told, sha256 = closed_record()
    assert [each.machine_id for each in told.machines] == [on.id]
    assert (told.epoch, told.ends_at_ms) == (EPOCH, int(END.timestamp()) * 1000)
    reply = Client().get(f"{PATH}/record")
    assert reply.headers["ETag"] == f'"{sha256}"'
    assert "immutable" in reply.headers["Cache-Control"]
    newest = Client().get("/api/v1/scores/newest")
    assert (newest.json()["epoch"], newest.json()["record_sha256"]) == (EPOCH, sha256)
    assert "public" in newest.headers["Cache-Control"]
    assert Client().get(f"/api/v1/scores/{EPOCH + 9}/record").status_code == 404


def test_a_record_goes_packed_to_whoever_takes_it_so_and_not_twice() -> None:
    machine()
    close_epochs(now=CLOSES)
    plain, takes = Client().get(f"{PATH}/record"), {"Accept-Encoding": "gzip, deflate"}
    packed = Client().get(f"{PATH}/record", headers=takes)
    assert packed.headers["Content-Encoding"] == "deflate"
    assert zlib.decompress(packed.content) == b"".join(plain)
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    for reply, more in ((plain, {}), (packed, takes)):
        known = {"If-None-Match": reply.headers["ETag"], **more}
        again = Client().get(f"{PATH}/record", headers=known)
        assert (again.status_code, again.content) == (304, b"")
        assert "immutable" in again.headers["Cache-Control"]


def test_a_long_record_is_unpacked_in_pieces() -> None:
    content = os.urandom(1000) * 4000

    async def pieces() -> list[bytes]:
        return [piece async for piece in published.unpacked(zlib.compress(content))]

    found = asyncio.run(pieces())
    assert b"".join(found) == content
    assert max(map(len, found)) < len(content)


def test_a_report_on_a_closed_epoch_must_name_its_record() -> None:
    machine()
    judge = Judge().admitted()
    close_epochs(now=CLOSES)
    told, sha256 = closed_record()
    for wrong in ("", "ab" * 32):
        with pytest.raises(RecordDiffers):
            record_scores(signed=signed_report(judge, told, wrong), now=CLOSES)
    with pytest.raises(EpochWrong):
        record_scores(signed=signed_report(judge, told, sha256), now=CLOSES + TAKEN_FOR * 2)
    assert not SignedReport.objects.exists()
    for _ in range(2):
        assert record_scores(signed=signed_report(judge, told, sha256), now=CLOSES) == 1
    assert SignedReport.objects.count() == 1


def test_a_validator_cannot_fill_the_list_of_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_scores_module, "REPORTS_EACH", 1)
    machine()
    judge = Judge().admitted()
    close_epochs(now=CLOSES)
    told, sha256 = closed_record()
    (machine_record,) = told.machines
    other = machine_record.model_copy(update={"machine_id": uuid4()})
    second = signed_report(judge, told.model_copy(update={"machines": (other,)}), sha256)
    for _ in range(2):
        record_scores(signed=signed_report(judge, told, sha256), now=CLOSES)
    with pytest.raises(ReportsTooMany):
        record_scores(signed=second, now=CLOSES)
    assert SignedReport.objects.count() == 1


def test_a_report_that_names_a_record_before_there_is_one_is_refused() -> None:
    machine()
    judge = Judge().admitted()
    close_epochs(now=CLOSES)
    told, sha256 = closed_record()
    ClosedEpoch.objects.all().delete()
    with pytest.raises(RecordDiffers):
        record_scores(signed=signed_report(judge, told, sha256), now=CLOSES)


def test_a_signed_report_can_be_checked_by_anyone() -> None:
    on, judge = machine(), Judge().admitted()
    close_epochs(now=CLOSES)
    told, sha256 = closed_record()
    record_scores(signed=signed_report(judge, told, sha256), now=CLOSES)
    (line,) = Client().get(f"{PATH}/reports").json()["items"]
    reply = Client().get(f"{PATH}/reports/{line['number']}")
    report = SignedScoreReport.model_validate_json(reply.content)
    assert hotkeys.verify(line["validator"], canonical_bytes(report.report), report.signature)
    assert (report.report.record_sha256, report.report.scores) == (sha256, score(told))
    shown = Client().get(PATH).json()
    assert shown["validator"] == judge.keypair.ss58_address
    assert [each["machine_id"] for each in shown["machines"]] == [str(on.id)]
    assert Client().get(f"{PATH}/reports/{line['number'] + 1}").status_code == 404


def test_the_signed_verdicts_behind_a_machines_score_can_be_fetched() -> None:
    on, judge = machine(), Judge().admitted()
    verdict = judge.verdict(on)
    record(signed=verdict, now=NOW)
    other = machine()
    record(signed=judge.verdict(other), now=NOW)
    close_epochs(now=CLOSES)
    reply = Client().get(f"{PATH}/machines/{on.id}/evidence")
    assert [SignedVerdict.model_validate(each) for each in reply.json()["verdicts"]] == [verdict]
    assert reply.json()["intervals"] == []
    assert Client().get(f"{PATH}/machines/{uuid4()}/evidence").status_code == 404


def test_scores_come_page_by_page_the_best_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "SCORES_AT_ONCE", 2)
    judge = Judge().admitted()
    best = machine()
    record(signed=judge.verdict(best), now=NOW)
    rest = sorted((machine().id, machine().id))
    close_epochs(now=CLOSES)
    told, sha256 = closed_record()
    record_scores(signed=signed_report(judge, told, sha256), now=CLOSES)
    first = Client().get(PATH).json()
    again = Client().get(f"{PATH}?cursor={first['next_cursor']}").json()
    found = [each["machine_id"] for each in first["machines"] + again["machines"]]
    assert sorted(found) == sorted(str(one) for one in (best.id, *rest))
    assert (len(first["machines"]), again["next_cursor"]) == (2, "")
    assert Client().get(f"{PATH}?cursor=rubbish").status_code == 422


def test_a_validator_that_was_expelled_is_not_listed() -> None:
    machine()
    close_epochs(now=CLOSES)
    told, sha256 = closed_record()
    other = Judge(bittensor_core.Keypair.create_from_uri("//Other")).admitted()
    record_scores(signed=signed_report(other, told, sha256), now=CLOSES)
    assert len(Client().get(PATH).json()["validators"]) == 1
    expel(hotkey=other.keypair.ss58_address)
    assert Client().get(PATH).json()["validators"] == []


@pytest.mark.parametrize(
    ("problem", "blame"), [("no_capacity", Blame.MACHINE), ("image_unknown", Blame.RENTER)]
)
def test_only_a_refusal_that_is_the_machines_doing_counts(problem: str, blame: Blame) -> None:
    on = machine()
    asked = placement(on)
    failed = seen(asked.id, ObservedState.GONE, problem=problem)
    observe(machine_id=on.id, observed=[failed], now=after(7))
    found = Placement.objects.get()
    assert (found.state, found.blame) == (PlacementState.REFUSED, blame)
    refusals = metering.doings(NOW, after(60)).refusals
    assert refusals == ({on.id: (after(7),)} if blame is Blame.MACHINE else {})
    assert metering.doings(NOW, after(7)).refusals == {}
    late = after(7) + metering.REFUSALS_COUNT
    assert metering.doings(NOW, late + timedelta(seconds=1)).refusals == {}
