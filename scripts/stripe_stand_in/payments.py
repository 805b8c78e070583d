"""This will run a Stripe on loopback: localstripe, and what it lacks of what Berth asks Stripe for.

localstripe keeps customers, cards, payment and setup intents, charges, refunds, signed web hooks.
Added here, in its own store: the shape of each request, idempotency keys, redirects for 3-D Secure,
off-session payments that want it, pages that save a card, disputes, and filters of lists.
"""

import asyncio
import threading
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import stripe
from aiohttp import web
from localstripe import resources, webhooks
from localstripe.errors import UserError
from multidict import MultiDict

from scripts.stripe_stand_in.keys import WEBHOOK_SECRET
from scripts.stripe_stand_in.shapes import fault

with warnings.catch_warnings():
    # aiohttp would rather have each of its routes asynchronous.
    warnings.simplefilter("ignore", DeprecationWarning)
    from localstripe.server import app, json_response, unflatten_data

VERSION = stripe.api_version
VISA, DECLINED_LATER = "4242424242424242", "4000000000000341"
WANTS_CONFIRMATION, CONFIRMED_BUT_DECLINED = "4000002500003155", "4000008400001629"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Middleware = Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]


class Dispute(resources.StripeObject):  # type: ignore[misc]
    """What localstripe does not have."""

    object = "dispute"
    _id_prefix = "dp_"

    def __init__(self, intent: Any, amount: int, currency: str) -> None:
        super().__init__()
        self.amount, self.currency = amount, currency
        self.payment_intent, self.charge = intent.id, intent.latest_charge.id
        self.status, self.reason = "needs_response", "fraudulent"
        self.evidence_details = {"due_by": self.created + 7 * 86_400}
        self.balance_transactions: list[Any] = []


class DisputeTransaction(resources.BalanceTransaction):  # type: ignore[misc]
    """A movement that localstripe refuses to make: it knows charges and refunds alone."""

    def __init__(self, dispute: Dispute, amount: int, category: str) -> None:
        resources.StripeObject.__init__(self)
        self.amount, self.currency, self.source = amount, dispute.currency, dispute.id
        self.type, self.reporting_category, self.fee = "adjustment", category, 0


