"""This will tell a host's machines and name the hotkeys that earn for them."""

from datetime import date, datetime
from typing import Any
from urllib.parse import quote

from berth.exchange import Call, Exchange
from berth.paging import pages
from berth.reading import read
from berth.shapes import Shape

#: that one listing reads at most
PAGES_MAX = 200


class Reason(Shape):
    code: str
    message: str


class HostedMachine(Shape):
    id: str
    #: raw ed25519 public key in hex
    machine_key: str
    address: str = ""
    #: ss58; empty: no hotkey earns for it
    miner_hotkey: str = ""
    online: bool = False
    gpu_model: str = ""
    gpus: int = 0
    cpus: int = 0
    #: new, verified, degraded, suspended or banned, and why
    verdict: str = ""
    reasons: tuple[Reason, ...] = ()
    #: the share of 30 days that it was there, and that was rented and paid for, in millionths
    uptime_ppm: int = 0
    occupancy_ppm: int = 0
    #: after fees, over its whole life
    earned_microusd: int = 0


class Machines(Shape):
    items: tuple[HostedMachine, ...] = ()
    next_cursor: str | None = None


class Spread(Shape):
    """Where prices of an hour of one unit lie."""

    p10_microusd: int
    median_microusd: int
    p90_microusd: int
    #: how many, and of how many hosts
    prices: int
    hosts: int


class MarketPrices(Shape):
    """Prices of machines like one of the account's. None: too few to tell."""

    offered: Spread | None = None
    paid: Spread | None = None
    #: what was asked about, or the machine's own
    price_unit_microusd: int
    occupancy_ppm: int
    #: of thirty days at that price, rented as much as now
    earns_microusd: int


class Consent(Shape):
    #: what the hotkey signs, to the letter
    text: str
    signed_at: datetime


class MachineEarned(Shape):
    #: None: credit that no machine earned
    machine_id: str | None = None
    today_microusd: int
    week_microusd: int
    month_microusd: int


class Earnings(Shape):
    """After fees; days are those of UTC."""

    balance_microusd: int
    available_microusd: int
    #: too young to be paid out
    young_microusd: int
    #: stays for disputes
    reserve_microusd: int
    today_microusd: int
    week_microusd: int
    month_microusd: int
    machines: tuple[MachineEarned, ...] = ()


class Payout(Shape):
    id: str
    week: date
    amount_microusd: int
    #: pending, sent, paid or failed
    state: str
    #: the processor's newest reason against it
    reason: str = ""
    settled_at: datetime | None = None


class Payouts(Shape):
    #: bank or chain_only
    route: str
    next_at: datetime
    next_amount_microusd: int
    #: why nothing goes out next: none, site, chain_only, details, account, shut or little
    obstacle: str
    minimum_microusd: int
    account_reason: str = ""
    items: tuple[Payout, ...] = ()


class PayoutDetails(Shape):
    """Who a host is and how they are paid; texts are empty until they were written."""

    #: bank or chain_only
    route: str
    legal_name: str = ""
    country: str = ""
    #: its end alone
    tax_id: str = ""
    address: str = ""


class MonthStatement(Shape):
    """What moved in a host's earnings in one month of UTC."""

    month: str
    opening_microusd: int
    #: after the fee
    earned_microusd: int
    fee_microusd: int
    given_back_microusd: int
    paid_out_microusd: int
    closing_microusd: int


