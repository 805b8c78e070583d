"""This will prepare what a host reads of one machine: where points are lost, and its work."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from marketplace.domain.money import PPM
from marketplace.machines.queries import UPTIME_DAYS
from marketplace.offers.machine_record import MachineFacts
from marketplace.offers.machine_remedies import advice
from marketplace.offers.models import Offer
from marketplace.pages import wording
from marketplace.pages.forms.maintenance import MaintenanceForm
from marketplace.pages.shown import machine_page
from marketplace.pages.shown.moment import Moment
from marketplace.pages.shown.picture import Picture


@dataclass(frozen=True, slots=True)
class Score:
    factors_picture: Picture | None
    scores: Picture | None
    #: empty: nothing is lost
    advice: str
    epoch_url: str


@dataclass(frozen=True, slots=True)
class Maintenance:
    begins: Moment
    ends: Moment
    #: how many would end with it
    rentals: str
    #: what it does to the share of time that the machine is there
    costs: str
    form: MaintenanceForm


def score(facts: MachineFacts) -> Score:
    """Return the machine's score in pictures, and what would raise it most."""
    factors = {} if facts.score is None else facts.score.factors_ppm
    return Score(
        factors_picture=machine_page.factors_picture(factors),
        scores=machine_page.scores_picture(facts.scores),
        advice=advice(facts),
        epoch_url="" if facts.score is None else f"/scores/{facts.score.epoch}/",
    )


def maintenance(offer: Offer, live: int, now: datetime) -> Maintenance:
    """Return what is announced, if it is not over, and what an hour of it costs."""
    begins, ends = offer.maintenance_from, offer.maintenance_until
    if ends is not None and ends <= now:
        begins = ends = None
    hour = PPM // (UPTIME_DAYS * 24)
    costs = f"an hour takes {hour / PPM:.4f} off your reliability for 30 days."
    if begins is not None and ends is not None:
        hours = (ends - begins) / timedelta(hours=1)
        costs += f" All of it would take {min(1.0, hours * hour / PPM):.4f}."
    there = "Nothing runs there now."
    if live:
        there = f"Up to {wording.count(live, 'rental')}, stopped ones too, would end then."
    return Maintenance(Moment.of(begins), Moment.of(ends), there, costs, MaintenanceForm())
