"""This will prepare people, payments, rentals and machines for the console."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from marketplace.accounts.models import User
from marketplace.accounts.queries import is_deleted
from marketplace.console.person import Person
from marketplace.domain.money import format_usd
from marketplace.domain.placement import PlacementState
from marketplace.domain.standing import StandingState
from marketplace.machines.models import Machine
from marketplace.pages import wording
from marketplace.pages.shown import acts
from marketplace.pages.shown.machine import STATES as STANDS
from marketplace.pages.shown.moment import Moment
from marketplace.pages.shown.payment import STATES
from marketplace.payments.models import TopUp, TopUpState
from marketplace.rentals.models import Rental
from marketplace.verification.models import MachineStanding

#: of placements, which staff see by their own names
TONES = {
    PlacementState.RUNNING: "good",
    PlacementState.FAILED: "bad",
    PlacementState.REFUSED: "bad",
    PlacementState.STOPPED: "idle",
    PlacementState.RELEASED: "idle",
}


@dataclass(frozen=True, slots=True)
class PersonLine:
    email: str
    url: str
    state: str
    tone: str
    joined: Moment
    last_in: Moment


@dataclass(frozen=True, slots=True)
class PaymentLine:
    at: Moment
    url: str
    amount: str
    detail: str
    state: str
    tone: str


@dataclass(frozen=True, slots=True)
class RentalLine:
    id: str
    at: Moment
    image: str
    renter: str
    renter_url: str
    url: str
    machine: str
    machine_url: str
    state: str
    tone: str
    reason: str
    charged: str


@dataclass(frozen=True, slots=True)
class MachineLine:
    id: str
    title: str
    address: str
    #: its host
    host: str
    host_url: str
    online: str
    tone: str
    #: as it was noted last
    stands: str
    stands_tone: str
    seen: Moment
    url: str


def person_line(user: User) -> PersonLine:
    """Return one person of a list."""
    state, tone = ("Active", "good") if user.is_active else ("Banned", "bad")
    if is_deleted(user):
        state, tone = "Deleted", "idle"
    return PersonLine(
        email=user.shown,
        url=person_url(user.pk),
        state=state,
        tone=tone,
        joined=Moment.of(user.date_joined),
        last_in=Moment.of(user.last_login),
    )


def person_url(user_id: int) -> str:
    """Return the address of a person's page."""
    return f"/console/people/{user_id}/"


def machine_url(machine_id: UUID) -> str:
    """Return the address of a machine's page for staff."""
    return f"/console/machines/{machine_id}/"


def rental_url(rental_id: UUID) -> str:
    """Return the address of a rental's page for staff."""
    return f"/console/rentals/{rental_id}/"


def person(found: Person) -> dict[str, object]:
    """Return what the page of one person shows."""
    user = found.user
    return {
        "person": person_line(user),
        "user_id": user.pk,
        "is_team": user.is_team,
        "memberships": [
            (one.person.email, person_url(one.person_id), one.role)
            if user.is_team
            else (one.team.team_name, person_url(one.team_id), one.role)
            for one in found.memberships
        ],
        "facts": [("Is", "a team: nobody logs in as it")]
        if user.is_team
        else [
            ("Proven addresses", ", ".join(found.proven_emails) or "none"),
            ("Second step", "set" if found.has_second_step else "none"),
            ("Roles", ", ".join(found.roles) or ("operator" if user.is_superuser else "none")),
        ],
        "money": [
            ("Balance", format_usd(found.balance_microusd)),
            ("Set aside for rentals", format_usd(found.held_microusd)),
            ("Set aside for disputes", format_usd(found.frozen_microusd)),
            ("Earned, not paid out", format_usd(found.earned_microusd)),
        ],
        "works_here": bool(found.roles) or user.is_superuser,
        "has_second_step": found.has_second_step,
        "banned": not user.is_active and not is_deleted(user),
        "ban_reason": found.ban.reason if found.ban else "",
        "is_proven": user.email in found.proven_emails,
        "barred": bool(found.paying_in.payer and found.paying_in.payer.barred_at),
        "invoices": [
            (one.number, f"/console/invoices/?number={one.number}", f"{one.issued_at:%Y-%m-%d}")
            for one in found.invoices
        ],
        "payments": [payment_line(paid) for paid in found.paying_in.payments],
        "rentals": rental_lines(found.rentals),
        "machines": [machine_line(machine) for machine in found.machines],
        "lines": [acts.line(act) for act in found.acts],
    }


def payment_line(paid: TopUp) -> PaymentLine:
    """Return one payment of a list."""
    state, tone = STATES[TopUpState(paid.state)]
    return PaymentLine(
        at=Moment.of(paid.created_at),
        url=f"/console/payments/{paid.pk}/",
        amount=format_usd(paid.amount_microusd),
        detail=paid.reason or paid.card_text or paid.gateway,
        state=state,
        tone=tone,
    )


def rental_lines(rentals: Iterable[Rental]) -> list[RentalLine]:
    """Return rentals of a list."""
    return [_rental(rental) for rental in rentals]


def machine_line(machine: Machine) -> MachineLine:
    """Return one machine of a list, loaded with its host and what is noted of it."""
    noted: MachineStanding | None = getattr(machine, "standing", None)
    stands, stands_tone = STANDS[StandingState(noted.state) if noted else StandingState.NEW]
    gpus = f"{machine.gpus_total} × {machine.gpu_model}" if machine.gpus_total else ""
    return MachineLine(
        id=str(machine.id),
        title=gpus or machine.cpu_model or wording.count(machine.cpus_total, "CPU"),
        address=machine.address,
        host=machine.host.shown,
        host_url=person_url(machine.host_id),
        stands=stands,
        stands_tone=stands_tone,
        online="Online" if machine.online else "Away",
        tone="good" if machine.online else "warn",
        seen=Moment.of(machine.last_seen_at),
        url=machine_url(machine.id),
    )


def _rental(rental: Rental) -> RentalLine:
    placement = rental.placement
    return RentalLine(
        id=str(rental.id),
        at=Moment.of(rental.started_at),
        image=str(placement.workload.get("image", "")),
        renter=rental.renter.shown,
        renter_url=person_url(rental.renter_id),
        url=rental_url(rental.id),
        machine=str(placement.machine_id)[:8],
        machine_url=machine_url(placement.machine_id),
        state=placement.state,
        tone=TONES.get(PlacementState(placement.state), "busy"),
        reason=placement.reason,
        charged=format_usd(rental.meter.charged_microusd),
    )
