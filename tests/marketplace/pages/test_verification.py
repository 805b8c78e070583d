"""Anyone sees how a machine was verified; its host sees what to do, and appeals."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from marketplace.accounts.models import User
from marketplace.verification import history
from marketplace.verification.actions.appeal import answer
from marketplace.verification.actions.record_verdict import record
from marketplace.verification.models import Appeal, VerdictRecord
from protocol.agent import Problem
from protocol.validator import Finding, FindingState, LookKind, Measurement, VerdictState
from tests.marketplace import scene
from tests.marketplace.rentals.market import Market

Browser = Callable[[User], Client]
NOW_MS = int(scene.NOW.timestamp() * 1000)
WRONG = Problem(code="machine_proof_wrong", message="A hashing task was not done.")
WORDS = "I replaced the memory."


def say(market: Market, state: VerdictState, *, at: int = 1, **more: object) -> None:
    at_ms = NOW_MS + at * 1000
    signed = scene.Judge().verdict(
        market.machine,
        state=state,
        reasons=() if state is VerdictState.VERIFIED else (WRONG,),
        checked_at_ms=at_ms,
        expires_at_ms=at_ms + 3_600_000,
        **more,
    )
    record(signed=signed, now=scene.after(at))


def page_of(market: Market) -> str:
    reply = Client().get(f"/machines/{market.machine.id}/verification/")
    assert reply.status_code == 200
    return reply.content.decode()


def test_a_visitor_sees_state_reasons_and_who_says_so(market: Market) -> None:
    say(market, VerdictState.DEGRADED, look=LookKind.TOGETHER)
    page = page_of(market)
    words = ("Degraded", "A hashing task was not done.", "Judge", "proof beside other machines")
    for word in (*words, "4 CPUs", f"/api/v1/machines/{market.machine.id}/verdicts"):
        assert word in page
    assert market.machine.address not in page


def test_a_visitor_sees_what_does_not_go_together_worst_first_and_the_newest_speeds(
    market: Market,
) -> None:
    odd = Finding(code="virtual", state=FindingState.ODD, message="A virtual machine.")
    bad = Finding(
        code="gpu_count",
        state=FindingState.CONTRADICTION,
        message="NVML shows 8 GPUs; /dev shows 1 GPU.",
        remedy="Restart the machine.",
    )
    fast = Measurement(disk_write_mb_s=900, disk_reads_s=12_000, network_down_mb_s=80)
    say(market, VerdictState.VERIFIED, measurement=fast)
    say(market, VerdictState.DEGRADED, at=2, findings=(odd, bad))
    page = page_of(market)
    assert page.index("NVML shows 8 GPUs; /dev shows 1 GPU.") < page.index("A virtual machine.")
    for words in (
        "Restart the machine.",
        "Contradiction",
        "writes 900 MB/s, 12,000 random reads/s",
    ):
        assert words in page
    assert "at least 80 MB/s to it" in page


def test_a_machine_whose_sources_agree_has_no_such_section(market: Market) -> None:
    say(market, VerdictState.VERIFIED)
    assert "What does not go together" not in page_of(market)


def test_what_a_machine_says_is_shown_as_text(market: Market) -> None:
    evil = Problem(code="evil", message="<script>alert(1)</script>.")
    signed = scene.Judge().verdict(
        market.machine, state=VerdictState.SUSPENDED, reasons=(evil,), checked_at_ms=NOW_MS + 1
    )
    record(signed=signed, now=scene.NOW)
    assert "<script>alert" not in page_of(market)


def test_the_page_takes_the_same_queries_however_many_verdicts(
    market: Market, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for second in range(1, 5):
        say(market, VerdictState.VERIFIED, at=second)
    with django_assert_num_queries(3):
        assert page_of(market).count("proof at a random time") == 6


def test_there_is_no_page_of_no_machine(db: None) -> None:
    path = "/machines/00000000-0000-0000-0000-000000000000/verification/"
    assert Client().get(path).status_code == 404
    assert Client().get("/api/v1" + path.rstrip("/")).json()["code"] == "not_found"


def test_the_same_is_told_as_json(market: Market) -> None:
    say(market, VerdictState.SUSPENDED)
    told = Client().get(f"/api/v1/machines/{market.machine.id}/verification").json()
    assert (told["state"], told["reasons"][0]["code"]) == ("suspended", "machine_proof_wrong")
    assert told["words"][0]["hotkey"] == scene.Judge().keypair.ss58_address
    assert (told["words"][0]["stake"], told["words"][0]["look"]) == (1, "periodic")


def test_verdicts_come_in_pages_and_each_can_be_checked_offline(
    market: Market, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(history, "VERDICTS_AT_ONCE", 2)
    for second in (1, 2):
        say(market, VerdictState.VERIFIED, at=second)
    path = f"/api/v1/machines/{market.machine.id}/verdicts"
    first = Client().get(path)
    second_page = Client().get(path, {"cursor": first.json()["next_cursor"]}).json()
    assert (len(first.json()["items"]), len(second_page["items"])) == (2, 1)
    assert second_page["next_cursor"] is None
    file, out = tmp_path / "verdicts.json", StringIO()
    file.write_bytes(first.content)
    call_command("check_verdicts", file, machine=market.machine.id, stdout=out)
    assert "All 2 verdicts are signed" in out.getvalue()
    file.write_text(first.content.decode().replace('"verified"', '"degraded"', 1))
    with pytest.raises(CommandError, match="1 of 2 verdicts"):
        call_command("check_verdicts", file, stdout=out)
    with pytest.raises(CommandError, match="2 of 2"):
        call_command("check_verdicts", file, machine=market.machine.host_id, stdout=out)
    file.write_text("{}")
    with pytest.raises(CommandError, match="holds no signed verdicts"):
        call_command("check_verdicts", file)
    file.write_text('{"items": []}')
    with pytest.raises(CommandError, match="There is no verdict"):
        call_command("check_verdicts", file)
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("check_verdicts", tmp_path / "missing")


def test_a_host_reads_what_to_do_and_appeals_by_a_plain_form(
    market: Market, charlie: User, browser_of: Browser
) -> None:
    say(market, VerdictState.BANNED)
    host = browser_of(charlie)
    page = host.get(f"/host/machines/{market.machine.id}/").content.decode()
    url = f"/host/machines/{market.machine.id}/appeal"
    for words in ("Banned", "only that ends a ban", f'action="{url}"', "How your machines stand"):
        assert words in page
    sent = host.post(url, {"text": WORDS}, follow=True).content.decode()
    assert "waits for the operator" in sent
    assert f'action="{url}"' not in sent
    again = host.post(url, {"text": "Other words."}, follow=True).content.decode()
    assert "waits for its answer already" in again
    answer(machine_id=market.machine.id, granted=False, words="Still bad.", now=scene.NOW)
    page = host.get(f"/host/machines/{market.machine.id}/").content.decode()
    assert "Your appeal was refused" in page
    assert "Still bad." in page
    assert "Still bad." not in page_of(market), "an appeal is between host and operator"


def test_bob_can_neither_appeal_for_charlies_machine_nor_read_its_appeals(
    market: Market, bob: User, browser_of: Browser
) -> None:
    say(market, VerdictState.BANNED)
    reply = browser_of(bob).post(f"/host/machines/{market.machine.id}/appeal", {"text": WORDS})
    assert reply.status_code == 404
    guarded = Client(enforce_csrf_checks=True)
    guarded.force_login(bob, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert guarded.post(f"/host/machines/{market.machine.id}/appeal").status_code == 403
    assert not Appeal.objects.exists()
    assert Client().get(f"/host/machines/{market.machine.id}/appeal").status_code == 405


def test_an_expelled_validators_verdicts_are_not_shown(market: Market) -> None:
    hotkey = scene.Judge().keypair.ss58_address
    call_command("expel_validator", hotkey)
    assert VerdictRecord.objects.exists()
    page = page_of(market)
    assert "Not checked yet" in page
    assert "Newest verdicts" not in page