@dataclass
class Stripe:
    """A Stripe whose clock, cards and outages the test decides about."""

    url: str = ""
    #: Stripe's clock, in seconds since 1970; None: this machine's own
    at: float | None = 0.0
    #: answers nothing but 503
    is_down: bool = False
    #: does what it is asked for and then loses this many answers
    answers_lost: int = 0
    #: what each request got wrong; a test that leaves one here fails
    faults: list[str] = field(default_factory=list)
    #: method and path of each request
    asked: list[tuple[str, str]] = field(default_factory=list)
    #: body and signature of each web hook, as localstripe sent them
    hooks: list[tuple[bytes, str]] = field(default_factory=list)
    answered: dict[str, tuple[object, int, Any]] = field(default_factory=dict)
    #: what was asked of each page that saves a card
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def clear(self, *, at: float) -> None:
        """Forget everything and set the clock."""
        self.do(resources.store.clear)
        for kept in (self.faults, self.asked, self.hooks, self.answered, self.sessions):
            kept.clear()
        self.at, self.is_down, self.answers_lost = at, False, 0

    def do(self, call: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        """Return what the call returns in the server's own thread, with all web hooks sent."""

        async def there() -> Any:
            try:
                return call(*arguments, **more)
            finally:
                sent = asyncio.all_tasks() - {asyncio.current_task()}
                hooks = [one for one in sent if "_send_webhook" in repr(one.get_coro())]
                await asyncio.gather(*hooks)

        return asyncio.run_coroutine_threadsafe(there(), self.loop).result(30)

    def told(self) -> list[tuple[bytes, str]]:
        """Return every web hook that was sent so far."""
        self.do(lambda: None)
        return list(self.hooks)

    def get(self, kind: str, name: str) -> Any:
        """Return an object of the store as it is."""
        return resources.store[f"{kind}:{name}"]

    def all(self, kind: str) -> list[Any]:
        """Return every object of a kind, oldest first."""
        return [each for key, each in resources.store.items() if key.startswith(f"{kind}:")]

    def save_card(self, customer: str, number: str = VISA) -> str:
        """Save a card as a person does on Stripe's page; return its name."""
        return str(self.do(self.save_card_now, customer, number))

    def confirm(self, intent: str, *, success: bool = True) -> None:
        """Answer the bank's question as the cardholder."""
        self.do(self.confirm_now, intent, success=success)

    def open_dispute(self, intent: str, *, amount: int | None = None, currency: str = "usd") -> str:
        """Dispute a payment at the bank, which takes the money at once; return its name."""
        return str(self.do(self._open_dispute, intent, amount, currency))

    def close_dispute(self, name: str, status: str) -> None:
        """Have the bank decide."""
        self.do(self._close_dispute, name, status)

    def save_card_now(self, customer: str, number: str) -> str:
        """Save a card, in the server's own thread."""
        card = {"number": number, "exp_month": "12", "exp_year": "2030", "cvc": "123"}
        made = resources.PaymentMethod(type="card", card=card)
        setup = resources.SetupIntent(customer=customer)
        resources.SetupIntent._api_confirm(setup.id, payment_method=made.id)
        resources.PaymentMethod._api_attach(made.id, customer=customer)
        setup.status, setup.next_action = "succeeded", None
        _tell("setup_intent.succeeded", setup)
        return str(made.id)

    def confirm_now(self, intent: str, *, success: bool) -> None:
        """Answer the bank's question, in the server's own thread."""
        secret = self.get("payment_intent", intent).client_secret
        try:
            resources.PaymentIntent._api_authenticate(intent, client_secret=secret, success=success)
        except UserError:
            return
        if not success:
            _tell("payment_intent.payment_failed", self.get("payment_intent", intent))

    def _open_dispute(self, name: str, amount: int | None, currency: str) -> str:
        intent = self.get("payment_intent", name)
        made = Dispute(intent, amount or intent.amount, currency)
        made.balance_transactions.append(DisputeTransaction(made, -made.amount, "dispute"))
        _tell("charge.dispute.created", made)
        return str(made.id)

    def fail_refund(self, name: str) -> None:
        """Have the cardholder's bank send a refund back; call it by ``do``."""
        refund = self.get("refund", name)
        refund.status = "failed"
        back = resources.BalanceTransaction(
            amount=refund.amount,
            currency=refund.currency,
            reporting_category="refund",
            source=refund.id,
            type="refund",
        )
        back.type = "refund_failure"
        _tell("refund.failed", refund)

    def _close_dispute(self, name: str, status: str) -> None:
        dispute = self.get("dispute", name)
        dispute.status = status
        if status == "won":
            given_back = DisputeTransaction(dispute, dispute.amount, "dispute_reversal")
            dispute.balance_transactions.append(given_back)
        _tell("charge.dispute.closed", dispute)

    @web.middleware
    async def before(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request as Stripe would, by localstripe where it can."""
        if request.path == "/_inbox":
            self.hooks.append((await request.read(), request.headers["Stripe-Signature"]))
            return web.Response()
        fields: MultiDict[Any] = MultiDict({**request.query, **(await request.post())})
        self.asked.append((request.method, request.path))
        if self.is_down:
            return _reply({"error": {"message": "Away."}}, status=503)
        wrong = fault(request.method, request.path, fields, request.headers, VERSION)
        if wrong:
            self.faults.append(wrong)
            return _reply({"error": {"message": wrong}}, status=400)
        reply = await self._keyed(request, handler, fields)
        if self.answers_lost and request.method == "POST":
            self.answers_lost -= 1
            return _reply({"error": {"message": "Lost."}}, status=500)
        return reply

    async def _keyed(
        self, request: web.Request, handler: Handler, fields: MultiDict[Any]
    ) -> web.StreamResponse:
        key, wanted = request.headers.get("Idempotency-Key", ""), (request.path, dict(fields))
        if request.method == "POST" and key in self.answered:
            before, status, body = self.answered[key]
            if before == wanted:
                return web.Response(status=status, body=body, content_type="application/json")
            error = {"type": "idempotency_error", "message": "The key stands for another request."}
            return _reply({"error": error}, status=400)
        try:
            made = self._made(request.method, request.path, unflatten_data(fields))
            reply = _reply(made) if made is not None else await handler(request)
        except UserError as error:
            reply = error.to_response()
        if request.method == "POST" and key and isinstance(reply, web.Response):
            self.answered[key] = (wanted, reply.status, reply.body)
        return reply

    def _made(self, method: str, path: str, fields: dict[str, Any]) -> Any:
        """Return the answer to what localstripe does not know; None: it does."""
        collection, _, rest = path.removeprefix("/v1/").partition("/")
        if path == "/v1/checkout/sessions":
            name = f"cs_{len(self.sessions) + 1}"
            self.sessions[name] = fields
            return {"id": name, "object": "checkout.session", "url": f"{self.url}/_card/{name}"}
        if (method, path) == ("POST", "/v1/payment_intents"):
            return self._charge(fields)
        if (method, path) == ("GET", "/v1/payment_intents"):
            mine = [
                each
                for each in reversed(self.all("payment_intent"))
                if each.customer == fields["customer"]
            ]
            return _listed(path, mine, fields)
        if (method, path) == ("GET", "/v1/balance_transactions"):
            since, until = (int(fields["created"][word]) for word in ("gte", "lt"))
            mine = [
                each
                for each in reversed(self.all("balance_transaction"))
                if since <= each.created < until
            ]
            return _listed(path, mine, fields)
        if (method, path) == ("POST", "/v1/refunds"):
            self._check_refund(fields)
        if collection == "disputes":
            return Dispute._api_retrieve(rest)._export()
        return None

    def _check_refund(self, fields: dict[str, Any]) -> None:
        """Refuse what Stripe refuses and localstripe does not."""
        intent = resources.PaymentIntent._api_retrieve(fields["payment_intent"])
        sent = [
            each.amount
            for each in self.all("refund")
            if each.payment_intent == intent.id and each.status != "failed"
        ]
        if sum(sent) + int(fields["amount"]) > intent.amount:
            raise UserError(400, "Refund amount is greater than what is left of the charge.")
        if any(each.payment_intent == intent.id for each in self.all("dispute")):
            raise UserError(400, "The charge is disputed.", {"code": "charge_disputed"})

    def _charge(self, fields: dict[str, Any]) -> Any:
        return_url = fields.pop("return_url", None)
        off_session = bool(fields.pop("off_session", None))
        card = resources.PaymentMethod._api_retrieve(fields["payment_method"])
        if card.customer != fields["customer"]:
            raise UserError(400, "The customer does not have this payment method.")
        if off_session and card._requires_authentication():
            made = resources.PaymentIntent._api_create(**fields | {"confirm": "false"})
            made.payment_method, made._authentication_failed = None, True
            detail = {"code": "authentication_required", "payment_intent": made._export()}
            raise UserError(402, "This payment wants to be confirmed.", detail)
        made = resources.PaymentIntent._api_create(**fields)
        if made.next_action:
            made.next_action = {
                "type": "redirect_to_url",
                "redirect_to_url": {
                    "url": f"{self.url}/_confirm/{made.id}",
                    "return_url": return_url,
                },
            }
        return made._export()


def _reply(content: object, *, status: int = 200) -> web.Response:
    reply: web.Response = json_response(content, status=status)
    return reply


def _tell(kind: str, about: Any) -> None:
    webhooks.schedule_webhook(resources.Event(kind, about))


def _listed(path: str, found: list[Any], fields: dict[str, Any]) -> Any:
    page = resources.List(path, limit=fields["limit"], starting_after=fields.get("starting_after"))
    page._list = found
    return page._export(expand=fields.get("expand"))


@contextmanager
def running(
    *, port: int = 0, tells: str = "", first: Sequence[Middleware] = ()
) -> Iterator[Stripe]:
    """Run a Stripe in a thread of this process. Only one can be: localstripe has one store.

    ``port``: 0 chooses one. ``tells``: where web hooks go; empty: it keeps them. ``first``: who may
    answer a request before it does.
    """
    server = Stripe()
    # It would write each change to one file that all users of the machine share.
    resources.store.dump_to_disk = lambda: None
    resources.time = SimpleNamespace(time=lambda: time.time() if server.at is None else server.at)

    async def at_once(_: float) -> None:
        """Send web hooks without the second that localstripe waits."""

    webhooks.asyncio = SimpleNamespace(sleep=at_once, ensure_future=asyncio.ensure_future)
    app.middlewares[:0] = [*first, server.before]
    runner = web.AppRunner(app, access_log=None)

    async def start() -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        webhooks.register_webhook("site", tells or f"{server.url}/_inbox", WEBHOOK_SECRET, None)

    thread = threading.Thread(target=server.loop.run_forever, name="stripe")
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(start(), server.loop).result(30)
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), server.loop).result(30)
        server.loop.call_soon_threadsafe(server.loop.stop)
        thread.join()
        server.loop.close()
