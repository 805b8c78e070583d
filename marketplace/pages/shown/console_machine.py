"""This will prepare a machine's page of the console."""

from datetime import datetime

from marketplace.console.machines import MachineCase
from marketplace.domain.money import format_usd
from marketplace.machines.models import Machine
from marketplace.offers.models import Offer
from marketplace.pages import wording
from marketplace.pages.shown import acts, console, verification
from marketplace.pages.shown.moment import Moment
from marketplace.pages.shown.usage import incident_line
from marketplace.verification.models import Appeal


def page(found: MachineCase, now: datetime) -> dict[str, object]:
    """Return what the page of one machine shows."""
    machine, noted = found.history.machine, found.history.standing.noted
    return {
        "machine_id": str(machine.id),
        "machine": console.machine_line(machine),
        "stands": verification.page(found.history),
        "public_url": f"/machines/{machine.id}/verification/",
        "host": console.person_line(machine.host),
        "facts": _facts(found, now),
        "times": _times(machine, now),
        "offer": [] if found.offer is None else _offer(found.offer),
        "live": wording.count(found.live, "placement"),
        "any_live": found.live > 0,
        "is_banned": noted.banned_at is not None,
        "ban_reason": noted.ban_reason,
        "banned": Moment.of(noted.banned_at),
        "rentals": console.rental_lines(found.rentals),
        "incidents": [incident_line(one) for one in found.incidents],
        "changes": [verification.change(one) for one in found.changes],
        "appeals": [_appeal(one) for one in found.appeals],
        "lines": [acts.line(act) for act in found.acts],
    }


def _facts(found: MachineCase, now: datetime) -> list[tuple[str, str]]:
    machine = found.history.machine
    memory = wording.size(machine.memory_bytes_total)
    return [
        ("Address", f"{machine.address}:{machine.control_port}"),
        ("Has", f"{wording.count(machine.cpus_total, 'CPU')}, {memory} of memory"),
        ("Agent", machine.agent_version),
        ("Last sync", wording.ago(machine.last_seen_at, now)),
        ("There in 30 days", wording.percent(found.uptime_ppm)),
        ("Hotkey", machine.miner_hotkey or "none"),
    ]


def _times(machine: Machine, now: datetime) -> list[tuple[str, Moment]]:
    sent_at = datetime.fromtimestamp(machine.sent_at_ms / 1000, now.tzinfo)
    return [
        ("Enrolled", Moment.of(machine.enrolled_at)),
        ("Last sync, by its own clock", Moment.of(sent_at if machine.sent_at_ms else None)),
        ("What it shall run changed", Moment.of(machine.desired_at)),
    ]


def _offer(offer: Offer) -> list[tuple[str, str]]:
    state = "listed" if offer.listed else "taken off the market by its host"
    if offer.listed and offer.verified_until is None:
        state = "hidden, as nobody vouches for the machine"
    return [
        ("Offer", f"{state}{', private' if offer.private else ''}"),
        ("Asked", f"{format_usd(offer.price_unit_microusd)} an hour of a unit"),
        ("Maintenance from", Moment.of(offer.maintenance_from).text),
    ]


def _appeal(appeal: Appeal) -> dict[str, object]:
    outcome = "waits for its answer"
    if appeal.answered_at is not None:
        outcome = f"{'granted' if appeal.granted else 'refused'}: {appeal.answer}"
    return {"at": Moment.of(appeal.made_at), "text": appeal.text, "outcome": outcome}
