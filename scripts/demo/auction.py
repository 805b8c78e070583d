"""This will show an interruptible rental: outbid, told, stopped with its files, and back."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from berth.units import format_usd
from scripts.demo import image
from scripts.demo.amounts import bill_lines
from scripts.demo.door import Door
from scripts.demo.processes import Ended
from scripts.demo.programs import NOTICE_S
from scripts.demo.site import Person
from scripts.demo.tour import NotAsPromised
from scripts.step import step

LEASE_S = 600
SIZES = {"ram": {"capacity": 1 << 29}, "hard_disk": {"capacity": 1 << 29}}
#: of the price without one
BID_SHARE, RAISED_SHARE = 5, 4
#: what a program inside may do with its notice: here it keeps it beside its work
WORK = "half of the work"
WATCH = "until cat /run/berth/notice >/root/told 2>/dev/null; do sleep 0.2; done"
BEGIN = f"echo {WORK} >/root/work; (setsid sh -c '{WATCH}' >/dev/null 2>&1 </dev/null &)"
STEP_S_MAX = 120


class Auction:
    """A rental that bids for all that another one leaves of a machine, and its rival."""

    def __init__(
        self,
        *,
        renter: Person,
        rival: Person,
        berth: Callable[..., Any],
        door: Callable[[Mapping[str, Any]], Door],
        until: Callable[[Callable[[], Any], float, str], Any],
    ) -> None:
        self._renter, self._rival = renter, rival
        self._berth, self._door, self._until = berth, door, until
        self._mine: dict[str, Any] = {}
        self._theirs: dict[str, Any] = {}
        self._price = 0
        self._asked: dict[str, Any] = {}

    def rent(self, offer_id: str) -> None:
        """Rent all CPUs that are left, for a fifth of their price."""
        with step("Rent the rest of the machine for a bid: interruptible") as tell:
            offers = self._renter.call("GET", "/offers")["items"]
            cpus = next(one["cpus_free"] for one in offers if one["id"] == offer_id)
            slice_ = {"cpu": {"count": cpus}, "gpu": {"count": 0}, **SIZES}
            quote = self._renter.call(
                "POST", f"/offers/{offer_id}/quote", {"resources": slice_, "lease_s": LEASE_S}
            )
            self._price = quote["on_demand_hour_microusd"]
            self._asked = {
                "offer_id": offer_id,
                "image": image.NAME,
                "resources": slice_,
                "lease_s": LEASE_S,
            }
            bid = self._price // BID_SHARE
            made = self._renter.call("POST", "/rentals", self._asked | {"bid_microusd": bid})
            self._mine = self._until(
                lambda: self._in(self._renter, made, "active"), STEP_S_MAX, "the SSH door"
            )
            price, costs = format_usd(self._price), format_usd(bid)
            tell(f"{cpus} CPU for {costs} an hour instead of {price}; others may bid more")
            self._until(lambda: self._inside(BEGIN), STEP_S_MAX, "its SSH")

    def outbid(self) -> None:
        """Have a rival bid as much, in vain, and then enough; read the notice inside."""
        with step("A rival bids as much, in vain, and then 5 % more") as tell:
            bid = self._mine["bid_microusd"]
            wanted = self._asked | {"bid_microusd": bid}
            tell(self._rival.refused("POST", "/rentals", wanted, code="bid_too_low"))
            # 5 % more, rounded up.
            more = -(-bid * 105 // 100)
            self._theirs = self._rival.call("POST", "/rentals", wanted | {"bid_microusd": more})
            tell(f"{format_usd(bid)} x 1.05 = {format_usd(more)}: it waits for its room")
            outbid = self._until(lambda: self._told(self._renter, self._mine), STEP_S_MAX, "it")
            told = outbid["outbid_stop_at"] or "once"
            tell(f"the first one stops at {told}, after {NOTICE_S} s of notice (60 on a real site)")

    def come_back(self) -> None:
        """See it stopped and the rival in, bid more, and find its files."""
        with step("It stops, keeps its files, and the rival runs") as tell:
            name = str(self._mine["id"])
            stopped = self._until(
                lambda: self._in(self._renter, self._mine, "stopped"), STEP_S_MAX, "its stop"
            )
            tell(stopped["reason"])
            self._until(
                lambda: self._in(self._rival, self._theirs, "active"), STEP_S_MAX, "the rival"
            )
        with step("Bid more: the rival is told and leaves, and it is back") as tell:
            raised = self._price // RAISED_SHARE
            self._berth("bid", name, f"{raised / 1e6:.6f}")
            self._until(lambda: self._told(self._rival, self._theirs), STEP_S_MAX, "its notice")
            self._rival.call("POST", f"/rentals/{self._theirs['id']}/end")
            self._mine = self._until(
                lambda: self._in(self._renter, self._mine, "active"), STEP_S_MAX, "its return"
            )
            found = self._until(lambda: self._inside("cat /root/work"), STEP_S_MAX, "its SSH")
            if found != WORK:
                raise NotAsPromised(f"its file says {found!r}")
            tell(f"its file still says: {found}")
            notice = json.loads(self._inside("cat /root/told") or "{}")
            if notice.get("reason") != "outbid":
                raise NotAsPromised(f"it was told {notice}")
            tell(f"its program had read in /run/berth/notice: {json.dumps(notice)}")

    def end(self) -> None:
        """End it and read its bill: two prices, and a time that cost nothing."""
        with step("End it, and read its bill: two prices, a stop for free") as tell:
            name = str(self._mine["id"])
            self._berth("end", name)
            ended = self._until(
                lambda: self._in(self._renter, self._mine, "ended"), STEP_S_MAX, "its end"
            )
            bill = self._renter.call("GET", f"/rentals/{name}/bill")
            for line in bill_lines(bill, cost_microusd=ended["cost_microusd"]):
                tell(line)
            # Their room is needed for what comes.
            self._until(
                lambda: self._in(self._rival, self._theirs, "ended"), STEP_S_MAX, "their end"
            )

    def _in(self, person: Person, rental: Mapping[str, Any], state: str) -> dict[str, Any] | None:
        """Return the rental once it is in ``state``.

        :raises NotAsPromised: when it ended instead.
        """
        seen: dict[str, Any] = person.call("GET", f"/rentals/{rental['id']}")
        if seen["state"] == state:
            return seen
        if seen["state"] in ("ended", "failed"):
            raise NotAsPromised(f"the rental {seen['state']}: {seen['reason']}")
        return None

    @staticmethod
    def _told(person: Person, rental: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return a rental once it has its notice, or has stopped by it."""
        seen: dict[str, Any] = person.call("GET", f"/rentals/{rental['id']}")
        return seen if seen["outbid_stop_at"] or seen["state"] != "active" else None

    def _inside(self, command: str) -> str | None:
        """Return what the command says; None while its door is not open yet."""
        try:
            return self._door(self._mine).run(command)
        except Ended:
            return None
