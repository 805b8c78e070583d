"""This will show what a renter's money does: where it comes from, what bounds it, what is left."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from berth.units import format_usd
from scripts.demo.amounts import bill_lines
from scripts.demo.site import Person
from scripts.demo.tour import NotAsPromised
from scripts.step import step

#: one that always pays. Source: Stripe, docs, testing
VISA = "4242424242424242"
PAID = "50.00"
CREDIT = "0.02"
RESERVED_DAYS = 30
DAY_S = 86_400
STEP_S_MAX = 120


class Purse:
    """The renter's money."""

    def __init__(
        self,
        *,
        renter: Person,
        folder: Path,
        berth: Callable[..., Any],
        until: Callable[[Callable[[], Any], float, str], Any],
    ) -> None:
        self._renter, self._folder = renter, folder
        self._berth, self._until = berth, until

    def pay_in(self) -> None:
        """Save a card on the page of Stripe's stand-in, and pay with it."""
        with step("Save a card at Stripe's stand-in, and add money by it") as tell:
            save_card(self._renter)
            card = self._renter.call("GET", "/card")["card"]
            paid = self._berth("topup", PAID)
            if paid["state"] != "paid":
                raise NotAsPromised(f"the payment is {paid['state']}: {paid['reason']}")
            tell(f"{card}: ${PAID} {paid['state']}; the stand-in is no Stripe, and nobody paid")

    def see_credit(self) -> None:
        """Find the promo credit, which ends and is spent before money."""
        with step("Find promo credit from the operator, which is spent before money") as tell:
            self._until(lambda: self._me()["credit"] or None, STEP_S_MAX, "the credit")
            me = self._me()
            (credit,) = me["credit"]
            amounts = f"{format_usd(me['balance_microusd'])}, {format_usd(credit['left_microusd'])}"
            tell(f"balance {amounts} of it credit until {credit['expires_at'][:10]}")

    def ask_prices(self, offer_id: str, resources: Mapping[str, Any]) -> None:
        """Ask what an hour would cost, and thirty days that are reserved."""
        with step("Ask what it would cost: an hour, and 30 days reserved") as tell:
            hour = self._quote(offer_id, resources, lease_s=3600)
            tell(f"1 h on demand: {format_usd(hour['worst_total_microusd'])}")
            days = {"price_type": "reserved", "lease_s": RESERVED_DAYS * DAY_S}
            term = self._quote(offer_id, resources, **days)
            hours, off = RESERVED_DAYS * 24, term["discount_ppm"] // 10_000
            price, total = term["price_hour_microusd"], term["worst_total_microusd"]
            full = format_usd(term["on_demand_total_microusd"])
            if price * hours != total:
                raise NotAsPromised(f"{hours} h at {price} are not {total}")
            amounts = f"{hours} h x {format_usd(price)} = {format_usd(total)} instead of {full}"
            tell(f"30 days reserved, {off} % off: {amounts}")

    def pass_a_limit(self, rental: Mapping[str, Any]) -> None:
        """Bound what may be set aside in a day, and be refused beyond it."""
        with step("Set a spend limit, and be refused beyond it") as tell:
            counted = self._limit(1)["day_counted_microusd"]
            limit = counted + rental["price_hour_microusd"] // 2
            self._limit(limit)
            asked = {key: rental[key] for key in ("offer_id", "image", "resources")}
            held = self._me()["held_microusd"]
            said = self._renter.refused(
                "POST", "/rentals", {**asked, "lease_s": 3600}, code="spend_limit_reached"
            )
            if self._me()["held_microusd"] > held:
                raise NotAsPromised("a refused rental set money aside")
            tell(f"{format_usd(limit)} a day, {format_usd(counted)} of it set aside: {said}")
            self._limit(None)

    def read_bill(self, rental: Mapping[str, Any]) -> None:
        """Read the bill of an ended rental, which says of all its time what it cost."""
        with step("Read its bill: all its time, charged or not, and why") as tell:
            bill = self._renter.call("GET", f"/rentals/{rental['id']}/bill")
            for line in bill_lines(bill, cost_microusd=rental["cost_microusd"]):
                tell(line)

    def settle(self) -> None:
        """Wait until nothing is set aside any more, and read the statement."""
        with step("Read the statement: credit went first, and all is settled") as tell:
            self._until(lambda: self._me()["held_microusd"] == 0 or None, STEP_S_MAX, "its holds")
            found = self._berth("statement")
            for one in reversed(found["items"]):
                amount, total = (
                    format_usd(one["amount_microusd"]),
                    format_usd(one["total_microusd"]),
                )
                tell(f"{one['kind']:<8}{amount:>12}{total:>12}  {one['note']}")
            charges = (one for one in found["items"] if one["kind"] == "charge")
            spent = -sum(one["amount_microusd"] for one in charges)
            left = sum(one["left_microusd"] for one in self._me()["credit"])
            given = round(float(CREDIT) * 1e6)
            if left != max(0, given - spent):
                raise NotAsPromised(f"{left} of {given} credit are left after {spent}")
            tell(f"{format_usd(spent)} spent: {format_usd(given - left)} of credit, the rest money")

    def keep_paper(self, kind: str) -> list[str]:
        """Wait for a paper of this kind, keep its PDF, and return what it says.

        :raises NotAsPromised: when its lines are not its total.
        """
        paper = self._until(lambda: self._paper(kind), STEP_S_MAX, f"the {kind}")
        lines = self._renter.call("GET", f"/invoices/{paper['number']}")["lines"]
        if sum(line["microusd"] for line in lines) != paper["total_microusd"]:
            raise NotAsPromised(f"the lines of {paper['number']} do not add up")
        content = self._renter.download(f"/invoices/{paper['number']}/pdf")
        if not content.startswith(b"%PDF-"):
            raise NotAsPromised(f"{paper['number']} is no PDF")
        file = self._folder / f"{paper['number']}.pdf"
        file.write_bytes(content)
        total = format_usd(paper["total_microusd"])
        return [
            f"{paper['about']}: {total}, in {file}",
            *(
                f"  {line['text']}: {line['quantity']} = {format_usd(line['microusd'])}"
                for line in lines
                if line["quantity"]
            ),
        ]

    def _paper(self, kind: str) -> dict[str, Any] | None:
        papers = self._renter.call("GET", "/invoices")["items"]
        return next((one for one in papers if one["kind"] == kind), None)

    def _limit(self, day_microusd: int | None) -> dict[str, Any]:
        limits = {"day_microusd": day_microusd, "month_microusd": None}
        found: dict[str, Any] = self._renter.call("PUT", "/spend-limits", limits)
        return found

    def _quote(self, offer_id: str, resources: Mapping[str, Any], **limits: Any) -> dict[str, Any]:
        body = {"resources": resources, **limits}
        found: dict[str, Any] = self._renter.call("POST", f"/offers/{offer_id}/quote", body)
        return found

    def _me(self) -> dict[str, Any]:
        found: dict[str, Any] = self._renter.call("GET", "/me")
        return found


def save_card(person: Person) -> None:
    """Save a card as people do: on another site's page, which leads back."""
    person.fill_in_elsewhere(person.press("/money/card"), {"number": VISA})
