"""Verdicts that are handed in together: one never keeps another out, and many cost few queries."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from django.db import OperationalError, connection
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from marketplace.machines.models import Machine
from marketplace.offers.actions.list_offer import list_offer
from marketplace.offers.models import Offer
from marketplace.verification import queries
from marketplace.verification.actions.record_verdict import VerdictNotKept, record_all
from marketplace.verification.authenticate import signed_bytes
from marketplace.verification.models import MachineStanding, VerdictRecord
from protocol import hotkey as hotkeys
from protocol import paths
from protocol.hardware import Gpu
from protocol.message import canonical_bytes
from protocol.validator import (
    TARGETS_MOST,
    VERDICTS_MOST,
    SignedVerdict,
    SignedVerdicts,
    VerdictState,
)
from tests.marketplace.scene import GIB, NOW, Judge, after, hardware, machine
from tests.marketplace.verification.test_marks import place

pytestmark = pytest.mark.django_db
NOW_MS = int(NOW.timestamp() * 1000)
Counted = Callable[[int], AbstractContextManager[object]]


def asked(judge: Judge, method: str, path: str, body: bytes = b"") -> HttpResponse:
    nonce = str(int(timezone.now().timestamp() * 10**9))
    hotkey = judge.keypair.ss58_address
    content = signed_bytes(method=method, path=path, body=body, nonce=nonce, sender=hotkey)
    headers = {
        "X-Bittensor-Version": "1",
        "X-Bittensor-Hotkey": hotkey,
        "X-Bittensor-Nonce": nonce,
        "X-Bittensor-Signature": "0x" + bytes(judge.keypair.sign(content)).hex(),
    }
    return Client().generic(method, path, body, "application/json", headers=headers)


def fresh(judge: Judge, on: Machine, **changed: object) -> SignedVerdict:
    now_ms = int(timezone.now().timestamp() * 1000)
    times = {"checked_at_ms": now_ms, "expires_at_ms": now_ms + 3_600_000}
    return judge.verdict(on, **times | changed)


def test_each_of_several_is_taken_or_refused_by_itself_and_offers_follow() -> None:
    good, forged, stale, judge = machine(), machine(), machine(), Judge().admitted()
    list_offer(machine_id=good.id, now=NOW)
    signed = SignedVerdicts(
        verdicts=(
            fresh(judge, forged).model_copy(update={"signature": "0" * 128}),
            fresh(judge, good),
            judge.verdict(stale),
        )
    )
    reply = asked(judge, "POST", paths.VALIDATOR_VERDICTS, canonical_bytes(signed))
    assert reply.status_code == 201, reply.content
    told = json.loads(reply.content)
    assert told["recorded"] == 1
    assert [(each["number"], each["status"], each["code"]) for each in told["refused"]] == [
        (0, 401, "signature_invalid"),
        (2, 409, "clock_skew"),
    ]
    assert [each.machine_id for each in VerdictRecord.objects.all()] == [good.id]
    assert Offer.objects.get().verified_until is not None


@pytest.mark.parametrize("count", [0, VERDICTS_MOST + 1])
def test_none_or_too_many_are_refused_together(count: int) -> None:
    on, judge = machine(), Judge().admitted()
    one = json.loads(canonical_bytes(fresh(judge, on)))
    body = json.dumps({"verdicts": [one] * count}).encode()
    assert asked(judge, "POST", paths.VALIDATOR_VERDICTS, body).status_code == 422
    assert not VerdictRecord.objects.exists()


def test_one_that_the_database_refuses_keeps_no_other_out() -> None:
    first, odd, last, judge = machine(), machine(), machine(), Judge().admitted()
    # No verdict that the API lets in is like this; it stands for whatever the database minds.
    kindless = judge.verdict(odd).verdict.model_copy(update={"look": None})
    signature = hotkeys.sign(judge.keypair, canonical_bytes(kindless))
    spoiled = SignedVerdict.model_construct(verdict=kindless, signature=signature)
    found = record_all(signed=[judge.verdict(first), spoiled, judge.verdict(last)], now=NOW)
    assert [type(each) for each in found] == [VerdictRecord, VerdictNotKept, VerdictRecord]
    assert set(VerdictRecord.objects.values_list("machine_id", flat=True)) == {first.id, last.id}


def test_words_about_one_machine_are_taken_in_one_after_the_other() -> None:
    on, judge = machine(), Judge().admitted()
    good, bad = (
        judge.verdict(on, state=state, checked_at_ms=NOW_MS + late_ms)
        for state, late_ms in ((VerdictState.VERIFIED, 0), (VerdictState.DEGRADED, 1000))
    )
    kept = record_all(signed=[bad, good, bad], now=after(1))
    assert kept[0] == kept[2]
    assert VerdictRecord.objects.count() == 2
    newest = VerdictRecord.objects.get(newest=True)
    assert (newest, newest.state) == (kept[0], VerdictState.DEGRADED)


def test_many_verdicts_cost_as_many_queries_as_one(django_assert_num_queries: Counted) -> None:
    judge, machines = Judge().admitted(), [machine() for _ in range(6)]
    record_all(signed=[judge.verdict(on) for on in machines], now=NOW)
    again = [judge.verdict(on, checked_at_ms=NOW_MS + 1000) for on in machines]
    with django_assert_num_queries(16):
        record_all(signed=again[:1], now=after(1))
    with django_assert_num_queries(16):
        record_all(signed=again[1:], now=after(1))
    assert MachineStanding.objects.count() == VerdictRecord.objects.filter(newest=True).count() == 6


def test_several_targets_are_named_in_one_request() -> None:
    one, other, _, judge = machine(), machine(), machine(), Judge().admitted()
    path = f"{paths.VALIDATOR_TARGETS}?machine_id={one.id}&machine_id={other.id}"
    told = json.loads(asked(judge, "GET", path).content)
    assert {each["machine_id"] for each in told} == {str(one.id), str(other.id)}
    assert len(json.loads(asked(judge, "GET", paths.VALIDATOR_TARGETS).content)) == 3
    too_many = "&".join([f"machine_id={one.id}"] * (TARGETS_MOST + 1))
    path = f"{paths.VALIDATOR_TARGETS}?{too_many}"
    assert asked(judge, "GET", path).status_code == 422
    assert queries.targets(timezone.now(), machine_ids=[other.id])[0].machine_id == other.id


def showing(judge: Judge, on: Machine, card: str) -> SignedVerdict:
    gpu = Gpu(uuid=card, model="H100", vram_bytes=80 * GIB, driver="550")
    return judge.verdict(on, hardware=hardware().model_copy(update={"gpus": (gpu,)}))


def test_two_that_show_the_same_are_asked_together_though_the_database_minds_a_third() -> None:
    one, two, other, judge = place(1), place(2), place(3), Judge().admitted()

    def mind(execute: Callable[..., object], sql: str, params: object, *rest: object) -> object:
        if "machinemark" in sql and "GPU-odd" in str(params):
            raise OperationalError("deadlock detected")
        return execute(sql, params, *rest)

    cards = ((one, "GPU-9"), (other, "GPU-odd"), (two, "GPU-9"))
    with connection.execute_wrapper(mind):
        found = record_all(signed=[showing(judge, *shown) for shown in cards], now=NOW)
    assert [type(each) for each in found] == [VerdictRecord] * 3
    group_of = dict(MachineStanding.objects.values_list("machine_id", "together"))
    assert group_of[one.id] == group_of[two.id] is not None
    assert group_of[other.id] is None
