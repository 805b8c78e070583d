"""Renting from a page, without scripts."""

import re
from collections.abc import Callable
from html import escape, unescape
from typing import Any

import pytest
from django.db.models import F
from django.test import Client, override_settings

from marketplace.accounts.models import SshKey, User
from marketplace.ledger import queries as ledger
from marketplace.machines.models import Machine
from marketplace.offers.models import Offer
from marketplace.rentals.models import Rental
from tests.marketplace.rentals.market import ALICES_KEY, Market

GIB = 1 << 30


def rent_url(market: Market) -> str:
    return f"/offers/{market.offer.id}/rent"


def filled(page: Any, **changed: Any) -> dict[str, Any]:
    """Return what a browser would send of the page's form, but for what is ``changed``."""
    form = page.context["form"]
    shown = page.context["quote"]
    agreed = {
        "agreed_microusd": shown.worst_total_microusd,
        "agreed_hour_microusd": shown.price_hour_microusd,
    }
    sent = {name: "" if value is None else value for name, value in agreed.items()}
    sent |= {"intent": "rent"}
    sent |= {name: form[name].value() for name in form.fields if name not in agreed}
    return {name: value for name, value in (sent | changed).items() if value is not None}


def test_the_page_shows_the_worst_total_before_the_click(renter: Client, market: Market) -> None:
    page = renter.get(rent_url(market))
    assert page.context["quote"].worst_total == "$3.60"
    assert 'id="worst-total">$3.60<' in page.content.decode()


def test_the_form_rents_and_leads_to_the_rental(
    renter: Client, market: Market, alice: User
) -> None:
    reply = renter.post(rent_url(market), filled(renter.get(rent_url(market))))
    rental = Rental.objects.get(renter=alice)
    assert reply.headers["Location"] == f"/rentals/{rental.id}/"
    assert rental.placement.cpus == 1
    assert rental.worst_total_microusd == 3_600_000
    assert ledger.held(alice.pk) == 3_600_000


def test_what_was_searched_for_is_what_the_form_begins_with(renter: Client, market: Market) -> None:
    Machine.objects.update(memory_bytes_total=F("cpus_total") * 2 * GIB)
    Machine.objects.update(memory_bytes_free=F("memory_bytes_total"))
    found = renter.get("/offers/", {"q": "cpu_cores>=2"}).content.decode()
    (address,) = re.findall(r'href="(/offers/[^"]+/rent[^"]*)"', found)
    assert address.endswith("?cpus=2")
    assert "$7.20" in found
    assert "$3.60 per CPU-hour" in found
    form = renter.get(address).context["form"]
    # The memory of two CPUs comes for the same price.
    assert (form["cpus"].value(), form["ram"].value()) == (2, "4")
    for nonsense in ("cpus=many", "cpus=-1", "ram=1e99", "gpus=65"):
        assert renter.get(f"{rent_url(market)}?{nonsense}").context["form"]["cpus"].value() == 1


def test_pressing_the_button_twice_rents_once(renter: Client, market: Market) -> None:
    form = filled(renter.get(rent_url(market)))
    first, second = renter.post(rent_url(market), form), renter.post(rent_url(market), form)
    assert first.headers["Location"] == second.headers["Location"]
    assert Rental.objects.count() == 1


def test_a_total_above_the_shown_one_is_asked_about_first(renter: Client, market: Market) -> None:
    form = filled(renter.get(rent_url(market)), hours="2")
    reply = renter.post(rent_url(market), form)
    assert reply.status_code == 422
    assert b"The most that it can cost is now $7.20" in reply.content
    assert not Rental.objects.exists()
    agreed = renter.post(rent_url(market), filled(reply))
    assert agreed.status_code == 302


def test_a_price_raised_meanwhile_is_asked_about_first(renter: Client, market: Market) -> None:
    page = renter.get(rent_url(market))
    capped = renter.post(rent_url(market), filled(page, hours="", cap="1.80", intent="quote"))
    form = filled(capped)
    Offer.objects.update(price_cpu_hour_microusd=7_200_000)
    reply = renter.post(rent_url(market), form)
    assert reply.status_code == 422
    assert b"This costs $7.20 an hour now, more than the $3.60 you agreed to" in reply.content
    assert not Rental.objects.exists()
    agreed = renter.post(rent_url(market), filled(reply))
    assert agreed.status_code == 302
    assert Rental.objects.get().meter.price_hour_microusd == 7_200_000


