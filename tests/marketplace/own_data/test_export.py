"""People take along all that is kept about them, and nobody else does."""

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.apps import apps
from django.db import DataError, connection
from django.test import Client

from marketplace.accounts.actions import issue_api_key
from marketplace.accounts.actions.count_attempt import TooManyAttempts
from marketplace.accounts.models import User
from marketplace.domain.ledger import TransferKind
from marketplace.domain.money import MicroUsd
from marketplace.domain.oversight import ActKind
from marketplace.ledger.actions import open_account
from marketplace.ledger.actions.post import post
from marketplace.ledger.models import Hold
from marketplace.notices.models import Notice
from marketplace.oversight.models import Act
from marketplace.own_data import content
from marketplace.own_data.actions import export
from marketplace.own_data.models import ATTEMPTS_MAX, Export
from marketplace.rentals.models import RentalReport
from tests.marketplace.browsers import enter
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.scene import NOW, after

#: names of columns that may open something
OPENS = re.compile("digest|secret|token|password|session|sealed|credential|login$|_key$")
#: and do not: ids, public keys and what names a request
HARMLESS = {
    *("accounts.SshKey.public_key", "rentals.Rental.idempotency_key", "jobs.Job.idempotency_key"),
    *("rentals.Rental.request_digest", "jobs.Job.request_digest", "jobs.Blob.digest"),
    *("machines.Machine.machine_key", "machines.EnrolmentToken.used_by_key"),
    *(
        "notices.WebHook.secret_turn",
        "accounts.User.last_login",
        "socialaccount.SocialAccount.last_login",
    ),
}


def opened(zipped: bytes) -> dict[str, Any]:
    """Return the files by name: JSON read, CSV as rows."""
    with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    tables = {name: json.loads(text) for name, text in texts.items() if name.endswith(".json")}
    rows = list(csv.DictReader(io.StringIO(texts["transfers.csv"])))
    return {**texts, **tables, "transfers.csv": rows}


@pytest.fixture
def full(alice: User, bob: User, charlie: User, give: Callable[..., None]) -> User:
    """Alice, who has rented from Charlie; Bob did so too."""
    market = Market.open(charlie)
    for user in (alice, bob):
        give(user, 20_000_000)
        give_key(user)
        market.run(market.rent(user, lease_s=3600), at=after(2))
    Authenticator.objects.create(user=alice, type="totp", data={"secret": "hush-totp"})
    return alice


def test_all_about_a_person_is_in_it_and_nothing_about_others(full: User, bob: User) -> None:
    issued = issue_api_key.issue(user_id=full.pk, name="ci", now=NOW)
    files = opened(content.written(full, site="https://berth.example", now=NOW))
    assert files["account.json"][0]["email"] == full.email
    assert [key["name"] for key in files["accounts-apikey.json"]] == ["ci"]
    assert [rental["renter_id"] for rental in files["rentals-rental.json"]] == [full.pk]
    assert len(files["rentals-events.json"]) > 1
    kinds = {row["kind"] for row in files["transfers.csv"]}
    assert {"top_up", "hold"} <= kinds
    everything = " ".join(map(str, files.values()))
    for hushed in (full.password, issued.secret, issued.key.digest, "hush-totp", bob.email):
        assert hushed not in everything
    of_bob = {str(rental.pk) for rental in bob.rentals.all()}
    assert not any(one in everything for one in of_bob)


def test_every_table_about_people_is_in_it(full: User) -> None:
    files = opened(content.written(full, site="https://berth.example", now=NOW))
    about = {
        f"{model._meta.app_label}-{model._meta.model_name}.json"
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if field.related_model is User and (model._meta.label, field.name) not in content.OF_STAFF
    }
    assert about <= files.keys()
    assert len(about) > 25


def test_no_column_that_opens_something_is_handed_out() -> None:
    models = [relation.related_model for relation in content.tables_about_people()]
    shown = {
        f"{one._meta.label}.{name}" for one in (User, *models) for name in content.columns(one)
    }
    assert {name for name in shown if OPENS.search(name.rpartition(".")[2])} <= HARMLESS
    assert shown >= HARMLESS


@pytest.mark.parametrize("cause", ["=cmd()", "+1", "-1", "@cmd", "\tcmd", "\rcmd"])
def test_a_cell_is_no_formula_and_an_empty_one_stays_empty(alice: User, cause: str) -> None:
    post(
        debit=open_account.outside(),
        credit=open_account.wallet(user_id=alice.pk),
        amount_microusd=MicroUsd(1),
        kind=TransferKind.TOP_UP,
        cause=cause,
        now=NOW,
    )
    files = opened(content.written(alice, site="s", now=NOW))
    assert [(row["cause"], row["note"]) for row in files["transfers.csv"]] == [(f"'{cause}", "")]


def test_what_is_a_word_among_staff_stays_there(alice: User) -> None:
    for kind in ActKind:
        Act.objects.create(
            at=NOW,
            by_name="s",
            kind=kind,
            person=alice,
            subject="s",
            reason=f"hush {kind}",
            after={"by the host": "$1.00"},
        )
    files = opened(content.written(alice, site="s", now=NOW))
    acts = files["oversight-act.json"]
    assert len(acts) == len(ActKind)
    told = {act["kind"]: act["reason"] for act in acts if act.keys() & set(content.AMONG_STAFF)}
    read = ("ban", "settle", "answer-appeal", "answer-report", "end-rental")
    assert told == {kind: f"hush {kind}" for kind in read}
    assert {act["kind"] for act in acts if "after" in act} == {*read} - {"answer-report"}


