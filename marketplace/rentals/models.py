"""This will store what a renter agreed to; what became of it is the placement's and meter's."""

import uuid

from django.conf import settings
from django.db import models

from marketplace.domain.delivered import Effect
from marketplace.domain.funding import Funding
from marketplace.domain.metered import Priced
from marketplace.domain.money import PPM
from marketplace.domain.oversight import REASON_LENGTH_MAX
from marketplace.domain.price_proposal import WAITING, ProposalState
from marketplace.domain.pricing import PriceType
from marketplace.domain.rental_proof import ProofState
from marketplace.domain.rental_report import (
    TEXT_LENGTH_MAX,
    Payer,
    ReportState,
    Wrong,
)
from marketplace.metering.models import Meter
from marketplace.offers.models import Offer
from marketplace.placements.models import Placement
from marketplace.rentals.names import NAME_LENGTH_MAX, called
from marketplace.verification.models import Validator


class Rental(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    renter = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="rentals"
    )
    offer = models.ForeignKey(Offer, on_delete=models.PROTECT, related_name="rentals")
    #: what its renter calls it, for them alone; empty: it has none
    name = models.CharField(max_length=NAME_LENGTH_MAX, blank=True, default="", db_default="")
    placement = models.OneToOneField(Placement, on_delete=models.PROTECT, related_name="rental")
    meter = models.OneToOneField(Meter, on_delete=models.PROTECT, related_name="rental")
    price_type = models.CharField(
        max_length=16, choices=[(t.value, t.value) for t in PriceType], default=PriceType.ON_DEMAND
    )
    #: that is agreed on; a change may wait for its moment in the meter (actions/reprice.py)
    price_hour_microusd = models.BigIntegerField(default=0)
    #: milliseconds since its start at which that price begins to hold, and the most that all before
    #: can have cost, with its traffic
    priced_from_ms = models.BigIntegerField(default=0)
    priced_from_microusd = models.BigIntegerField(default=0)
    #: what an hour cost at its start without a discount or a bid
    on_demand_hour_microusd = models.BigIntegerField(default=0)
    #: of its machine's smallest GPU, as the offer said at its start: its own are no less, nor are
    #: those that a later start gives it
    gpu_model = models.CharField(max_length=200, blank=True, default="", db_default="")
    gpu_vram_bytes = models.BigIntegerField(default=0, db_default=0)
    #: domain.delivered.Figures of its machine at its start; empty: nobody had measured any
    listed = models.JSONField(default=dict)
    #: how much of that is paid for, in millionths of the price; a proof may lower it
    delivered_ppm = models.PositiveIntegerField(default=PPM)
    #: until then that proof speaks; None: all is paid for
    delivered_until = models.DateTimeField(null=True)
    #: the charged milliseconds at the newest proof that counted: the next one speaks for later ones
    delivered_from_ms = models.BigIntegerField(default=0)
    #: its renter ended a reservation early, so that it costs what it had on demand; None: not so
    discount_lost_at = models.DateTimeField(null=True)
    #: None: bounded by the dollar cap alone
    lease_s = models.PositiveIntegerField(null=True)
    #: None: bounded by the lease alone
    cap_microusd = models.BigIntegerField(null=True)
    #: the most that it can cost: held from the wallet, or renewed up to it (actions/fund.py)
    worst_total_microusd = models.BigIntegerField()
    funding = models.CharField(
        max_length=8, choices=[(f.value, f.value) for f in Funding], default=Funding.WHOLE
    )
    #: when what is set aside for it is looked at again (actions/renew.py); None: never
    fund_due_at = models.DateTimeField(null=True, db_index=True)
    #: it ends then, with its files, unless money comes before; None: money is there
    files_until = models.DateTimeField(null=True, db_index=True)
    #: the same key and request return the same rental
    idempotency_key = models.CharField(max_length=200)
    #: sha256 of the request that the key was first used with
    request_digest = models.CharField(max_length=64)
    started_at = models.DateTimeField()
    #: the renter took it off their list
    forgotten_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=("renter", "idempotency_key"), name="rental_once_per_key"
            ),
            models.CheckConstraint(
                condition=models.Q(lease_s__isnull=False) | models.Q(cap_microusd__isnull=False),
                name="rental_has_a_limit",
            ),
        ]
        indexes = [
            models.Index(fields=("renter", "-started_at"), name="rental_by_renter"),
            models.Index(fields=("-started_at", "id"), name="rental_newest"),
            models.Index(
                fields=("delivered_until",),
                condition=models.Q(delivered_until__isnull=False),
                name="rental_lowered",
            ),
        ]

    def __str__(self) -> str:
        return f"rental {self.id}"

    @property
    def called(self) -> str:
        """Return what its renter knows it by."""
        return called(self.id, self.name)

    @property
    def priced(self) -> Priced:
        """Return what it costs at most, by the milliseconds since its start."""
        return Priced(self.price_hour_microusd, self.priced_from_ms, self.priced_from_microusd)


