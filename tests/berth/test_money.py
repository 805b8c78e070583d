"""All that a page does with money is done in a terminal, and told so that one can follow it."""

from typing import Any

import pytest

from tests.berth.market import Fault, Market, Refusal, offer
from tests.berth.terminal import Terminal

DAY_S = 86_400
STEPS = [{"days": 7, "discount_ppm": 50_000}, {"days": 30, "discount_ppm": 200_000}]
PAPER: dict[str, Any] = {
    "number": "INV-000017",
    "kind": "invoice",
    "about": "Usage of 2026-03\x1b[2J",
    "total_microusd": 307_521,
    "issued_at": "2026-04-01T02:00:00Z",
    "seller": ["Berth Ltd"],
    "buyer": ["Alice"],
    "lines": [
        {"text": "Rental 3f2a91c0", "quantity": "0.7213 h at $0.427/h", "microusd": 307_995},
        {"text": "Credit given back", "quantity": "", "microusd": -474},
    ],
    "notes": ["No VAT was charged: prices are net."],
}
RULE = {
    "is_on": True,
    "threshold_microusd": 5_000_000,
    "amount_microusd": 20_000_000,
    "month_microusd_max": 50_000_000,
    "off_because": "",
}


def test_a_reservation_says_what_it_takes_off_and_holds_the_whole_term(
    terminal: Terminal, market: Market
) -> None:
    market.offers = [offer("offer-r", 1_000_000, discounts=STEPS, network_price_microusd=10_000)]
    up = ("up", "offer-r", "--image", "debian:12", "--reserved", "30")
    ran = terminal.berth(*up, "--traffic", "25")
    assert ran.code == 0
    assert ran.err == (
        "Offer offer-r costs $0.80 an hour, $576.25 at most, 20 % off the $720.25 on demand, $0.25"
        " of that for traffic.\n"
    )
    (asked,) = (one.body for one in market.seen if one.path == "/rentals" and one.method == "POST")
    assert (asked["price_type"], asked["lease_s"]) == ("reserved", 30 * DAY_S)
    assert asked["traffic_bytes_max"] == 25 * 10**9
    for unfit in (("--lease", "1h"), ("--cap", "5"), ("--bid", "1"), ("--idle-stop", "30m")):
        assert terminal.berth(*up, *unfit).code == 2
    assert terminal.berth("up", "offer-r", "--image", "i", "--reserved", "0").code == 2


def test_the_cheapest_reservation_is_of_a_host_who_takes_so_many_days(
    terminal: Terminal, market: Market
) -> None:
    cheaper_long = [{"days": 30, "discount_ppm": 900_000}]
    market.offers = [
        offer("offer-a", 20_000),
        offer("offer-b", 40_000, discounts=cheaper_long),
        offer("offer-c", 60_000, discounts=STEPS),
    ]
    up = ("up", "--cheapest", "--image", "debian:12", "--json", "--reserved")
    assert terminal.berth(*up, "29").json["offer_id"] == "offer-c"
    assert terminal.berth(*up, "30").json["offer_id"] == "offer-b"
    none = terminal.berth(*up, "6")
    assert (none.code, none.problem["code"]) == (1, "no_offer")


def test_a_price_that_is_asked_is_shown_and_answered_by_its_amount(
    terminal: Terminal, market: Market
) -> None:
    asked = {"price_hour_microusd": 30_000, "worst_total_microusd": 50_000}
    rental = market.add_rental(script=[], pending_price=asked, burn_hour_microusd=1_000)
    short = rental["id"][:8]
    shown = terminal.berth("ps", short).out
    told = f"asks $0.03 an hour, $0.05 at most; nothing changes without: berth accept {short} 0.03"
    assert told in shown
    assert "$0.02 an hour, $0.001 as it is now" in shown
    path = f"/rentals/{rental['id']}/price"
    for words, told in (
        (("accept", short, "0.03"), {"accept": True, "price_hour_microusd": 30_000}),
        (("decline", short), {"accept": False, "price_hour_microusd": 30_000}),
    ):
        market.told[("POST", path)] = rental
        assert terminal.berth(*words).code == 0
        assert market.seen[-1].body == told
    market.refusals[("POST", path)] = Refusal(409, "price_not_asked", "It asks another price.")
    assert "asks another price" in terminal.berth("accept", short, "0.02").err
    assert terminal.berth("accept", short).code == 2
    none = market.add_rental(script=[])
    assert "asks no higher price. [no_price_asked]" in terminal.berth("decline", none["id"]).err


