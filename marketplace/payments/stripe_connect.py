"""This will carry out payouts by Stripe Connect: accounts, transfers, reversals, and looks."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import stripe

from marketplace.domain.ledger import AccountKind
from marketplace.domain.money import MicroUsd
from marketplace.domain.payout import CENT_MICROUSD
from marketplace.domain.transfer_out import AccountFacts, Arrival, Landing, Sent, TransferRefused
from marketplace.payments.gateway import GatewayUnreachable

DEADLINE_S = 10
REASON_LENGTH_MAX = 300
#: another request with the same key is under way
BUSY = 409
#: payouts to a host's bank, and lines of one, that one look reads
PAYOUTS_MAX = 30
LINES_MAX = 100
#: no later attempt can succeed with these.
#: Source: stripe's own list of error codes, and its answers for accounts that are gone
FOR_GOOD = frozenset({"account_invalid", "account_closed", "resource_missing", "amount_too_large"})
#: what Stripe's bank payouts say when money did not arrive
RETURNED = frozenset({"failed", "canceled"})
BANK_SILENT = "The bank sent it back and gave no reason."

log = logging.getLogger(__name__)


class NotStripes(Exception):
    """What claims to be an event was not signed by Stripe with this endpoint's secret."""


def event_account(*, body: bytes, signature: str, secret: str) -> str:
    """Return which connected account an event is about; empty: none.

    Nothing else of it is believed: who hears it asks Stripe how that account is.

    :raises NotStripes: when it is unsigned, forged, too old or no event.
    """
    try:
        event = stripe.Webhook.construct_event(body, signature, secret)
    except (ValueError, stripe.SignatureVerificationError) as error:
        raise NotStripes from error
    return str(event.to_dict().get("account") or "")