class PriceProposal(models.Model):
    """A higher price that a host asks of a rental; without its renter's yes the old one holds."""

    rental = models.ForeignKey(Rental, on_delete=models.PROTECT, related_name="proposals")
    price_hour_microusd = models.BigIntegerField()
    #: no second before costs more, however soon it is accepted
    from_at = models.DateTimeField()
    state = models.CharField(
        max_length=16,
        choices=[(s.value, s.value) for s in ProposalState],
        default=ProposalState.OPEN,
    )
    proposed_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="price_proposal_one_waits",
                fields=["rental"],
                condition=models.Q(state__in=WAITING),
            )
        ]

    def __str__(self) -> str:
        return f"price proposal {self.pk} of {self.rental_id}"


class Extension(models.Model):
    """Higher limits that a renter asked for once."""

    rental = models.ForeignKey(Rental, on_delete=models.PROTECT, related_name="extensions")
    #: the same key and request extend once
    idempotency_key = models.CharField(max_length=200)
    #: sha256 of the request that the key was first used with
    request_digest = models.CharField(max_length=64)
    #: the limits from then on, as in Rental
    lease_s = models.PositiveIntegerField(null=True)
    cap_microusd = models.BigIntegerField(null=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=("rental", "idempotency_key"), name="extension_once_per_key"
            )
        ]

    def __str__(self) -> str:
        return f"extension {self.pk} of {self.rental_id}"


class Failover(models.Model):
    """The wish that another machine takes a rental over which does not come up."""

    rental = models.OneToOneField(
        Rental, on_delete=models.CASCADE, primary_key=True, related_name="failover"
    )
    #: of the other machine, at most
    price_hour_microusd_max = models.BigIntegerField()
    #: of the first rental, and which one in the row of them this is, from 1 on
    first_started_at = models.DateTimeField()
    machines = models.PositiveSmallIntegerField(default=1)
    #: traffic that is paid for at most
    traffic_bytes_max = models.BigIntegerField(default=0)
    #: protocol.agent.RegistryLogin, encrypted; empty: none, or nobody needs one any more
    registry_login = models.TextField(blank=True, default="")
    #: when it came up, was taken over, or could not be; None: none of them yet
    settled_at = models.DateTimeField(null=True, blank=True)
    #: what took its place; None: nothing
    successor = models.OneToOneField(
        Rental, on_delete=models.PROTECT, null=True, related_name="predecessor"
    )
    #: why no other machine did, such as no_offer; empty: one did, or none was needed
    problem_code = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        indexes = [
            models.Index(
                fields=("rental",), condition=models.Q(settled_at=None), name="failover_unsettled"
            )
        ]

    def __str__(self) -> str:
        return f"failover of {self.rental_id}"


class IdleRule(models.Model):
    """When a rental stops by itself, its files kept, as nobody uses it."""

    rental = models.OneToOneField(Rental, on_delete=models.CASCADE, related_name="idle_rule")
    after_s = models.PositiveIntegerField()
    #: of its busiest GPU, or without a GPU of its cores together
    below_percent = models.PositiveSmallIntegerField()
    #: what was idle before does not count
    set_at = models.DateTimeField()
    #: by the newest check; None: it is in use, or nobody knows
    idle_since = models.DateTimeField(null=True, db_index=True)
    checked_at = models.DateTimeField(null=True, db_index=True)

    def __str__(self) -> str:
        return f"idle rule of {self.rental_id}"