class Hosting:
    """A host's machines at one marketplace."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def machines(self) -> tuple[HostedMachine, ...]:
        """Return every machine of the account."""
        found: tuple[HostedMachine, ...] = ()
        params: dict[str, str] = {}
        for _ in range(PAGES_MAX):
            call = Call("GET", "/host/machines", params=params, repeatable=True)
            page = read(Machines, self._exchange.send(call))
            found += page.items
            if not page.next_cursor:
                break
            params = {"cursor": page.next_cursor}
        return found

    def market(self, machine_id: str, *, price_microusd: int | None = None) -> MarketPrices:
        """Return where prices of such machines lie, and what this price would earn."""
        params = {} if price_microusd is None else {"price_unit_microusd": str(price_microusd)}
        path = f"/host/machines/{machine_id}/market"
        call = Call("GET", path, params=params, repeatable=True)
        return read(MarketPrices, self._exchange.send(call))

    def set_price(self, machine_id: str, *, price_microusd: int, has_gpus: bool) -> None:
        """Ask this price of an hour of one GPU, or of one CPU where there is none."""
        name = "price_gpu_hour_microusd" if has_gpus else "price_cpu_hour_microusd"
        self._change(machine_id, {name: price_microusd})

    def set_country(self, machine_id: str, country: str) -> None:
        """Say where the machine is, by two letters; empty: nothing is said."""
        self._change(machine_id, {"country": country})

    def set_maintenance(self, machine_id: str, window: tuple[datetime, datetime] | None) -> None:
        """Announce when the machine is worked on; None: it is not, or no more."""
        told = None
        if window is not None:
            told = {"begins_at": window[0].isoformat(), "ends_at": window[1].isoformat()}
        self._change(machine_id, {"maintenance": told})

    def _change(self, machine_id: str, terms: dict[str, Any]) -> None:
        path = f"/host/machines/{machine_id}/offer"
        self._exchange.send(Call("PATCH", path, body=terms, repeatable=True))

    def earnings(self) -> Earnings:
        """Return what the account's machines earned."""
        return read(Earnings, self._exchange.send(Call("GET", "/host/earnings", repeatable=True)))

    def payouts(self) -> Payouts:
        """Return when the account is paid next, and what was paid."""
        first, *rest = (read(Payouts, one) for one in pages(self._exchange, "/host/payouts"))
        items = [item for page in (first, *rest) for item in page.items]
        return first.model_copy(update={"items": tuple(items)})

    def statement(self, month: str) -> MonthStatement:
        """Return what moved in one month, such as 2026-11."""
        path = f"/host/statements/{quote(month, safe='')}"
        return read(MonthStatement, self._exchange.send(Call("GET", path, repeatable=True)))

    def payout_details(self) -> PayoutDetails:
        """Return who the host is and how they are paid."""
        call = Call("GET", "/host/payout-details", repeatable=True)
        return read(PayoutDetails, self._exchange.send(call))

    def set_tax_details(
        self, *, legal_name: str, country: str, tax_id: str, address: str
    ) -> PayoutDetails:
        """Return the details as they are kept for the tax office."""
        body = {
            "legal_name": legal_name,
            "country": country,
            "tax_id": tax_id,
            "address": address,
        }
        call = Call("PUT", "/host/tax-details", body=body, repeatable=True)
        return read(PayoutDetails, self._exchange.send(call))

    def choose_route(self, route: str) -> PayoutDetails:
        """Be paid to a bank (``bank``) or not at all (``chain_only``) from the next Friday on."""
        call = Call("PUT", "/host/payout-route", body={"route": route}, repeatable=True)
        return read(PayoutDetails, self._exchange.send(call))

    def connect_bank(self) -> str:
        """Return the address of the page that connects a bank account, for a browser."""
        answer = self._exchange.send(Call("POST", "/host/payout-account", repeatable=True))
        return read(dict[str, str], answer).get("url", "")

    def consent(self, machine_id: str, hotkey: str) -> Consent:
        """Return what this hotkey has to sign to earn for the machine."""
        path = f"/host/machines/{machine_id}/hotkey"
        call = Call("GET", path, params={"hotkey": hotkey}, repeatable=True)
        return read(Consent, self._exchange.send(call))

    def name_hotkey(
        self, machine_id: str, *, hotkey: str, signed_at: datetime, signature: str
    ) -> None:
        """Let this hotkey earn for the machine from now on."""
        body = {"hotkey": hotkey, "signed_at": signed_at.isoformat(), "signature": signature}
        self._exchange.send(Call("POST", f"/host/machines/{machine_id}/hotkey", body=body))