class StripeConnect:
    """Pays hosts by Express accounts; marketplace/payouts/gateway.py says what each call does."""

    name = "stripe"
    sink = AccountKind.OUTSIDE

    def __init__(self, secret_key: str, *, api_url: str = "") -> None:
        # Every request is asked again by our own passes, which know what was asked before.
        self._stripe = stripe.StripeClient(
            secret_key,
            base_addresses={"api": api_url} if api_url else {},
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=DEADLINE_S),
        )

    def open_account(self, *, account_id: UUID, email: str, country: str) -> str:
        """Return the name of a new Express account that may get transfers."""
        asked = {
            "type": "express",
            "country": country,
            "email": email,
            "capabilities": {"transfers": {"requested": True}},
            "metadata": {"berth_account": str(account_id)},
        }
        options = {"idempotency_key": f"account:{account_id}"}
        return str(self._ask(self._stripe.v1.accounts.create, asked, options)["id"])

    def onboarding_url(self, *, reference: str, return_url: str, retry_url: str) -> str:
        """Return Stripe's own form for this account."""
        asked = {
            "account": reference,
            "type": "account_onboarding",
            "return_url": return_url,
            "refresh_url": retry_url,
        }
        return str(self._ask(self._stripe.v1.account_links.create, asked)["url"])

    def dashboard_url(self, *, reference: str) -> str:
        """Return the way into the account's own pages at Stripe."""
        made = self._ask(self._stripe.v1.accounts.login_links.create, {}, None, reference)
        return str(made["url"])

    def look(self, *, reference: str) -> AccountFacts:
        """Return what Stripe says of the account; one that is gone is closed for good."""
        try:
            found = self._ask(self._stripe.v1.accounts.retrieve, {}, None, reference)
        except TransferRefused as refused:
            return AccountFacts(enabled=False, reason=refused.reason)
        able = (found.get("capabilities") or {}).get("transfers") == "active"
        enabled = bool(able and found.get("payouts_enabled"))
        return AccountFacts(
            enabled=enabled,
            country=str(found.get("country") or ""),
            currency=str(found.get("default_currency") or ""),
            reason="" if enabled else _why_not(found),
        )

    def send(
        self, *, payout_id: UUID, key: str, amount_microusd: MicroUsd, destination: str
    ) -> Sent:
        """Transfer whole cents of dollars to the account."""
        asked = {
            "amount": amount_microusd // CENT_MICROUSD,
            "currency": "usd",
            "destination": destination,
            "transfer_group": _group(payout_id),
            "metadata": {"berth_payout": str(payout_id)},
        }
        made = self._ask(self._stripe.v1.transfers.create, asked, {"idempotency_key": key})
        return _sent(made)

    def find(self, *, payout_id: UUID) -> Sent | None:
        """Return the transfer of the payout's group: Stripe forgets keys after a day, not these."""
        asked = {"transfer_group": _group(payout_id), "limit": 1}
        found = self._ask(self._stripe.v1.transfers.list, asked)["data"]
        return _sent(found[0]) if found else None

    def landing(self, *, sent: Sent, destination: str, sent_at: datetime) -> Landing:
        """Return what became of the newest bank payout that holds the transfer.

        One that failed is itself a line of the next, which carries what it had carried.
        """
        options = {"stripe_account": destination}
        asked = {"created": {"gte": int(sent_at.timestamp())}, "limit": PAYOUTS_MAX}
        carried, newest = {sent.receipt}, None
        for payout in reversed(self._ask(self._stripe.v1.payouts.list, asked, options)["data"]):
            within = {"payout": payout["id"], "limit": LINES_MAX}
            lines = self._ask(self._stripe.v1.balance_transactions.list, within, options)["data"]
            if not carried.isdisjoint(line["source"] for line in lines):
                carried.add(payout["id"])
                newest = payout
        if newest is None or newest["status"] not in ("paid", *RETURNED):
            return Landing(Arrival.ON_ITS_WAY)
        if newest["status"] == "paid":
            return Landing(Arrival.PAID)
        reason = newest.get("failure_message") or newest.get("failure_code") or BANK_SILENT
        return Landing(Arrival.RETURNED, _short(reason))

    def take_back(self, *, payout_id: UUID, sent: Sent) -> None:
        """Reverse the whole transfer, unless it is reversed already."""
        found = self._ask(self._stripe.v1.transfers.retrieve, {}, None, sent.reference)
        if found["reversed"]:
            return
        asked = {"metadata": {"berth_payout": str(payout_id)}}
        options = {"idempotency_key": f"payout:{payout_id}:back:{found['amount_reversed']}"}
        self._ask(self._stripe.v1.transfers.reversals.create, asked, options, sent.reference)

    def _ask(
        self,
        call: Any,
        asked: Mapping[str, object],
        options: Mapping[str, str] | None = None,
        *ids: str,
    ) -> dict[str, Any]:
        """Return Stripe's answer.

        :raises TransferRefused: when Stripe said no, so that nothing happened.
        :raises GatewayUnreachable: when anything else came, or nothing.
        """
        try:
            answer = call(*ids, params=dict(asked), options=dict(options or {}))
        except (stripe.InvalidRequestError, stripe.PermissionError, stripe.CardError) as error:
            if error.http_status == BUSY:
                raise GatewayUnreachable from error
            # Not error.code: the library leaves it out where Stripe forbids.
            document: Any = error.json_body or {}
            code = document.get("error", {}).get("code")
            reason = _short(error.user_message or str(error))
            raise TransferRefused(reason, for_good=code in FOR_GOOD) from error
        except stripe.AuthenticationError as error:
            log.error("Stripe refuses this site's key")
            raise GatewayUnreachable from error
        except stripe.StripeError as error:
            log.warning("Stripe unreachable", extra={"kind": type(error).__name__})
            raise GatewayUnreachable from error
        return dict(answer.to_dict())


def _group(payout_id: UUID) -> str:
    return f"payout-{payout_id}"


def _sent(transfer: Mapping[str, Any]) -> Sent:
    return Sent(
        reference=str(transfer["id"]), receipt=str(transfer.get("destination_payment") or "")
    )


def _why_not(account: Mapping[str, Any]) -> str:
    needs = account.get("requirements") or {}
    if needs.get("errors"):
        return _short(str(needs["errors"][0]["reason"]))
    if needs.get("disabled_reason"):
        return f"Stripe keeps this account shut: {_short(str(needs['disabled_reason']))}."
    if needs.get("currently_due"):
        return "Stripe still wants to know more of you; go on where you left off."
    return "Stripe has not opened this account for payouts yet."


def _short(reason: str) -> str:
    return reason[:REASON_LENGTH_MAX]
