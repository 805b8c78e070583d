"""This will show what a host's money does: earnings, a bank, and a payout."""

from collections.abc import Callable, Mapping
from typing import Any

from berth.units import format_usd
from scripts.demo.site import Person
from scripts.demo.tour import NotAsPromised
from scripts.step import step

DETAILS = {
    "legal_name": "Demo Hosting",
    "country": "US",
    "tax_id": "12-3456789",
    "address": "1 Main Street, Springfield",
}
#: the site looks at accounts every half minute
STEP_S_MAX = 180


class Payday:
    """The host's money."""

    def __init__(
        self, *, host: Person, until: Callable[[Callable[[], Any], float, str], Any]
    ) -> None:
        self._host, self._until = host, until

    def connect_bank(self) -> None:
        """Write down who the host is, and connect a bank on the page of Stripe's stand-in."""
        with step("Write the host's tax details and connect a bank"):
            self._host.fill_in("/host/payouts/", DETAILS)
            self._host.fill_in_elsewhere(self._host.press("/host/payouts/onboarding"), {})

    def read_earnings(self) -> None:
        """Read what the host earned, and what of it goes out next Friday."""
        with step("Read what the host earned, and what goes out on Friday") as tell:
            waiting = self._until(self._payable, STEP_S_MAX, "the bank account")
            found = self._host.call("GET", "/host/earnings")
            month = self._host.call("GET", f"/host/statements/{found['months'][0]}")
            earned, fee = month["earned_microusd"], month["fee_microusd"]
            rent, own = format_usd(earned + fee), format_usd(earned)
            tell(f"both renters paid {rent}, less fees of {format_usd(fee)}: {own} earned")
            reserve, free = found["reserve_microusd"], found["available_microusd"]
            if earned != found["balance_microusd"] or free != earned - reserve:
                raise NotAsPromised(f"{earned} less {reserve} are not {free}")
            goes = waiting["next_amount_microusd"]
            if goes != free // 10_000 * 10_000:
                raise NotAsPromised(f"{goes} are not the whole cents of {free}")
            kept = f"{format_usd(reserve)} (10 %) stay for disputes"
            tell(f"{kept}: {format_usd(free)} are free, {format_usd(goes)} in whole cents go out")
            tell("a real site also keeps the newest 7 days, and pays from $20 on")

    def see_payout(self, when: Mapping[str, str]) -> str:
        """Return a line about the payout.

        :raises NotAsPromised: when it did not arrive.
        """
        (payout,) = self._host.call("GET", "/host/payouts")["items"]
        if payout["state"] != "paid":
            raise NotAsPromised(f"the payout is {payout['state']}: {payout['reason']}")
        left = self._host.call("GET", "/host/earnings")["balance_microusd"]
        amount, rest = format_usd(payout["amount_microusd"]), format_usd(left)
        return f"{when['friday']}: {amount} paid to the host's bank, {rest} stay"

    def _payable(self) -> dict[str, Any] | None:
        found: dict[str, Any] = self._host.call("GET", "/host/payouts")
        return found if found["obstacle"] == "none" else None
