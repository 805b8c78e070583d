"""This will call the marketplace's REST API as a renter does."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from berth.api_keys import ApiKeys
from berth.bills import Bill, Receipts, SpendLimits, Statement
from berth.cards import Cards, TopUp
from berth.endpoints import Endpoints
from berth.exchange import DEADLINE_S, Call, Clock, Exchange
from berth.hosting import Hosting
from berth.jobs import Jobs
from berth.logs import Logs
from berth.notices import Notices
from berth.offers import Asked, Offer, OfferFilter, OfferPage
from berth.paging import PAGES_MAX, pages
from berth.papers import Papers
from berth.prices import Prices
from berth.proofs import Proofs
from berth.reading import read
from berth.reports import Reports
from berth.shapes import (
    ChangeRequest,
    Events,
    Happened,
    IdleRule,
    Me,
    Rental,
    RentalRequest,
    SshKey,
    Volume,
)
from berth.standing import Standing
from berth.teams import HEADER, Teams
from berth.templates import Templates
from berth.terms import TermsOfMachines
from berth.usage import Metrics, Usage
from protocol.paths import API


class Client:
    """One renter at one marketplace. Every method raises Refused or CannotReach (problem.py).

    ``team``: the number of one that every call is for; None: calls are the key's own.
    """

    def __init__(
        self,
        url: str,
        key: str = "",
        *,
        team: int | None = None,
        deadline_s: float = DEADLINE_S,
        clock: Clock | None = None,
        transport: httpx.BaseTransport | None = None,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        headers = {"Accept": "application/json", "User-Agent": "berth/0.1"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        if team is not None:
            headers[HEADER] = str(team)
        base_url = url.rstrip("/") + API
        self._http = httpx.Client(base_url=base_url, headers=headers, transport=transport)
        self._exchange = Exchange(self._http, clock=clock, deadline_s=deadline_s)
        self._new_id = new_id
        self.api_keys = ApiKeys(self._exchange)
        self.cards = Cards(self._exchange)
        self.endpoints = Endpoints(self._exchange, new_id=new_id)
        self.hosting = Hosting(self._exchange)
        self.logs = Logs(self._exchange, clock=clock)
        self.notices = Notices(self._exchange, new_id=new_id)
        self.papers = Papers(self._exchange)
        self.prices = Prices(self._exchange)
        self.proofs = Proofs(self._exchange)
        self.reports = Reports(self._exchange)
        self.standing = Standing(self._exchange)
        self.teams = Teams(self._exchange)
        self.templates = Templates(self._exchange)
        self.terms = TermsOfMachines(self._exchange)
        self.jobs = Jobs(self._http, self._exchange, new_id=new_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def log_in(
        self,
        *,
        email: str,
        password: str,
        name: str,
        code: str = "",
        spend_limit_microusd: int | None = None,
        scopes: Sequence[str] = (),
        expires_at: datetime | None = None,
    ) -> str:
        """Return a new API key; the marketplace shows it this once.

        ``code``: of an authenticator app, where the account asks for one. ``spend_limit_microusd``:
        the most that the key may ever set aside. None: no limit of its own. ``scopes``: what it may
        do, such as "rentals:write"; none: everything. ``expires_at``: None: it lasts.
        """
        body: dict[str, object] = {"email": email, "password": password, "name": name}
        if code:
            body["code"] = code
        if spend_limit_microusd is not None:
            body["spend_limit_microusd"] = spend_limit_microusd
        if scopes:
            body["scopes"] = list(scopes)
        if expires_at is not None:
            body["expires_at"] = expires_at.isoformat()
        return read(dict[str, str], self._post("/auth/key", body)).get("key", "")

    def me(self) -> Me:
        """Return the account and its balance."""
        return read(Me, self._get("/me"))

    def ssh_keys(self) -> tuple[SshKey, ...]:
        """Return the account's SSH keys."""
        return read(tuple[SshKey, ...], _items(self._get("/ssh-keys")))

    def add_ssh_key(self, *, name: str, public_key: str) -> SshKey:
        """Return the key as the account now has it."""
        return read(SshKey, self._post("/ssh-keys", {"name": name, "public_key": public_key}))

    def remove_ssh_key(self, key_id: int | str) -> None:
        """Remove the key; rentals that already have it keep it."""
        self._delete(f"/ssh-keys/{key_id}")

    def offers(self, wanted: OfferFilter | None = None) -> Iterator[Offer]:
        """Yield the offers that match, best first, asking for the next page only when needed."""
        wanted = wanted or OfferFilter()
        for _ in range(PAGES_MAX):
            params = wanted.model_dump(mode="json", exclude_none=True)
            page = read(OfferPage, self._get("/offers", _query(params)))
            yield from page.items
            if not page.next_cursor:
                return
            wanted = wanted.model_copy(update={"cursor": page.next_cursor})

    def asked(self, q: str) -> OfferPage:
        """Return how much a search asks for, and whether it is of GPUs, beside its first offer."""
        return read(OfferPage, self._get("/offers", {"q": q, "limit": 1}))

    def offer(self, offer_id: str, asked: Asked | None = None) -> Offer:
        """Return one offer as it is now, with the price of these amounts and what they propose."""
        params = _query(asked.model_dump(exclude_none=True)) if asked else None
        return read(Offer, self._get(f"/offers/{quote(offer_id, safe='')}", params))

    def rent(self, request: RentalRequest) -> Rental:
        """Return the new rental. A lost answer is asked for again, never rented twice."""
        return read(
            Rental, self._post("/rentals", request.model_dump(mode="json"), repeatable=True)
        )

    def rentals(
        self, *, everything: bool = False, state: str = "", search: str = ""
    ) -> tuple[Rental, ...]:
        """Return the live rentals, or all that are not forgotten, newest first.

        ``state``: live, over, all, or one that a rental says; empty: as ``everything`` tells.
        ``search``: a part of their names, or how their ids begin; empty: any.
        """
        params: dict[str, str | int] = {"state": state or ("all" if everything else "live")}
        if search:
            params["q"] = search
        found: list[Rental] = []
        for _ in range(PAGES_MAX):
            answer = self._get("/rentals", params)
            found.extend(read(tuple[Rental, ...], _items(answer)))
            cursor = answer.get("next_cursor") if isinstance(answer, dict) else None
            if not cursor:
                break
            params["cursor"] = str(cursor)
        return tuple(found)

    def rental(self, rental_id: str) -> Rental:
        """Return one rental as it is now."""
        return read(Rental, self._get(f"/rentals/{rental_id}"))

    def stop(self, rental_id: str) -> Rental:
        """Ask for a rental to stop and keep its files: billing stops with this request."""
        return self._ask(rental_id, "stop", repeatable=True)

    def start(self, rental_id: str) -> Rental:
        """Ask for a stopped rental to run again; its lease is the one that it had."""
        return self._ask(rental_id, "start", repeatable=True)

    def restart(self, rental_id: str) -> Rental:
        """Ask for a running rental's container to start anew; its files stay."""
        return self._ask(rental_id, "restart", repeatable=False)

    def reset(self, rental_id: str) -> Rental:
        """Ask for a running rental to begin with its image again; only its volumes stay."""
        return self._ask(rental_id, "reset", repeatable=False)

    def change(self, rental_id: str, request: ChangeRequest) -> Rental:
        """Return the rental with another workload on its way; None stays as it is."""
        body = request.model_dump(mode="json", exclude_none=True)
        call = Call("PATCH", f"/rentals/{rental_id}", body=body, repeatable=True)
        return read(Rental, self._exchange.send(call))

    def bid(self, rental_id: str, *, bid_microusd: int) -> Rental:
        """Return the interruptible rental, an hour of which costs this bid from now on."""
        body = {"bid_microusd": bid_microusd}
        call = Call("PUT", f"/rentals/{rental_id}/bid", body=body, repeatable=True)
        return read(Rental, self._exchange.send(call))

    def set_idle_rule(
        self, rental_id: str, *, after_s: int, below_percent: int | None = None
    ) -> IdleRule:
        """Return the rule by which the rental stops, files kept, when it is idle; None: 5 %."""
        body = {"after_s": after_s}
        if below_percent is not None:
            body["below_percent"] = below_percent
        call = Call("PUT", f"/rentals/{rental_id}/idle-rule", body=body, repeatable=True)
        return read(IdleRule, self._exchange.send(call))

    def remove_idle_rule(self, rental_id: str) -> None:
        """Let the rental run, idle or not."""
        self._delete(f"/rentals/{rental_id}/idle-rule")

    def set_keys(self, rental_id: str, key_ids: Sequence[int | str] | None) -> Rental:
        """Return the rental, which these keys of the account open from now on; None: all."""
        body = {"ssh_key_ids": None if key_ids is None else list(key_ids)}
        call = Call("PUT", f"/rentals/{rental_id}/ssh-keys", body=body, repeatable=True)
        return read(Rental, self._exchange.send(call))

    def volumes(self) -> tuple[Volume, ...]:
        """Return the account's volumes, newest first."""
        found: list[Volume] = []
        for answer in pages(self._exchange, "/volumes"):
            found += read(tuple[Volume, ...], _items(answer))
        return tuple(found)

    def delete_volume(self, volume_id: str) -> Volume:
        """Return the volume, which is being deleted with everything in it."""
        call = Call("DELETE", f"/volumes/{volume_id}", repeatable=True)
        return read(Volume, self._exchange.send(call))

    def end(self, rental_id: str) -> Rental:
        """Ask for the end of a rental and of its files: billing stops with this request."""
        return self._ask(rental_id, "end", repeatable=True)

    def extend(
        self, rental_id: str, *, lease_s: int | None = None, cap_microusd: int | None = None
    ) -> Rental:
        """Return the rental with its new lease or dollar cap; None stays as it is.

        A lost answer is asked for again and never extends twice.
        """
        limits = {"lease_s": lease_s, "cap_microusd": cap_microusd}
        body = {name: value for name, value in limits.items() if value is not None}
        answer = self._post(f"/rentals/{rental_id}/extend", body, repeatable=True)
        return read(Rental, answer)

    def forget(self, rental_id: str) -> None:
        """Remove an ended rental from the lists."""
        self._delete(f"/rentals/{rental_id}")

    def usage(self, rental_id: str) -> Usage:
        """Return what the rental used in the last hour, and what went wrong for it."""
        return read(Usage, self._get(f"/rentals/{rental_id}/usage"))

    def metrics(self, rental_id: str, *, span: str = "day") -> Metrics:
        """Return what the rental used in the last hour, day or month, after its end too."""
        return read(Metrics, self._get(f"/rentals/{rental_id}/metrics", {"span": span}))

    def bill(self, rental_id: str) -> Bill:
        """Return what the rental cost so far, and what of its time cost nothing and why."""
        return read(Bill, self._get(f"/rentals/{rental_id}/bill"))

    def events(self, rental_id: str, *, limit: int = 50) -> tuple[Happened, ...]:
        """Return what happened to the rental, newest first."""
        found: list[Happened] = []
        for answer in pages(self._exchange, f"/rentals/{rental_id}/events"):
            found += read(Events, answer).items
            if len(found) >= limit:
                break
        return tuple(found[:limit])

    def receipts(self, rental_id: str) -> Iterator[Receipts]:
        """Yield the rental's signed intervals page by page; check them with receipts.Check."""
        cursor: int | None = 0
        while cursor is not None:
            answer = self._get(f"/rentals/{rental_id}/receipts", {"cursor": cursor})
            page = read(Receipts, answer)
            yield page
            # A marketplace that names no later page must not keep us asking for ever.
            cursor = page.next_cursor if (page.next_cursor or 0) > cursor else None

    def statement(self) -> Statement:
        """Return the account's movements of money, newest first, from all pages."""
        found = read(Statement, self._get("/statement"))
        for _ in range(PAGES_MAX):
            if found.next_cursor is None:
                break
            page = read(Statement, self._get("/statement", {"cursor": found.next_cursor}))
            more = {"items": (*found.items, *page.items), "next_cursor": page.next_cursor}
            found = found.model_copy(update=more)
        return found

    def spend_limits(self) -> SpendLimits:
        """Return the account's spend limits, and what is counted of them."""
        return read(SpendLimits, self._get("/spend-limits"))

    def set_spend_limits(
        self, *, day_microusd: int | None, month_microusd: int | None
    ) -> SpendLimits:
        """Return the account's spend limits, both as they are from now on; None: no limit."""
        body = {"day_microusd": day_microusd, "month_microusd": month_microusd}
        call = Call("PUT", "/spend-limits", body=body, repeatable=True)
        return read(SpendLimits, self._exchange.send(call))

    def top_up(self, *, amount_microusd: int) -> TopUp:
        """Add money to the balance, from the saved card where the site takes cards."""
        return read(TopUp, self._post("/top-ups", {"amount_microusd": amount_microusd}))

    def _ask(self, rental_id: str, verb: str, *, repeatable: bool) -> Rental:
        answer = self._post(f"/rentals/{rental_id}/{verb}", None, repeatable=repeatable)
        return self.rental(rental_id) if answer is None else read(Rental, answer)

    def _get(self, path: str, params: Mapping[str, str | int] | None = None) -> Any:
        return self._exchange.send(Call("GET", path, params=params, repeatable=True))

    def _post(
        self, path: str, body: Mapping[str, object] | None, *, repeatable: bool = False
    ) -> Any:
        headers = {"Idempotency-Key": self._new_id()}
        return self._exchange.send(
            Call("POST", path, body=body, headers=headers, repeatable=repeatable)
        )

    def _delete(self, path: str) -> None:
        self._exchange.send(Call("DELETE", path, repeatable=True))


def _items(answer: object) -> object:
    """Return the list, whether it came bare or as the items of a page."""
    return answer.get("items") if isinstance(answer, dict) else answer


def _query(params: Mapping[str, Any]) -> dict[str, str | int]:
    """Return the parameters with truth values as the API spells them."""
    return {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in params.items()
    }