class RentalProof(models.Model):
    """One proof that a renter asked for inside a rental; a validator leads it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    rental = models.ForeignKey(Rental, on_delete=models.CASCADE, related_name="proofs")
    state = models.CharField(
        max_length=16, choices=[(s.value, s.value) for s in ProofState], default=ProofState.ASKED
    )
    asked_at = models.DateTimeField()
    #: it is unfinished after this, whoever still talks
    expires_at = models.DateTimeField()
    #: None: nobody took it yet
    validator = models.ForeignKey(
        Validator, on_delete=models.PROTECT, null=True, related_name="rental_proofs"
    )
    #: why it did not pass, one sentence; empty: it did, or goes on
    detail = models.CharField(max_length=300, blank=True, default="")
    #: protocol.rental_proof.SignedRentalProofReport as it was sent; null: there is none
    signed = models.JSONField(null=True)
    ended_at = models.DateTimeField(null=True)
    #: what it means for the price; empty: it was not looked at, or did not pass
    effect = models.CharField(
        max_length=16, choices=[(e.value, e.value) for e in Effect], blank=True, default=""
    )
    #: of what was listed; None: nobody can say
    delivered_ppm = models.PositiveIntegerField(null=True)
    #: of what was charged, given back for it
    returned_microusd = models.BigIntegerField(default=0)
    #: when that was decided; None: it was not
    counted_at = models.DateTimeField(null=True, db_index=True)
    #: characters that each side has put into the mailbox
    sent_by_renter = models.PositiveIntegerField(default=0)
    sent_by_validator = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="rental_proof_once_at_a_time",
                fields=["rental"],
                condition=models.Q(ended_at=None),
            )
        ]
        indexes = [
            models.Index(fields=("rental", "-asked_at"), name="rental_proof_newest"),
            models.Index(
                fields=("expires_at",),
                name="rental_proof_open",
                condition=models.Q(ended_at=None),
            ),
            models.Index(
                fields=("ended_at",),
                name="rental_proof_uncounted",
                condition=models.Q(state=ProofState.PASSED, counted_at=None),
            ),
            models.Index(
                fields=("ended_at",),
                name="rental_proof_doubted",
                condition=models.Q(effect=Effect.UNCONFIRMED),
            ),
        ]

    def __str__(self) -> str:
        return f"proof {self.id} {self.state}"


class ProofLine(models.Model):
    """One line in a proof's mailbox; gone when the proof has ended."""

    proof = models.ForeignKey(RentalProof, on_delete=models.CASCADE, related_name="lines")
    by_validator = models.BooleanField()
    #: from 0, in order
    number = models.PositiveIntegerField()
    text = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="proof_line_once", fields=["proof", "by_validator", "number"]
            )
        ]

    def __str__(self) -> str:
        return f"line {self.number} of {self.proof_id}"


class RentalReport(models.Model):
    """What a renter says was wrong with a rental, and what staff answered."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    rental = models.ForeignKey(Rental, on_delete=models.PROTECT, related_name="reports")
    #: of the rental, beside it: their reports are listed by when they were made
    renter = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="rental_reports"
    )
    what = models.CharField(max_length=16, choices=[(w.value, w.value) for w in Wrong])
    #: empty: its renter deleted their account
    text = models.CharField(max_length=TEXT_LENGTH_MAX, blank=True)
    #: None: no money is asked for
    asked_microusd = models.BigIntegerField(null=True)
    state = models.CharField(
        max_length=16, choices=[(s.value, s.value) for s in ReportState], default=ReportState.OPEN
    )
    made_at = models.DateTimeField()
    #: when it was withdrawn or answered; None: it waits
    closed_at = models.DateTimeField(null=True)
    #: why, as its renter reads it; empty: nobody answered it
    answer = models.CharField(max_length=REASON_LENGTH_MAX, blank=True, default="")
    #: what came back, who was to pay it, and what of it came out of the host's earnings
    credited_microusd = models.BigIntegerField(default=0)
    payer = models.CharField(
        max_length=8, choices=[(p.value, p.value) for p in Payer], blank=True, default=""
    )
    host_microusd = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="rental_report_one_waits",
                fields=["rental"],
                condition=models.Q(state=ReportState.OPEN),
            ),
            models.CheckConstraint(
                name="rental_report_open_or_closed",
                condition=models.Q(state=ReportState.OPEN, closed_at=None)
                | (~models.Q(state=ReportState.OPEN) & models.Q(closed_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="rental_report_credit",
                condition=models.Q(credited_microusd=0, host_microusd=0)
                | models.Q(
                    state=ReportState.CREDITED,
                    host_microusd__gte=0,
                    credited_microusd__gte=models.F("host_microusd"),
                ),
            ),
        ]
        indexes = [
            models.Index(fields=("renter", "-made_at"), name="rental_report_of_renter"),
            models.Index(
                fields=("made_at", "id"),
                name="rental_report_waiting",
                condition=models.Q(state=ReportState.OPEN),
            ),
            # What staff read of others about one machine, and a host of what was taken: the newest
            # are read until enough of them are found.
            models.Index(fields=("-made_at", "id"), name="rental_report_newest"),
            models.Index(
                fields=("-closed_at", "id"),
                name="rental_report_taken",
                condition=models.Q(host_microusd__gt=0),
            ),
        ]

    def __str__(self) -> str:
        return f"report {self.id} {self.state}"
