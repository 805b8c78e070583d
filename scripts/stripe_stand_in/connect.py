"""This will stand in for Stripe Connect on loopback, for the unmodified ``stripe`` library.

It knows the calls that payouts make and refuses every other shape: method, path, fields, key,
version. ``localstripe`` has none of them.
"""

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import stripe

from scripts.stripe_stand_in.keys import CONNECT_WEBHOOK_SECRET, SECRET_KEY

#: where no account opens
UNSERVED = {"TH"}
#: (method, path without ids): the fields that must be there, and those that may
SHAPES: Mapping[tuple[str, str], tuple[set[str], set[str]]] = {
    ("POST", "/v1/accounts"): (
        {
            "type",
            "country",
            "email",
            "capabilities[transfers][requested]",
            "metadata[berth_account]",
        },
        set(),
    ),
    ("GET", "/v1/accounts/*"): (set(), set()),
    ("POST", "/v1/accounts/*/login_links"): (set(), set()),
    ("POST", "/v1/account_links"): ({"account", "type", "return_url", "refresh_url"}, set()),
    ("POST", "/v1/transfers"): (
        {"amount", "currency", "destination", "transfer_group", "metadata[berth_payout]"},
        set(),
    ),
    ("GET", "/v1/transfers"): ({"transfer_group", "limit"}, set()),
    ("GET", "/v1/transfers/*"): (set(), set()),
    ("POST", "/v1/transfers/*/reversals"): ({"metadata[berth_payout]"}, set()),
    ("GET", "/v1/payouts"): ({"created[gte]", "limit"}, set()),
    ("GET", "/v1/balance_transactions"): ({"payout", "limit"}, set()),
}
#: what only moves money or opens something once has a key
KEYED = {"/v1/accounts", "/v1/transfers", "/v1/transfers/*/reversals"}
#: what a connected account tells of itself
WITHIN = {"/v1/payouts", "/v1/balance_transactions"}


class Malformed(Exception):
    """A request that Stripe itself would refuse, or that nobody meant to make."""


@dataclass
class Refusal:
    """An error as Stripe words it."""

    status: int
    code: str
    message: str
    kind: str = "invalid_request_error"