@pytest.mark.parametrize(
    ("typed", "size"), [("50", 50 * 10**9), ("2.5", 25 * 10**8), ("500MB", 5 * 10**8)]
)
def test_traffic_is_allowed_in_gigabytes(
    terminal: Terminal, market: Market, typed: str, size: int
) -> None:
    rental = market.add_rental(
        script=[], network_price_microusd=10_000, traffic_bytes=size // 2, traffic_bytes_max=size
    )
    market.told[("POST", f"/rentals/{rental['id']}/traffic")] = rental
    ran = terminal.berth("traffic", rental["id"], typed)
    assert (ran.code, market.seen[-1].body) == (0, {"traffic_bytes_max": size})
    assert f"of {size / 10**9:g} GB, $0.01 a GB" in ran.out


def test_invoices_are_listed_shown_and_kept(terminal: Terminal, market: Market) -> None:
    market.told[("GET", "/invoices")] = {"items": [PAPER]}
    market.told[("GET", "/invoices/INV-000017")] = PAPER
    (_, line) = terminal.berth("invoices").out.splitlines()
    assert line.split() == [
        "INV-000017",
        "Invoice",
        "Usage",
        "of",
        "2026-03",
        "[2J",
        "2026-04-01",
        "$0.307521",
    ]
    shown = terminal.berth("invoices", "inv-000017").out
    assert "0.7213 h at $0.427/h" in shown
    assert "\x1b" not in shown
    assert "Total $0.307521.\nNo VAT was charged" in shown
    market.faults.append(Fault(content=b"%PDF-1.3\xff"))
    assert terminal.berth("invoices", "INV-000017", "--pdf", "bill.pdf").out == (
        "INV-000017 is kept in bill.pdf.\n"
    )
    assert (terminal.home / "bill.pdf").read_bytes() == b"%PDF-1.3\xff"
    assert terminal.berth("invoices", "--pdf", "bill.pdf").code == 2
    market.faults.append(Fault(content=b"%PDF"))
    refused = terminal.berth("invoices", "INV-000017", "--pdf", "nowhere/bill.pdf")
    assert "Cannot write nowhere/bill.pdf" in refused.err
    path = "/invoices/INV-1/pdf"
    market.refusals[("GET", path)] = Refusal(404, "not_found", "You have no such paper.")
    assert "no such paper. [not_found]" in terminal.berth("invoices", "INV-1", "--pdf", "x").err


def test_what_invoices_say_of_their_reader_is_changed_piece_by_piece(
    terminal: Terminal, market: Market
) -> None:
    kept = {"name": "Alice", "address": "Road 1\nTown", "country": "", "vat_id": ""}
    market.told[("GET", "/billing-details")] = kept
    market.told[("PUT", "/billing-details")] = kept | {"country": "DE"}
    assert "Road 1; Town" in terminal.berth("billing").out
    assert terminal.berth("billing", "--country", "de", "--address", "A; B").code == 0
    assert market.seen[-1].body == kept | {"country": "de", "address": "A\nB"}


def test_a_card_is_shown_saved_in_a_browser_and_forgotten(
    terminal: Terminal, market: Market
) -> None:
    market.told[("GET", "/card")] = {"card": ""}
    market.told[("POST", "/card")] = {"url": "https://pay.invalid/1"}
    market.told[("DELETE", "/card")] = None
    assert "berth card save" in terminal.berth("card").out
    assert terminal.berth("card", "save").out.endswith("https://pay.invalid/1\n")
    assert terminal.berth("card", "rm").code == 0
    payment = {
        "id": "t1",
        "state": "pending",
        "amount_microusd": 20_000_000,
        "automatic": True,
        "confirm_url": "https://bank.invalid/",
        "created_at": "2026-03-01T00:00:00Z",
    }
    market.told[("GET", "/top-ups")] = {"items": [payment]}
    assert (
        "$20.00  pending  by rule  Confirm it: https://bank.invalid/"
        in terminal.berth("topups").out
    )


