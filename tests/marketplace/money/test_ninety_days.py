"""Ninety days of a small market, by a clock that nobody waits for, add up to what paper says.

On most days what runs is looked at from noon on for 611 seconds, and charged; every night at three
banks are asked, papers written, and everything is audited. All sums below can be followed with a
calculator.

A look proves the 300 seconds before it at most, and the newest seconds are proven by the next look.
So what runs through the days counts 610 seconds of its last day, 611 of each one before, and 300
before each noon but its first.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from pytest_django.fixtures import Settings

from marketplace.accounts.models import User
from marketplace.domain.money import MicroUsd
from marketplace.domain.paying_in import AutoTopUpRule
from marketplace.domain.pricing import PriceType
from marketplace.domain.spending import Period
from marketplace.ledger import queries as ledger
from marketplace.ledger.actions import hold, spend_limit
from marketplace.ledger.actions.grant_credit import grant_credit
from marketplace.ledger.models import Account, AuditRun
from marketplace.metering.actions.audit_money import audit_daily
from marketplace.papers import content
from marketplace.papers.actions.issue_invoices import issue_invoices
from marketplace.papers.actions.issue_receipts import issue_receipts
from marketplace.papers.models import Paper, PaperKind
from marketplace.payments.actions.set_auto_top_up import set_auto_top_up
from marketplace.payments.actions.top_up import top_up
from marketplace.payments.models import TopUp
from marketplace.payouts.models import Payout
from marketplace.rentals.actions import bid, end, stop
from marketplace.rentals.models import Rental
from tests.marketplace.money import books, metered
from tests.marketplace.money.banks import CENT, Banks
from tests.marketplace.money.metered import Agreed
from tests.marketplace.money.site import DISK_BYTES, STORAGE, Complaints, Site
from tests.marketplace.scene import NOW

KEPT_FOR_S = 20 * 86_400
DAYS, DAY = 90, timedelta(days=1)
USD = 1_000_000
#: for a second: $3.60 an hour on demand, $2.16 reserved; bids of $3.60 and then $5.40 for two CPUs
ON_DEMAND, RESERVED, BID, RAISED = 1000, 600, 1000, 1500
#: Alice rents every second day; every sixth one she bids as well, and raises her bid after 300 s
RENTED = 610 * ON_DEMAND
BIDDEN = 300 * BID + 310 * RAISED
#: Bob reserves ten days, and then thirty that he ends on their fifth: these cost what they had on
#: demand
TERM = (10 * 611 + 9 * 300) * RESERVED
BROKEN_OFF = (4 * 611 + 610 + 4 * 300) * ON_DEMAND
#: the fifth day he stops another one, which is kept until its 20 days are over. Its disk counts
#: with each look: on 13 days 300 + 611 seconds.
KEPT_MS = 13 * (300 + 611) * 1000
KEPT = STORAGE * DISK_BYTES * KEPT_MS // (10**9 * 30 * 24 * 3_600_000)
#: and one day of May
BOB = TERM + BROKEN_OFF + 2 * RENTED + KEPT
#: of $5 of credit until the fourth day: two days, and what the first bid cost
CREDIT, CREDIT_SPENT = 5 * USD, 2 * RENTED + BIDDEN
FIRST_PAID_IN, AUTO, AUTO_BELOW, AUTO_MONTH = 20 * USD, 5 * USD, 15 * USD, 10 * USD
MARCH, APRIL = (datetime(2026, month, 1, tzinfo=UTC) for month in (3, 4))


def noon(day: int) -> datetime:
    """Return when the market is awake on a day, the first being 0."""
    return NOW + day * DAY


def spent(day: int) -> int:
    """Return what Alice uses on a day."""
    return (RENTED if day % 2 == 0 else 0) + (BIDDEN if day % 6 == 2 else 0)


def is_awake(day: int) -> bool:
    """Say whether anything is looked at on a day."""
    return day % 2 == 0 or 1 <= day <= 11 or 32 <= day <= 36


class Simulation:
    """Alice's, Bob's and Charlie's ninety days."""

    def __init__(self, banks: Banks, alice: User, bob: User, charlie: User) -> None:
        self.site, self.banks, self.alice, self.bob = Site([alice, bob], charlie), banks, alice, bob
        banks.take_on(charlie, NOW)
        for renter, dollars in ((alice, 20), (bob, 5000)):
            banks.give_card(renter, NOW)
            banks.deliver(list(range(9)), NOW)
            banks.run_passes(NOW)
            amount = MicroUsd(dollars * USD)
            top_up(user_id=renter.pk, amount_microusd=amount, cause=f"in:{renter.pk}", now=NOW)
        rule = AutoTopUpRule(MicroUsd(AUTO_BELOW), MicroUsd(AUTO), MicroUsd(AUTO_MONTH))
        set_auto_top_up(user_id=alice.pk, rule=rule)
        grant_credit(
            user_id=alice.pk,
            amount_microusd=MicroUsd(CREDIT),
            expires_at=noon(3) - timedelta(hours=1),
            cause="welcome",
            now=NOW,
        )

    def play(self) -> None:
        """Let the days go by."""
        for day in range(DAYS):
            self.wait_until(noon(day))
            if is_awake(day):
                self.be_awake(day)
            self.wait_until(noon(day) + timedelta(hours=15))
            self.night()
        self.wait_until(noon(DAYS))

    def be_awake(self, day: int) -> None:
        """Rent, look and charge for 611 seconds; what is to end does so after 610."""
        ends = [*self.alices_day(day), *self.bobs_day(day)]
        self.look(0)
        self.look(300)
        if day % 6 == 2:
            self.raise_bid()
        self.look(300)
        self.look(10)
        for rental in ends:
            over = stop.stop if rental.lease_s == KEPT_FOR_S else end.end
            over(rental_id=rental.id, renter_id=rental.renter_id, now=self.site.now)
        self.look(1)

    def look(self, after_s: int) -> None:
        """Hear the machine twice, as its word is dated by the answer before; look, and charge."""
        self.site.pass_time(after_s)
        self.site.hear()
        self.site.hear()
        self.site.look_at_doors()
        self.site.run_passes()

    def wait_until(self, at: datetime) -> None:
        self.site.pass_time((at - self.site.now).total_seconds())
        self.banks.cards.at = at.timestamp()

    def alices_day(self, day: int) -> Iterator[Rental]:
        """Begin what Alice rents on a day, and yield what is to end at its end."""
        if day % 2 == 0:
            yield self.rent(0, 1, Agreed(ON_DEMAND * 3600), lease_s=3600)
        if day % 6 == 2:
            bidding = Agreed(BID * 3600, prices={RAISED * 3600})
            yield self.rent(0, 2, bidding, lease_s=3600, bid_microusd=BID * 3600)

    def bobs_day(self, day: int) -> Iterator[Rental]:
        """Do what Bob does on this day alone, and yield what is to stop or end at its end."""
        match day:
            case 1:
                self.reserve(days=10)
            case 2:
                self.set_aside(MicroUsd(10 * USD), until=self.site.now + 7 * DAY)
            case 4:
                kept = Agreed(ON_DEMAND * 3600, storage=STORAGE, disk_bytes=DISK_BYTES)
                yield self.rent(1, 1, kept, lease_s=KEPT_FOR_S)
            case 9:
                # What he set aside is back before anybody asks.
                self.site.run_passes()
                self.bob_has_all_but_what_his_rentals_hold()
            case 32:
                self.limit_month(1600 * USD)
                self.reserve(days=30)
            case 34:
                # $1555.20 of this month's $1600 are set aside, and 20 hours want $72.
                asked = {"lease_s": 72_000, "agreed": Agreed(ON_DEMAND * 3600)}
                assert self.site.rent(1, cpus=1, **asked) is None
                assert self.site.tally["refused: spend_limit_reached"] == 1
            case 36:
                yield Rental.objects.get(price_type=PriceType.RESERVED, started_at=noon(32))
            case 62:
                # Another month.
                yield self.rent(1, 1, Agreed(ON_DEMAND * 3600), lease_s=72_000)

    def reserve(self, *, days: int) -> None:
        term = Agreed(RESERVED * 3600, on_demand=ON_DEMAND * 3600, term_microusd=10**12)
        self.rent(1, 1, term, lease_s=days * 86_400, price_type=PriceType.RESERVED)

    def set_aside(self, amount: MicroUsd, *, until: datetime) -> None:
        now = self.site.now
        hold.place(
            user_id=self.bob.pk, amount_microusd=amount, cause="aside", expires_at=until, now=now
        )

    def bob_has_all_but_what_his_rentals_hold(self) -> None:
        opened = Rental.objects.filter(renter=self.bob, meter__closed_at=None)
        holds = [ledger_account.balance_microusd for ledger_account in Account.objects.filter(
            hold__meter__rental__in=opened
        )]  # fmt: skip
        assert ledger.held(self.bob.pk) == sum(holds) > 0

    def limit_month(self, most_microusd: int) -> None:
        spend_limit.set_limit(
            user_id=self.bob.pk,
            period=Period.MONTH,
            limit_microusd=most_microusd,
            now=self.site.now,
        )

    def rent(self, who: int, cpus: int, agreed: Agreed, **asked: object) -> Rental:
        rental = self.site.rent(who, cpus=cpus, agreed=agreed, **asked)
        assert rental is not None, self.site.tally
        return rental

    def raise_bid(self) -> None:
        bidding = Rental.objects.filter(price_type=PriceType.INTERRUPTIBLE).latest("started_at")
        bid.bid(
            rental_id=bidding.id,
            renter_id=self.alice.pk,
            bid_microusd=RAISED * 3600,
            now=self.site.now,
        )

    def night(self) -> None:
        """Do what a site does while people sleep."""
        now = self.site.now
        self.banks.run_passes(now)
        for reference in self.banks.hosts.accounts:
            self.banks.hosts.pay_out(reference)
        issue_invoices(now=now)
        issue_receipts(now=now)
        assert audit_daily(now=now) == 0