@dataclass
class Connect:
    """All that the stand-in has: accounts, transfers and what their banks said."""

    url: str = ""
    #: where its own pages are
    pages: str = "https://connect.invalid"
    #: an account pays to its bank as soon as it gets something
    pays_at_once: bool = False
    #: on the platform, in cents
    balance: int = 10_000_000
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    transfers: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: by account, oldest first
    payouts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    lines: dict[str, list[str]] = field(default_factory=dict)
    #: by idempotency key: what was asked, and the answer that is given again
    answers: dict[str, tuple[object, int, dict[str, Any]]] = field(default_factory=dict)
    #: where the form of each account leads back to
    back: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    malformed: list[str] = field(default_factory=list)
    #: everything is answered with a 500 before it is done
    down: bool = False
    #: the next calls are done, and then answered with a 500
    lose_answers: int = 0
    #: the next transfers are refused so
    refusals: list[Refusal] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def enable(self, reference: str, **changed: object) -> None:
        """Have the host fill in everything."""
        account = self.accounts[reference]
        account |= {"payouts_enabled": True, "capabilities": {"transfers": "active"}}
        account |= {"requirements": needs(), **changed}

    def pay_out(self, reference: str, *, status: str = "paid", message: str = "") -> str:
        """Have the account pay all that it holds to its bank, as it does by itself."""
        account = self.accounts[reference]
        name = f"po_{len(self.lines) + 1}"
        payout = {"id": name, "object": "payout", "status": status, "created": 1 << 31}
        payout |= {"failure_message": message or None, "failure_code": None}
        self.payouts.setdefault(reference, []).append(payout)
        self.lines[name] = account.pop("waiting", [])
        account["waiting"] = [name] if status == "failed" else []
        return name

    def event(self, kind: str, reference: str, *, at: int) -> tuple[bytes, str]:
        """Return an event about a connected account and its signature."""
        content = {"id": "evt_1", "object": "event", "type": kind, "account": reference}
        body = json.dumps(content | {"data": {"object": {}}, "created": at}).encode()
        signed = hmac.new(CONNECT_WEBHOOK_SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256)
        return body, f"t={at},v1={signed.hexdigest()}"

    def answer(
        self, method: str, path: str, fields: dict[str, str], headers: Mapping[str, str]
    ) -> tuple[int, dict[str, Any]]:
        """Return the status and the document for one request."""
        shape, ids = shape_of(path)
        self.asked.append((method, shape))
        self.check(method, shape, fields, headers)
        if self.down:
            return error(Refusal(500, "", "Something went wrong on our end.", "api_error"))
        key = headers.get("Idempotency-Key", "")
        if key in self.answers:
            asked, status, document = self.answers[key]
            if asked != (path, fields):
                return error(Refusal(400, "", "Keys are for one request.", "idempotency_error"))
            return status, document
        status, document = self.do(method, shape, ids, fields, headers.get("Stripe-Account", ""))
        if key:
            self.answers[key] = ((path, fields), status, document)
        if self.lose_answers:
            self.lose_answers -= 1
            return error(Refusal(500, "", "The answer was lost.", "api_error"))
        return status, document

    def check(
        self, method: str, shape: str, fields: dict[str, str], headers: Mapping[str, str]
    ) -> None:
        """Refuse what is not exactly a call that payouts make."""
        if (method, shape) not in SHAPES:
            raise Malformed(f"{method} {shape} is no call of ours")
        needed, allowed = SHAPES[method, shape]
        if set(fields) - allowed != needed:
            raise Malformed(f"{method} {shape} has the fields {sorted(fields)}")
        if headers.get("Authorization") != f"Bearer {SECRET_KEY}":
            raise Malformed(f"{method} {shape} has no key of ours")
        if headers.get("Stripe-Version") != stripe.api_version:
            raise Malformed(f"{method} {shape} names no version")
        keyed = method == "POST" and shape in KEYED
        if keyed and not headers.get("Idempotency-Key"):
            raise Malformed(f"{method} {shape} could happen twice")
        if (shape in WITHIN) != bool(headers.get("Stripe-Account")):
            raise Malformed(f"{method} {shape} asks the wrong account")

    def do(
        self, method: str, shape: str, ids: list[str], fields: dict[str, str], within: str
    ) -> tuple[int, dict[str, Any]]:
        """Do what was asked."""
        if shape == "/v1/accounts" and fields["country"] in UNSERVED:
            message = f"{fields['country']} is not currently supported by Stripe."
            return error(Refusal(400, "country_unsupported", message))
        if shape == "/v1/accounts":
            return 200, self._open(fields)
        if shape == "/v1/accounts/*":
            found = self.accounts.get(ids[0])
            gone = Refusal(403, "account_invalid", f"No such account: {ids[0]}")
            return (200, found) if found else error(gone)
        if shape == "/v1/accounts/*/login_links":
            url = f"{self.pages}/express/{ids[0]}"
            return 200, {"object": "login_link", "url": url, "created": 0}
        if shape == "/v1/account_links":
            url = f"{self.pages}/setup/{fields['account']}"
            self.back[fields["account"]] = fields["return_url"]
            return 200, {"object": "account_link", "url": url, "expires_at": 0, "created": 0}
        if shape == "/v1/transfers" and method == "POST":
            return self._transfer(fields)
        if shape == "/v1/transfers":
            group = fields["transfer_group"]
            return page([one for one in self.transfers.values() if one["transfer_group"] == group])
        if shape == "/v1/transfers/*":
            return 200, self.transfers[ids[0]]
        if shape == "/v1/transfers/*/reversals":
            return self._reverse(ids[0])
        if shape == "/v1/payouts":
            return page(self.payouts.get(within, [])[::-1])
        sources = self.lines[fields["payout"]]
        return page([{"object": "balance_transaction", "source": one} for one in sources])

    def _open(self, fields: dict[str, str]) -> dict[str, Any]:
        reference = f"acct_{len(self.accounts) + 1}"
        self.accounts[reference] = {
            "id": reference,
            "object": "account",
            "type": fields["type"],
            "country": fields["country"],
            "default_currency": "usd",
            "payouts_enabled": False,
            "capabilities": {"transfers": "inactive"},
            "requirements": needs(currently_due=["external_account"]),
        }
        return self.accounts[reference]

    def _transfer(self, fields: dict[str, str]) -> tuple[int, dict[str, Any]]:
        amount, account = int(fields["amount"]), self.accounts.get(fields["destination"])
        if self.refusals:
            return error(self.refusals.pop(0))
        if account is None:
            return error(Refusal(400, "account_invalid", "No such destination"))
        if amount <= 0 or fields["currency"] != "usd":
            return error(Refusal(400, "parameter_invalid_integer", "Invalid positive integer"))
        if amount > self.balance:
            message = "You have insufficient available funds in your Stripe account."
            return error(Refusal(400, "balance_insufficient", message))
        self.balance -= amount
        number = len(self.transfers) + 1
        made = {
            "id": f"tr_{number}",
            "object": "transfer",
            "amount": amount,
            "amount_reversed": 0,
            "reversed": False,
            "destination": fields["destination"],
            "destination_payment": f"py_{number}",
            "transfer_group": fields["transfer_group"],
        }
        self.transfers[f"tr_{number}"] = made
        account.setdefault("waiting", []).append(f"py_{number}")
        if self.pays_at_once:
            self.pay_out(fields["destination"])
        return 200, made

    def _reverse(self, reference: str) -> tuple[int, dict[str, Any]]:
        made = self.transfers[reference]
        if made["reversed"]:
            return error(Refusal(400, "transfer_already_reversed", "It is reversed already."))
        made |= {"reversed": True, "amount_reversed": made["amount"]}
        self.balance += made["amount"]
        return 200, {"id": "trr_1", "object": "transfer_reversal", "amount": made["amount"]}