@pytest.mark.parametrize("missing", ["agreed_microusd", "agreed_hour_microusd"])
def test_what_nobody_agreed_to_is_asked_about_first(
    renter: Client, market: Market, missing: str
) -> None:
    reply = renter.post(rent_url(market), filled(renter.get(rent_url(market)), **{missing: ""}))
    assert reply.status_code == 422
    assert not Rental.objects.exists()


def test_asking_for_the_total_rents_nothing(renter: Client, market: Market) -> None:
    form = filled(renter.get(rent_url(market)), hours="2", intent="quote")
    assert "$7.20" in renter.post(rent_url(market), form).content.decode()
    fragment = renter.post(rent_url(market), form, headers={"HX-Request": "true"})
    assert b"<html" not in fragment.content
    assert b'value="7200000"' in fragment.content
    assert not Rental.objects.exists()


def test_a_dollar_cap_alone_bounds_the_rental(renter: Client, market: Market) -> None:
    page = renter.get(rent_url(market))
    quoted = renter.post(rent_url(market), filled(page, hours="", cap="1.80", intent="quote"))
    assert quoted.context["quote"].worst_total == "$1.80"
    assert quoted.context["quote"].runs == "30 min"
    assert renter.post(rent_url(market), filled(quoted)).status_code == 302


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"hours": "", "cap": ""}, "Say how long you rent or how much you spend at most."),
        ({"cpus": "64"}, "This machine does not have that much: CPUs."),
        ({"ram": "64"}, "This machine does not have that much: memory."),
        ({"hours": "100000"}, "Ensure this value is less than or equal to 8760."),
        ({"cap": "1e3"}, "Write an amount of dollars"),
        ({"image": ""}, "This field is required."),
    ],
)
def test_each_refusal_is_one_plain_sentence_and_charges_nothing(
    renter: Client, market: Market, alice: User, changed: dict[str, Any], sentence: str
) -> None:
    form = filled(renter.get(rent_url(market)), **changed, agreed_microusd=10**12)
    reply = renter.post(rent_url(market), form)
    assert reply.status_code == 422
    assert sentence in reply.content.decode()
    assert not Rental.objects.exists()
    assert ledger.balance(alice.pk) == 10_000_000


def test_too_little_money_says_how_much_is_missing(renter: Client, market: Market) -> None:
    page = renter.get(rent_url(market))
    quoted = renter.post(rent_url(market), filled(page, hours="5", intent="quote"))
    assert "You need $8.00 more in your balance." in quoted.content.decode()
    refused = renter.post(rent_url(market), filled(quoted))
    assert refused.status_code == 422
    assert not Rental.objects.exists()


def test_without_a_key_the_page_takes_one(renter: Client, market: Market, alice: User) -> None:
    SshKey.objects.all().delete()
    page = renter.get(rent_url(market))
    assert f"/keys/?next={rent_url(market)}" in page.content.decode()
    refused = renter.post(rent_url(market), filled(page))
    assert b"Add an SSH public key first" in refused.content
    malformed = renter.post(rent_url(market), filled(page, public_key="ssh-rsa oops"))
    assert malformed.context["form"].errors["public_key"]
    assert not Rental.objects.exists()
    assert renter.post(rent_url(market), filled(page, public_key=ALICES_KEY)).status_code == 302
    assert SshKey.objects.get().name == "alice"
    assert Rental.objects.get().placement.authorized_keys == [SshKey.objects.get().public_key]


def test_the_environment_is_written_a_line_each(renter: Client, market: Market) -> None:
    lines = "TOKEN=a=b c\r\n\r\nEMPTY=\r\n"
    form = filled(renter.get(rent_url(market)), environment=lines)
    assert renter.post(rent_url(market), form).status_code == 302
    workload = Rental.objects.get().placement.workload
    assert workload["environment"] == {"TOKEN": "a=b c", "EMPTY": ""}