def test_the_rule_that_asks_a_card_is_shown_set_and_taken_off(
    terminal: Terminal, market: Market
) -> None:
    path = "/auto-top-up"
    market.refusals[("GET", path)] = Refusal(404, "not_found", "You have set no rule.")
    assert terminal.berth("autopay").out == "Your card is never asked by itself.\n"
    del market.refusals[("GET", path)]
    market.told |= {("GET", path): RULE, ("PUT", path): RULE, ("DELETE", path): None}
    said = terminal.berth("autopay", "--below", "5", "--add", "20", "--month", "50").out
    assert said == "Below $5.00 your card is asked for $20.00, at most $50.00 in a month of UTC.\n"
    asked = next(one.body for one in market.seen if one.method == "PUT")
    assert asked == {name: RULE[name] for name in asked}
    market.told[("GET", path)] = RULE | {"is_on": False, "off_because": "It was refused."}
    assert terminal.berth("autopay", "--off").out == "It is off. It was refused.\n"
    for wrong in (("--below", "5"), ("--off", "--below", "5", "--add", "20", "--month", "50")):
        assert terminal.berth("autopay", *wrong).code == 2


def test_letters_are_turned_off_by_kind(terminal: Terminal, market: Market) -> None:
    def letters(*, on: bool) -> dict[str, Any]:
        return {"items": [{"kind": "rental_idle", "about": "A rental is idle", "on": on}]}

    market.told[("GET", "/letters")] = letters(on=True)
    market.told[("PUT", "/letters/rental_idle")] = letters(on=False)
    assert "rental_idle  on       A rental is idle" in terminal.berth("letters").out
    assert "rental_idle  off" in terminal.berth("letters", "off", "rental_idle").out
    assert market.seen[-1].body == {"on": False}
    assert terminal.berth("letters", "on", "rental_idle").code == 0
    assert market.seen[-1].body == {"on": True}


def test_a_host_says_who_they_are_and_how_they_are_paid(terminal: Terminal, market: Market) -> None:
    kept = {
        "route": "bank",
        "legal_name": "Charlie",
        "country": "US",
        "tax_id": "•••6789",
        "address": "1 Main\nTown",
    }
    market.told |= {
        ("GET", "/host/payout-details"): kept,
        ("PUT", "/host/tax-details"): kept,
        ("PUT", "/host/payout-route"): kept | {"route": "chain_only"},
        ("POST", "/host/payout-account"): {"url": "https://connect.invalid/1"},
    }
    assert "•••6789" in terminal.berth("host", "tax").out
    who = ("--name", "Charlie", "--country", "US", "--address", "1 Main; Town")
    assert terminal.berth("host", "tax", *who, "--number", "12-3456789").code == 0
    assert market.seen[-1].body == {
        "legal_name": "Charlie",
        "country": "US",
        "tax_id": "12-3456789",
        "address": "1 Main\nTown",
    }
    assert terminal.berth("host", "tax", "--name", "Charlie").code == 2
    assert "emission on chain only" in terminal.berth("host", "paid", "chain").out
    assert market.seen[-1].body == {"route": "chain_only"}
    assert terminal.berth("host", "bank").out.endswith("https://connect.invalid/1\n")


def test_a_hosts_month_adds_up(terminal: Terminal, market: Market) -> None:
    market.told[("GET", "/host/statements/2026-03")] = {
        "month": "2026-03",
        "opening_microusd": 10_000_000,
        "earned_microusd": 19_000_000,
        "fee_microusd": 1_000_000,
        "given_back_microusd": 500_000,
        "paid_out_microusd": 8_000_000,
        "closing_microusd": 20_500_000,
    }
    lines = terminal.berth("host", "statement", "2026-03").out.splitlines()
    assert [line.split()[-1] for line in lines] == [
        *("$10.00", "$20.00", "-$1.00", "-$0.50", "-$8.00", "$20.50")
    ]


def test_what_is_not_said_is_as_much_as_comes_for_the_same_price(
    terminal: Terminal, market: Market
) -> None:
    proposed = {"cpu": 16, "gpu": 1}
    market.offers[0]["proposed"] = {
        **{name: {"count": count} for name, count in proposed.items()},
        "ram": {"capacity": 128 << 30},
        "hard_disk": {"capacity": 32 << 30},
    }
    words = ("up", "offer-a", "--image", "i", "--cap", "2.50", "--json")
    assert terminal.berth(*words, "--disk", "100GiB").code == 0
    asked = market.seen[-1].body["resources"]
    assert (asked["cpu"]["count"], asked["gpu"]["count"]) == (16, 1)
    assert asked["ram"]["capacity"] == 128 << 30
    assert asked["hard_disk"]["capacity"] == 100 << 30
    looked = [one.query for one in market.seen if one.path == "/offers/offer-a"]
    assert looked[0] == {"disk_bytes_min": str(100 << 30)}
