"""This will be everybody's banks: what pays in, what pays out, and what the site hears of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from marketplace.accounts.models import User
from marketplace.domain.ledger import AccountKind
from marketplace.ledger.models import Account
from marketplace.payments.actions import save_card
from marketplace.payments.actions.auto_top_up import auto_top_up
from marketplace.payments.actions.process_events import process_events
from marketplace.payments.actions.receive_event import receive_event
from marketplace.payments.actions.reconcile import reconcile
from marketplace.payments.actions.refund import settle_refunds
from marketplace.payments.actions.settle_dispute import freeze_more, tend_disputes
from marketplace.payments.actions.settle_pending import settle_pending
from marketplace.payments.models import Difference, Dispute, Payer, TopUp, WebhookEvent
from marketplace.payments.stripe_connect import StripeConnect
from marketplace.payouts.actions.look_at_accounts import look_at_accounts
from marketplace.payouts.actions.onboard import onboard
from marketplace.payouts.actions.open_payouts import open_payouts
from marketplace.payouts.actions.send_payouts import send_payouts
from marketplace.payouts.models import Payout, PayoutAccount, PayoutState
from scripts.stripe_stand_in import connect
from scripts.stripe_stand_in.keys import SECRET_KEY
from scripts.stripe_stand_in.payments import VISA, Stripe
from tests.marketplace.payments.test_card_events import signed
from tests.marketplace.payouts.conftest import BACK, write_details

CENT = 10_000
PASSES: Sequence[Callable[..., object]] = (
    *(process_events, settle_pending, settle_refunds),
    *(tend_disputes, freeze_more, auto_top_up),
)
PAYOUT_PASSES: Sequence[Callable[..., object]] = (open_payouts, send_payouts)


@dataclass(slots=True)
class Banks:
    """Renters' cards and hosts' accounts."""

    cards: Stripe
    hosts: connect.Connect
    #: what is done after each pass
    after: Callable[[], object] = lambda: None

    @property
    def gateway(self) -> StripeConnect:
        """Return the way to hosts' accounts."""
        return StripeConnect(SECRET_KEY, api_url=self.hosts.url)

    def clear(self, now: datetime) -> None:
        """Forget everything."""
        self.cards.clear(at=now.timestamp())
        fresh = connect.Connect(url=self.hosts.url, lock=self.hosts.lock)
        self.hosts.__dict__.update(fresh.__dict__)

    def give_card(self, user: User, now: datetime, number: str = VISA) -> None:
        """Save a card for a person who may have one already."""
        if not Payer.objects.filter(user=user).exists():
            save_card.card_page(user_id=user.pk)
        self.cards.at = max(self.cards.at + 1, now.timestamp())
        self.cards.save_card(Payer.objects.get(user=user).customer, number)

    def take_on(self, host: User, now: datetime) -> None:
        """Give a host an account that can be paid to."""
        write_details(host, now=now - timedelta(days=40))
        onboard(host_id=host.pk, now=now - timedelta(days=40), gateway=self.gateway, **BACK)
        self.hosts.enable(PayoutAccount.objects.get(host=host).reference)
        look_at_accounts(now=now - timedelta(days=39), gateway=self.gateway)

    def deliver(self, numbers: list[int], now: datetime) -> None:
        """Bring some of all web hooks that were ever sent, in any order, as often as they stand."""
        hooks = self.cards.told()
        for number in numbers if hooks else ():
            body = hooks[number % len(hooks)][0]
            receive_event(payload=body, signature=signed(body, now), now=now)

    def run_passes(self, now: datetime) -> None:
        """Run what settles cards, refunds, disputes and payouts."""
        for one in PASSES:
            one(now=now)
            self.after()
        for other in PAYOUT_PASSES:
            other(now=now, gateway=self.gateway)
            self.after()

    def settle(self, now: datetime) -> datetime:
        """Have everything told and decided; return when that was."""
        self.cards.is_down, self.cards.answers_lost = False, 0
        self.hosts.down, self.hosts.lose_answers = False, 0
        self.deliver(list(range(len(self.cards.told()))), now)
        for _ in range(8):
            now += timedelta(hours=12)
            self.cards.at = now.timestamp()
            self.run_passes(now)
            for reference in self.hosts.accounts:
                self.hosts.pay_out(reference)
            reconcile(now=now)
        return now

    def problems(self) -> list[str]:
        """Return what the banks say otherwise than the site, once everything is settled."""
        found = [*self.cards.faults, *self.hosts.malformed]
        found += [f"{one.kind} {one.detail}" for one in Difference.objects.order_by("pk")]
        if WebhookEvent.objects.filter(processed_at=None).exists():
            found.append("An event was not looked into.")
        if TopUp.objects.filter(state="pending").exists():
            found.append("A payment is pending still.")
        there = sum(line.amount for line in self.cards.all("balance_transaction")) * CENT
        open_ = sum(Dispute.objects.filter(state="open").values_list("amount_microusd", flat=True))
        payouts = Payout.objects.exclude(state=PayoutState.FAILED)
        out = sum(payouts.values_list("amount_microusd", flat=True))
        outside = Account.objects.filter(kind=AccountKind.OUTSIDE).first()
        here = (-outside.balance_microusd if outside else 0) + out - open_
        if there != here:
            found.append(f"At Stripe lie {there}, here {here}.")
        sent = [one["amount"] - one["amount_reversed"] for one in self.hosts.transfers.values()]
        if sum(sent) * CENT != out or payouts.filter(state=PayoutState.PENDING).exists():
            found.append(f"Hosts were sent {sum(sent) * CENT}, here {out}.")
        return found