@pytest.mark.parametrize("lines", ["TOKEN", "1A=b", "=b", "A B=c"])
def test_a_line_that_is_no_variable_is_named(renter: Client, market: Market, lines: str) -> None:
    form = filled(renter.get(rent_url(market)), environment=lines)
    reply = renter.post(rent_url(market), form)
    assert f"“{lines}” is not NAME=value." in reply.content.decode()
    assert not Rental.objects.exists()


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ({"machine__cpus_free": 0}, "Not that much is free here: CPUs."),
        ({"machine__online": False}, "This machine does not answer now"),
        ({"verified_until": None}, "No validator vouches for this machine now"),
    ],
)
def test_what_is_in_the_way_is_said_before_the_click(
    renter: Client, market: Market, found: dict[str, Any], sentence: str
) -> None:
    for name, value in found.items():
        rows = Machine.objects if name.startswith("machine__") else Offer.objects
        rows.update(**{name.removeprefix("machine__"): value})
    assert sentence in renter.get(rent_url(market)).content.decode()


def test_the_way_to_more_money_leads_back(renter: Client, market: Market) -> None:
    page = renter.get(rent_url(market))
    quoted = renter.post(rent_url(market), filled(page, hours="10", intent="quote"))
    money = renter.get(quoted.context["quote"].add_url)
    assert money.context["form"]["amount"].value() == "26.00"
    sent = {"amount": "26", "request_key": "k", "next": money.context["next"]}
    with override_settings(TEST_PAYMENTS=True):
        assert renter.post("/money/", sent).headers["Location"] == rent_url(market)


def test_the_ways_to_money_and_to_a_key_lead_back_to_the_same_template(
    renter: Client, market: Market
) -> None:
    SshKey.objects.all().delete()
    url = f"{rent_url(market)}?template=pytorch&cpus=2"
    page = renter.get(url)
    quoted = renter.post(url, filled(page, hours="10", intent="quote"))
    (keys_url,) = re.findall(r'href="(/keys/\?next=[^"]+)"', page.content.decode())
    for found in (quoted.context["quote"].add_url, unescape(keys_url)):
        assert renter.get(found).context["next"] == url
    assert f'hx-post="{escape(url)}"' in page.content.decode()


def test_a_machine_that_fell_silent_is_not_rented(renter: Client, market: Market) -> None:
    form = filled(renter.get(rent_url(market)))
    Machine.objects.update(online=False)
    reply = renter.post(rent_url(market), form)
    assert b"This machine does not answer now" in reply.content


def test_an_offer_taken_meanwhile_is_told(
    renter: Client, market: Market, bob: User, give: Callable[..., None]
) -> None:
    form = filled(renter.get(rent_url(market)), cpus="4", hours="0.5", agreed_microusd=10**9)
    Machine.objects.update(cpus_free=1)
    reply = renter.post(rent_url(market), form)
    assert b"Somebody else took it meanwhile" in reply.content


def test_somebody_elses_key_cannot_be_chosen(renter: Client, market: Market, bob: User) -> None:
    key = SshKey.objects.get()
    key.pk, key.user = None, bob
    key.save(force_insert=True)
    form = filled(renter.get(rent_url(market)), ssh_keys=[str(key.pk)])
    assert renter.post(rent_url(market), form).status_code == 422
    assert not Rental.objects.exists()


def test_an_unknown_offer_is_not_found(renter: Client, market: Market) -> None:
    market.offer.delete()
    assert renter.get(rent_url(market)).status_code == 404


def test_a_stranger_is_asked_to_log_in_and_comes_back(market: Market) -> None:
    reply = Client().get(rent_url(market))
    assert reply.headers["Location"] == f"/accounts/login/?next={rent_url(market)}"


def test_the_total_follows_the_largest_share_and_is_what_is_charged(
    renter: Client, market: Market
) -> None:
    page = renter.get(rent_url(market))
    assert page.context["quote"].priced_by == ""
    quoted = renter.post(rent_url(market), filled(page, ram="4", intent="quote"))
    assert quoted.context["quote"].worst_total == "$7.20"
    assert b"here of its memory." in quoted.content
    assert renter.post(rent_url(market), filled(quoted)).status_code == 302
    rental = Rental.objects.get()
    assert (rental.meter.price_hour_microusd, rental.worst_total_microusd) == (7_200_000,) * 2
