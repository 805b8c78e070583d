"""Somebody who has many of each thing, for lists that show them."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from marketplace.accounts.actions import issue_api_key, make_team
from marketplace.accounts.models import SshKey, User
from marketplace.domain.delivered import Effect
from marketplace.domain.oversight import ActKind
from marketplace.endpoints.actions import create as endpoints
from marketplace.jobs.actions import run as jobs
from marketplace.notices.actions.notify import notify
from marketplace.notices.models import WebHook
from marketplace.offers.actions.list_offer import list_offer
from marketplace.oversight.models import Announcement
from marketplace.oversight.record import record as record_act
from marketplace.papers.content import made_out
from marketplace.papers.models import Paper
from marketplace.payments.models import Dispute, TopUp
from marketplace.payouts.models import Payout, PayoutAccount
from marketplace.rentals.models import Rental, RentalProof, RentalReport
from marketplace.templates.actions.save import save
from marketplace.verification.models import Appeal, Validator
from marketplace.volumes.models import Volume
from protocol.hardware import Resources
from tests.marketplace import scene
from tests.marketplace.rentals.market import Market


@dataclass
class Rows:
    """Who has what the lists show, and adds one more of it."""

    user: User
    account: PayoutAccount

    def template(self, number: int) -> str:
        """Add a public template of somebody else's."""
        other = scene.user("other@example.org")
        parts: Any = {"image": f"row{number}:1"}
        save(owner_id=other.pk, name=f"t{number}", parts=parts, note="", public=True, now=scene.NOW)
        return f"row{number}:1"

    def machine(self, number: int) -> str:
        """Add a machine with its offer."""
        made = scene.machine(host=self.user)
        list_offer(machine_id=made.id, now=scene.NOW)
        return str(made.id)

    def volume(self, number: int) -> str:
        """Add a volume, each on another machine."""
        Volume.objects.create(
            renter=self.user,
            machine=scene.machine(),
            name=f"row{number}",
            size_bytes=scene.GIB,
            created_at=scene.after(number // 3),
        )
        return f"row{number}"

    def rental(self, number: int) -> str:
        """Add a rental, each on another machine."""
        return str(Market.open(scene.user()).rent(self.user).id)

    def report(self, number: int) -> str:
        """Add a report of a rental that was answered; some at the same moment."""
        made = Rental.objects.filter(renter=self.user, reports__isnull=False).first()
        return _report(made or Market.open(scene.user()).rent(self.user), number)

    def taken(self, number: int) -> str:
        """Add what staff gave back out of the user's earnings; some at the same moment."""
        hosted = Rental.objects.filter(meter__host=self.user).first()
        return _report(hosted or Market.open(self.user).rent(self.user), number, host_microusd=1)

    def endpoint(self, number: int) -> str:
        """Add an endpoint that finds no machine."""
        resources = Resources.of(cpus=64, ram_bytes=scene.GIB, disk_bytes=2 * scene.GIB)
        asked = endpoints.Asked(
            f"row{number}", {"image": "debian:12"}, 8000, resources, "", 1, 1_000_000
        )
        endpoints.create(renter_id=self.user.pk, asked=asked, now=scene.NOW)
        return f"row{number}"

    def notice(self, number: int) -> str:
        """Add a notice."""
        told: Any = {"kind": "balance_low", "text": "", "data": {}, "now": scene.NOW}
        notify(user_id=self.user.pk, cause=str(number), title=f"row{number}", **told)
        return f"row{number}"

    def hook(self, number: int) -> str:
        """Add a web hook."""
        url = f"https://example.com/row{number}"
        WebHook.objects.create(user=self.user, url=url, created_at=scene.NOW, tried_at=scene.NOW)
        return url

    def ssh_key(self, number: int) -> str:
        """Add an SSH key."""
        told = {"public_key": "ssh-ed25519 AAAA", "created_at": scene.NOW}
        SshKey.objects.create(
            user=self.user, name=f"row{number}", fingerprint=f"SHA256:{number}", **told
        )
        return f"row{number}"

    def api_key(self, number: int) -> str:
        """Add an API key."""
        issue_api_key.issue(user_id=self.user.pk, name=f"row{number}", now=scene.NOW)
        return f"row{number}"

    def paper(self, number: int) -> str:
        """Add an invoice; some were issued at the same moment."""
        told = made_out(user_id=self.user.pk, lines=(), about="Usage")
        paper = Paper.objects.create(
            user=self.user,
            kind="invoice",
            serial=number + 1,
            month=datetime(2025, number + 1, 1, tzinfo=UTC),
            total_microusd=1,
            content=asdict(told),
            issued_at=scene.after(number // 3),
        )
        return str(paper.number)

    def payment(self, number: int) -> str:
        """Add a payment that was refused; some at the same moment."""
        at = scene.after(number // 3)
        made = TopUp.objects.create(
            user=self.user, amount_microusd=1_000_000, state="refused", reason=f"row{number}",
            gateway="test", cause=str(number), created_at=at, ask_at=at,
        )  # fmt: skip
        return str(made.id)

    def payout(self, number: int) -> str:
        """Add a payout; some at the same moment."""
        made = Payout.objects.create(
            host=self.user, account=self.account, week=datetime(2026, 1, number + 1).date(),  # noqa: DTZ001
            amount_microusd=1_000_000, sink="outside", state="paid", reference=f"row{number}",
            created_at=scene.after(number // 3),
        )  # fmt: skip
        return str(made.id)

    def person(self, number: int) -> str:
        """Add somebody."""
        return User.objects.create_user(f"row{number}@example.org").email

    def act(self, number: int) -> str:
        """Add a privileged act."""
        told: Any = {"by_id": self.user.pk, "by_name": "Ada", "reason": "why", "now": scene.NOW}
        with transaction.atomic():
            record_act(kind=ActKind.BAN, subject=f"row{number}", **told)
        return f"row{number}"

    def job(self, number: int) -> str:
        """Add a job, each on another machine; all began at the same moment."""
        asked = jobs.Asked(
            offer_id=Market.open(scene.user()).offer.id, parts={"image": "debian:12"}, inputs=(),
            resources=Resources.of(cpus=1, ram_bytes=scene.GIB, disk_bytes=2 * scene.GIB),
            run_limit_s=60, outputs_bytes_max=1,
        )  # fmt: skip
        key = str(number)
        return str(
            jobs.run(renter_id=self.user.pk, asked=asked, idempotency_key=key, now=scene.NOW).pk
        )

    def to_do(self, number: int) -> str:
        """Add one of each that staff decides: a report, a proof, an appeal and a dispute."""
        rental = Market.open(scene.user()).rent(self.user)
        at = scene.after(number // 3)
        RentalReport.objects.create(
            rental=rental, renter_id=self.user.pk, what="other", text="x", made_at=at
        )
        RentalProof.objects.create(
            rental=rental, asked_at=at, expires_at=at, counted_at=at, effect=Effect.DISPUTED
        )
        machine = rental.placement.machine
        Appeal.objects.create(machine=machine, text=f"row{number}", made_at=at)
        paid = TopUp.objects.create(
            user=scene.user(), amount_microusd=1_000_000, state="paid", gateway="test",
            cause=str(number), created_at=at, ask_at=at,
        )  # fmt: skip
        Dispute.objects.create(
            id=f"dp_{number}", top_up=paid, amount_microusd=1, opened_at=at, ask_at=at
        )
        return f"row{number}"

    def validator(self, number: int) -> str:
        """Add a validator."""
        told = {"hotkey": str(number), "admitted_at": scene.NOW}
        return Validator.objects.create(name=f"row{number}", **told).name

    def announcement(self, number: int) -> str:
        """Add what every page says."""
        return Announcement.objects.create(
            text=f"row{number}", at=scene.NOW, until=scene.after(3600)
        ).text

    def team(self, number: int) -> str:
        """Add a team; a person makes few of them in a day."""
        now = scene.after(number * 86_400)
        return make_team.make(person_id=self.user.pk, name=f"row{number}", now=now).team_name


def _report(rental: Rental, number: int, host_microusd: int = 0) -> str:
    at = scene.after(number // 3)
    RentalReport.objects.create(
        rental=rental, renter_id=rental.renter_id, what="other", text="x", made_at=at,
        state="credited", closed_at=at, answer=f"row{number}", credited_microusd=1,
        host_microusd=host_microusd,
    )  # fmt: skip
    return f"row{number}"