def is_asked(method: str, path: str, headers: Mapping[str, str]) -> bool:
    """Say whether a request is one of Connect's, and not of payments'."""
    shape = shape_of(path)[0]
    return (method, shape) in SHAPES and (shape not in WITHIN or "Stripe-Account" in headers)


def needs(**changed: object) -> dict[str, Any]:
    """Return an account's requirements."""
    return {"currently_due": [], "errors": [], "disabled_reason": None, **changed}


def page(rows: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    """Return a list as Stripe does."""
    return 200, {"object": "list", "data": rows, "has_more": False, "url": "/"}


def error(refusal: Refusal) -> tuple[int, dict[str, Any]]:
    """Return an error as Stripe does."""
    content = {"type": refusal.kind, "message": refusal.message, "code": refusal.code or None}
    return refusal.status, {"error": content}


def shape_of(path: str) -> tuple[str, list[str]]:
    """Return the path with ``*`` for ids, and the ids."""
    parts = path.split("/")
    ids = parts[3:4]
    return "/".join([*parts[:3], *("*" for _ in ids), *parts[4:]]), ids


@contextmanager
def serving() -> Iterator[Connect]:
    """Answer on loopback until the block ends; a malformed request fails the test that made it."""
    state = Connect()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            address = urlsplit(self.path)
            self._reply("GET", address.path, dict(parse_qsl(address.query)))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
            self._reply("POST", urlsplit(self.path).path, dict(parse_qsl(body)))

        def _reply(self, method: str, path: str, fields: dict[str, str]) -> None:
            with state.lock:
                try:
                    status, document = state.answer(method, path, fields, dict(self.headers))
                except Malformed as fault:
                    state.malformed.append(str(fault))
                    status, document = error(Refusal(400, "malformed", str(fault)))
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *said: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert state.malformed == []
