"""A host reads over the API what to mend of a machine, and what costs points."""

import pytest
from django.test import Client

from marketplace.accounts.models import User
from marketplace.offers.models import Offer
from marketplace.verification.actions.record_verdict import record
from marketplace.verification.models import EpochScore, Validator
from protocol.agent import Problem
from protocol.validator import Finding, FindingState, VerdictState
from tests.marketplace import scene
from tests.marketplace.accounts.test_scopes import ask, issued
from tests.marketplace.rentals.market import Market
from tests.marketplace.scene import NOW
from tests.marketplace.test_api import Api

NOW_MS = int(NOW.timestamp() * 1000)
WRONG = Problem(code="machine_proof_wrong", message="A hashing task was not done.")
BAD = Finding(
    code="gpu_count",
    state=FindingState.CONTRADICTION,
    message="NVML shows 8 GPUs.",
    remedy="Restart the machine.",
)


@pytest.fixture
def market(charlie: User, monkeypatch: pytest.MonkeyPatch) -> Market:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    return Market.open(charlie)


def test_what_is_wrong_comes_with_what_to_do(market: Market, charlie: User) -> None:
    signed = scene.Judge().verdict(
        market.machine,
        state=VerdictState.DEGRADED,
        reasons=(WRONG,),
        findings=(BAD,),
        checked_at_ms=NOW_MS + 1,
        expires_at_ms=NOW_MS + 3_600_000,
    )
    record(signed=signed, now=scene.after(1))
    told = Api(charlie).get(f"/host/machines/{market.machine.id}").json()
    assert [(one["text"], one["remedy"]) for one in told["remedies"]] == [
        (WRONG.message, ""),
        (BAD.message, BAD.remedy),
    ]
    assert (told["state"], told["score"], told["advice"]) == ("degraded", None, "")


def test_what_its_agent_cannot_do_is_told_in_its_words(market: Market, charlie: User) -> None:
    full = Problem(code="disk_full", message="The disk is full.")
    market.agent.sync(scene.after(1), problem=full.model_dump(mode="json"))
    told = Api(charlie).get(f"/host/machines/{market.machine.id}").json()
    assert told["remedies"][0] == {
        "text": "The disk is full.",
        "remedy": "Look at the agent: systemctl status berth-agent, and berth-agent check.",
        "source": "the agent, when it was last heard",
    }


@pytest.mark.parametrize(
    ("starts", "failed", "ours", "says"),
    [
        (0, 5, True, "Let TCP ports 20000 to 20100 in"),
        (0, 5, False, "journalctl"),
        (3, 1, True, "journalctl"),
        (99, 1, True, ""),
    ],
)
def test_rentals_that_did_not_come_up_come_with_where_to_look(
    market: Market, charlie: User, starts: int, failed: int, ours: bool, says: str
) -> None:
    Offer.objects.update(starts=starts, starts_failed=failed, starts_ours=ours)
    remedies = Api(charlie).get(f"/host/machines/{market.machine.id}").json()["remedies"]
    assert [one["text"] for one in remedies] == [
        f"{failed} of {starts + failed} rentals in 30 days did not come up."
    ] * bool(says)
    assert all(says in one["remedy"] for one in remedies)


def test_the_score_says_which_factor_takes_most(market: Market, charlie: User) -> None:
    factors = {"capacity": 3_000_000, "uptime": 900_000, "use": 700_000, "refusal": 1_000_000}
    EpochScore.objects.create(
        validator=Validator.objects.get(),
        machine=market.machine,
        epoch=1,
        points_micro=1_890_000,
        factors_ppm=factors,
        signature="",
        received_at=NOW,
    )
    told = Api(charlie).get(f"/host/machines/{market.machine.id}").json()
    assert told["score"] == {"epoch": 1, "points_micro": 1_890_000, "factors_ppm": factors}
    assert told["advice"].startswith("Use takes most")
    assert told["remedies"] == []


def test_nobody_else_reads_it(market: Market, charlie: User, bob: User) -> None:
    path = f"/host/machines/{market.machine.id}"
    assert ask(issued(bob), path) == (404, "not_found")
    assert ask(issued(charlie, ["rentals:write", "money:write"]), path) == (403, "scope_missing")
    assert ask(issued(charlie, ["host:read"]), path) == (200, "")
    assert Client().get(f"/api/v1{path}").status_code == 401
