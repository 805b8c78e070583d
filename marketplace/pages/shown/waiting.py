"""This will prepare what waits for staff."""

from collections.abc import Sequence
from datetime import datetime

from marketplace.console.health import PassHealth
from marketplace.console.waiting import Waiting
from marketplace.domain.money import format_usd
from marketplace.pages import wording
from marketplace.pages.shown import health
from marketplace.pages.shown.console import machine_url, person_url, rental_url
from marketplace.pages.shown.moment import Moment


def page(found: Waiting, passes: Sequence[PassHealth], now: datetime) -> dict[str, object]:
    """Return what the first page of the console shows."""
    return {
        "disputes": [
            {
                "id": one.pk,
                "amount": format_usd(one.amount_microusd),
                "reason": one.reason.replace("_", " "),
                "person": one.top_up.user.shown,
                "payment_url": f"/console/payments/{one.top_up_id}/",
                "evidence_url": f"/console/disputes/{one.pk}/evidence.txt",
                "due": Moment.of(one.evidence_due_at),
            }
            for one in found.disputes
        ],
        "proofs": [
            {
                "id": str(one.id),
                "rental": str(one.rental_id),
                "rental_url": rental_url(one.rental_id),
                "shown": wording.percent(one.delivered_ppm or 0),
                "returned": format_usd(one.returned_microusd),
                "renter": one.rental.renter.shown,
                "renter_url": person_url(one.rental.renter_id),
                "host": one.rental.placement.machine.host.email,
                "host_url": person_url(one.rental.placement.machine.host_id),
                "machine_url": machine_url(one.rental.placement.machine_id),
                "at": Moment.of(one.counted_at),
            }
            for one in found.proofs
        ],
        "appeals": [
            {
                "machine": str(one.machine_id),
                "machine_url": machine_url(one.machine_id),
                "host": one.machine.host.email,
                "host_url": person_url(one.machine.host_id),
                "text": one.text,
                "at": Moment.of(one.made_at),
            }
            for one in found.appeals
        ],
        "audit": health.audit(found.audit),
        "backlogs": health.backlogs(found.backlogs, now),
        "red": health.red(passes),
    }