def alices_wallet() -> tuple[int, list[datetime], int]:
    """Return what Alice has left by her own account, when her card was asked, and on how many
    nights it was not, as her month was used up.
    """
    wallet, asked, spared = FIRST_PAID_IN + CREDIT_SPENT, [], 0
    for day in range(DAYS):
        wallet -= spent(day)
        night = noon(day) + timedelta(hours=15)
        this_month = sum(AUTO for at in asked if (at.year, at.month) == (night.year, night.month))
        if wallet < AUTO_BELOW and this_month + AUTO <= AUTO_MONTH:
            wallet += AUTO
            asked.append(night)
        elif wallet < AUTO_BELOW:
            spared += 1
    return wallet, asked, spared


def payouts_due() -> list[tuple[datetime, int]]:
    """Return what each Friday pays by what was earned until then: docs/money.md, on paper."""
    earned = [
        (_utc(at), int(amount))
        for at, amount in books.rows(
            "SELECT transfer.at, amount_microusd FROM ledger_transfer AS transfer"
            " JOIN ledger_account AS account ON account.id = transfer.credit_id"
            " WHERE account.kind = 'earnings' ORDER BY transfer.id"
        )
    ]
    found: list[tuple[datetime, int]] = []
    # 6 March is the first Friday.
    for friday in (datetime(2026, 3, 6, tzinfo=UTC) + timedelta(weeks=week) for week in range(13)):
        ages = [(friday - at, amount) for at, amount in earned if at < friday]
        young = sum(amount for age, amount in ages if age < timedelta(days=7))
        recent = sum(amount for age, amount in ages if age < timedelta(days=30)) - young
        balance = sum(amount for _, amount in ages) - sum(amount for _, amount in found)
        free = balance - young - -(-recent // 10)
        cents = free // CENT * CENT
        if cents >= USD:
            found.append((friday, cents))
    return found


def _utc(at: datetime | str) -> datetime:
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def numbers(kind: PaperKind) -> Sequence[int]:
    """Return the serial numbers of the papers of a kind."""
    return list(Paper.objects.filter(kind=kind).order_by("serial").values_list("serial", flat=True))


def invoices(renter: User) -> dict[datetime, int]:
    """Return the renter's invoices, whose lines add up, by month."""
    found = {}
    for paper in Paper.objects.filter(kind=PaperKind.INVOICE, user=renter).order_by("serial"):
        lines = sum(line.microusd for line in content.read(paper.content).lines)
        assert lines == paper.total_microusd
        assert paper.month is not None
        found[paper.month] = paper.total_microusd
    return found


def test_ninety_days_add_up_to_what_paper_says(
    banks: Banks, alice: User, bob: User, charlie: User, settings: Settings, complaints: Complaints
) -> None:
    settings.PAYOUT_HOLD_DAYS = 7
    banks.clear(NOW)
    simulation = Simulation(banks, alice, bob, charlie)
    simulation.play()
    site = simulation.site

    # What renters have, by their own accounts of what they used.
    used = sum(spent(day) for day in range(DAYS))
    assert used == 45 * RENTED + 15 * BIDDEN == 38_925_000
    wallet, asked, spared = alices_wallet()
    assert ledger.balance(alice.pk) == wallet
    assert [*TopUp.objects.filter(automatic=True).order_by("created_at").values_list(
        "created_at", flat=True
    )] == asked  # fmt: skip
    assert len(asked) > 2 < spared
    assert ledger.balance(bob.pk) == 5000 * USD - BOB
    assert ledger.held(alice.pk) == ledger.held(bob.pk) == 0
    for renter in (alice, bob):
        lines = ledger.statement(renter.pk, 1000)
        assert lines[0].total_microusd == ledger.balance(renter.pk)
        assert sum(line.amount_microusd for line in lines) == ledger.balance(renter.pk)
    ended = books.rows("SELECT sum(amount_microusd) FROM ledger_transfer WHERE kind = 'expiry'")
    assert ended == [(CREDIT - CREDIT_SPENT,)]

    # What the host and the site earned: 5 % of each sum, rounded down.
    fees = sum(part * 5 // 100 for part in (used, BOB - KEPT, KEPT))
    fee_rows = books.rows("SELECT sum(amount_microusd) FROM ledger_transfer WHERE kind = 'fee'")
    assert fee_rows == [(fees,)]
    paid_out = [(one.week, one.amount_microusd) for one in Payout.objects.order_by("week")]
    due = payouts_due()
    assert paid_out == [(friday.date(), amount) for friday, amount in due]
    assert len(due) == 12
    assert set(Payout.objects.values_list("state", flat=True)) == {"paid"}
    assert ledger.earned(charlie.pk) == used + BOB - fees - sum(amount for _, amount in due)

    # What the papers say.
    march = sum(spent(day) for day in range(31))
    april = sum(spent(day) for day in range(31, 61))
    assert invoices(alice) == {MARCH: march, APRIL: april}
    assert invoices(bob) == {
        MARCH: TERM + RENTED + KEPT,
        APRIL: BROKEN_OFF,
    }
    assert numbers(PaperKind.INVOICE) == [1, 2, 3, 4]
    assert numbers(PaperKind.RECEIPT) == [*range(1, 3 + len(asked))]

    # What the books and the banks say.
    assert AuditRun.objects.count() == DAYS
    assert not AuditRun.objects.exclude(problems=[]).exists()
    assert [*books.problems()] == []
    assert [*metered.problems(site.box, site.agreed, settings.FEE_PPM)] == []
    banks.settle(site.now)
    assert banks.problems() == []