def test_whose_money_came_back_its_renter_does_not_read(alice: User, charlie: User) -> None:
    assert {"payer", "host_microusd"}.isdisjoint(content.columns(RentalReport))
    assert "site_returned_microusd" not in content.columns(Hold)
    for debit, credit, cause in (
        (open_account.outside(), open_account.earnings(user_id=charlie.pk), "earned"),
        (
            open_account.earnings(user_id=charlie.pk),
            open_account.wallet(user_id=alice.pk),
            "proof:",
        ),
        (
            open_account.earnings(user_id=charlie.pk),
            open_account.wallet(user_id=alice.pk),
            "report:",
        ),
    ):
        post(
            debit=debit,
            credit=credit,
            amount_microusd=MicroUsd(2 if cause == "earned" else 1),
            kind=TransferKind.REFUND,
            cause=cause,
            now=NOW,
        )
    for user, read in ((alice, ["", ""]), (charlie, ["earnings", "earnings", "outside"])):
        rows = opened(content.written(user, site="s", now=NOW))["transfers.csv"]
        assert [row["from"] for row in rows] == read


def test_an_export_is_asked_for_made_told_and_handed_to_its_owner_alone(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    browser = enter(Client(), alice)
    assert b"It is being made" in browser.post("/accounts/data/", follow=True).content
    assert b"is being made; load this page" in browser.post("/accounts/data/", follow=True).content
    made = Export.objects.get()
    path = f"/accounts/data/{made.pk}.zip"
    assert browser.get(path).status_code == 404
    assert [export.make_exports(now=NOW), export.make_exports(now=NOW)] == [1, 0]
    assert [notice.kind for notice in Notice.objects.filter(user=alice)] == ["export_ready"]
    assert path in browser.get("/accounts/data/").content.decode()
    got = browser.get(path)
    assert opened(got.content)["account.json"][0]["email"] == alice.email
    assert "no-store" in got.headers["Cache-Control"]
    assert enter(Client(), bob).get(path).status_code == 404
    assert path not in enter(Client(), bob).get("/accounts/data/").content.decode()
    assert Client().get(path).headers["Location"].startswith("/accounts/login/")
    idle = enter(Client(), alice, ago_s=3600)
    for asked in (idle.get(path), idle.post("/accounts/data/")):
        assert asked.headers["Location"].startswith("/accounts/reauthenticate/")
    later = NOW + export.KEPT_FOR
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    assert browser.get(path).status_code == 404
    export.make_exports(now=later)
    assert not Export.objects.exists()


def test_only_so_many_are_made_in_a_day(alice: User, bob: User) -> None:
    for _ in range(export.EXPORTS.attempts_max):
        export.ask(user_id=alice.pk, now=NOW)
        assert export.make_exports(now=NOW) == 1
    with pytest.raises(TooManyAttempts):
        export.ask(user_id=alice.pk, now=NOW)
    export.ask(user_id=bob.pk, now=NOW)
    export.ask(user_id=alice.pk, now=NOW + timedelta(days=1))


def test_one_that_cannot_be_made_keeps_nobody_waiting_and_is_given_up(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    monkeypatch.setattr(export, "MADE_MAX", 1)
    broken = export.ask(user_id=alice.pk, now=NOW)
    well = export.ask(user_id=bob.pk, now=after(1))

    def unreadable(execute: Callable[..., Any], sql: str, params: Any, *rest: Any) -> Any:
        if 'FROM "ledger_transfer"' in sql and alice.pk in params and bob.pk not in params:
            raise DataError("a row of hers is broken")
        return execute(sql, params, *rest)

    with connection.execute_wrapper(unreadable):
        assert [export.make_exports(now=after(2)) for _ in range(4)] == [1, 0, 0, 0]
    well.refresh_from_db()
    broken.refresh_from_db()
    assert well.ready_at == after(2)
    assert (broken.attempts, broken.is_given_up) == (ATTEMPTS_MAX, True)
    assert b"could not be made" in enter(Client(), alice).get("/accounts/data/").content
    # Another may be asked for.
    export.ask(user_id=alice.pk, now=after(3))


def test_what_is_too_much_is_cut_and_said(full: User, monkeypatch: pytest.MonkeyPatch) -> None:
    written = content.written(full, site="s", now=NOW)
    whole = opened(written)
    assert "missing from" not in whole["README.txt"]
    with zipfile.ZipFile(io.BytesIO(written)) as archive:
        sizes = {one.filename: one.file_size for one in archive.infolist()}
    # Room for the money, the account, and nothing of another table.
    room = sizes["transfers.csv"] + sizes["account.json"]
    monkeypatch.setattr(content, "BYTES_MAX", room)
    files = opened(content.written(full, site="s", now=NOW))
    assert files["transfers.csv"] == whole["transfers.csv"]
    assert files.keys() == whole.keys()
    cut = {name for name in files if name != "README.txt" and files[name] != whole[name]}
    assert cut
    told = files["README.txt"].partition("missing from: ")[2].partition(". Ask")[0]
    assert set(told.split(", ")) == cut
