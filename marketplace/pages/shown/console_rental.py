"""This will prepare a rental's page of the console: what was delivered, and what it cost."""

from collections.abc import Mapping
from datetime import datetime

from marketplace.console.rentals import RentalCase
from marketplace.domain.delivered import SENTENCES, Effect
from marketplace.domain.money import PPM, format_usd
from marketplace.domain.rental_proof import ProofState
from marketplace.metering.models import SignedIntervalRow
from marketplace.pages import wording
from marketplace.pages.shown import acts, bill, console
from marketplace.pages.shown.moment import Moment
from marketplace.pages.shown.rental_proof import LABELS
from marketplace.pages.shown.usage import incident_line
from marketplace.placements.models import DoorShut, Placement, PlacementEvent
from marketplace.rentals.models import RentalProof

#: when each came to pass, in order
MOMENTS: Mapping[str, str] = {
    "created_at": "Asked for",
    "accepted_at": "Accepted by the machine",
    "running_at": "Ran first",
    "reachable_at": "SSH seen from outside",
    "door_seen_at": "SSH seen last",
    "door_missed_at": "SSH found shut",
    "stop_requested_at": "Stop or end asked for",
    "outbid_stop_at": "Outbid: stops",
    "funded_until": "Paid for at most until",
    "ended_at": "Over",
    "gone_at": "Nothing left of it, says the machine",
}


def page(found: RentalCase) -> dict[str, object]:
    """Return what the page of one rental shows: nothing that its renter put into it."""
    rental, placement = found.rental, found.placement
    return {
        "rental": console.rental_lines([rental])[0],
        "renter": console.person_line(rental.renter),
        "host": console.person_line(placement.machine.host),
        "machine": console.machine_line(placement.machine),
        "facts": _facts(found),
        "moments": _moments(placement),
        "counted": _counted(found),
        "bill": bill.card(found.bill),
        "events": [_event(one) for one in found.events],
        "shut": [_shut(one) for one in found.shut],
        "intervals": [_interval(one) for one in found.intervals],
        "proofs": [_proof(one) for one in found.proofs],
        "incidents": [incident_line(one) for one in found.incidents],
        "lines": [acts.line(act) for act in found.acts],
    }


def _facts(found: RentalCase) -> list[tuple[str, str]]:
    rental, placement = found.rental, found.placement
    lowered = rental.delivered_ppm < PPM
    size = [wording.count(placement.gpus, "GPU")] if placement.gpus else []
    size += [
        wording.count(placement.cpus, "CPU"),
        wording.size(placement.memory_bytes),
        f"{wording.size(placement.disk_bytes)} of disk",
    ]
    return [
        ("Reason", f"{placement.reason_code}: {placement.reason}" if placement.reason_code else ""),
        ("To blame", placement.blame),
        ("Rented", ", ".join(size)),
        ("Kind", rental.price_type.replace("_", " ")),
        ("Price", f"{format_usd(rental.price_hour_microusd)} an hour"),
        ("Of it is paid", wording.percent(rental.delivered_ppm) if lowered else ""),
        ("At most", format_usd(rental.worst_total_microusd)),
    ]


def _moments(placement: Placement) -> list[tuple[str, Moment]]:
    named = ((label, getattr(placement, name)) for name, label in MOMENTS.items())
    return [(label, Moment.of(at)) for label, at in named if at is not None]


def _counted(found: RentalCase) -> list[tuple[str, str]]:
    meter, hold = found.meter, found.hold
    return [
        ("Signed by the machine", wording.duration(meter.signed_ms)),
        ("Counts", wording.duration(meter.proven_ms)),
        ("Charged for", wording.duration(meter.charged_ms)),
        ("Charged", format_usd(meter.charged_microusd)),
        ("The site's part of it", format_usd(meter.fee_microusd)),
        ("Still set aside", format_usd(hold.account.balance_microusd)),
        ("Given back of charges", format_usd(hold.returned_microusd)),
    ]


def _event(event: PlacementEvent) -> dict[str, object]:
    change = f"{event.old_state} → {event.new_state}" if event.old_state else event.new_state
    unseen = f"not seen for {wording.duration(event.unseen_s * 1000)}" if event.unseen_s else ""
    why = ", ".join(part for part in (event.reason_code, unseen) if part)
    return {"at": Moment.of(event.at), "event": event.event, "change": change, "why": why}


def _shut(shut: DoorShut) -> dict[str, Moment]:
    return {"since": Moment.of(shut.since), "until": Moment.of(shut.until)}


def _interval(row: SignedIntervalRow) -> dict[str, object]:
    told = row.signed.get("interval", {})
    first, last = int(told.get("from_age_ms", 0)), int(told.get("to_age_ms", 0))
    return {
        "sequence": row.sequence,
        "run": told.get("run", ""),
        "signed": wording.duration(last - first),
        "received": Moment.of(row.received_at),
        "counts_from": Moment.of(row.billable_from),
        "counts": _counts(row.billable_from, row.billable_to),
    }


def _counts(since: datetime | None, until: datetime | None) -> str:
    if since is None or until is None:
        return "nothing"
    return wording.duration(int((until - since).total_seconds() * 1000))


def _proof(proof: RentalProof) -> dict[str, object]:
    label, tone = LABELS[ProofState(proof.state)]
    return {
        "at": Moment.of(proof.asked_at),
        "label": label,
        "tone": tone,
        "shown": "" if proof.delivered_ppm is None else wording.percent(proof.delivered_ppm),
        "became": SENTENCES[Effect(proof.effect)] if proof.effect else proof.detail,
        "back": format_usd(proof.returned_microusd) if proof.returned_microusd else "",
        "validator": proof.validator.name if proof.validator else "",
    }
