"""This will show what a rental cost, and what of its time cost nothing."""

from berth.cli import output, session
from berth.cli.options import AsJson, RentalId
from berth.units import format_duration, format_usd


def bill(*, rental_id: RentalId, as_json: AsJson = False) -> None:
    """Show what a rental cost, price by price, and what was not charged and why."""
    with session.client() as client:
        found = client.bill(session.find(client, rental_id).id)
    if as_json:
        output.write_json(found)
        return
    rows = [
        (
            format_duration(one.ms),
            f"{format_usd(one.price_hour_microusd)} an hour",
            format_usd(one.cost_microusd),
        )
        for one in found.periods
    ]
    if found.storage_microusd:
        rows.append(("", "its disk while stopped", format_usd(found.storage_microusd)))
    if found.traffic_microusd:
        rows.append(("", "its traffic", format_usd(found.traffic_microusd)))
    for back in found.given_back:
        why = f"given back: it delivered {back.delivered_ppm / 10_000:.1f} % of what was listed"
        rows.append(("", why, format_usd(-back.microusd)))
    for paid in found.credited:
        why = f"given back: staff answered report {paid.report_id[:8]}"
        rows.append(("", why, format_usd(-paid.microusd)))
    output.table((">TIME", "FOR", ">AMOUNT"), rows, empty="Nothing was charged.")
    total, billed = format_duration(found.total_ms), format_duration(found.billed_ms)
    output.say(f"{format_usd(found.total_microusd)} for {billed} of {total}.")
    for one in found.unbilled:
        if one.ms >= 1000:
            output.say(f"{format_duration(one.ms)} not charged: {one.sentence}")
