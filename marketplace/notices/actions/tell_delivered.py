"""This will tell renter and host that a proof showed less than was listed."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from marketplace.domain.delivered import Effect
from marketplace.domain.money import PPM, format_usd
from marketplace.notices.actions.notify import notify
from marketplace.notices.models import Watched
from marketplace.rentals.models import RentalProof

ROWS_MAX = 500
#: by then every transaction that counted an older proof is over
SETTLED_AFTER = timedelta(seconds=15)
NAME = "delivered"
KIND = "delivered_less"


def tell_delivered(*, now: datetime) -> int:
    """Return how many people were told of proofs that lowered what is paid; nobody twice."""
    until = now - SETTLED_AFTER
    mark, is_new = Watched.objects.get_or_create(name=NAME, defaults={"at": until})
    if is_new:
        return 0
    # Many are counted at one moment: who was told of the last ones is not told again.
    rows = RentalProof.objects.filter(counted_at__gte=mark.at, counted_at__lte=until)
    found = list(
        rows.select_related("rental__placement__machine").order_by("counted_at", "id")[:ROWS_MAX]
    )
    told = sum(_tell(proof, now) for proof in found)
    mark.at = found[-1].counted_at if len(found) == ROWS_MAX else until
    mark.save(update_fields=["at"])
    return told


def _tell(proof: RentalProof, now: datetime) -> int:
    if proof.effect not in (Effect.LESS, Effect.BROKEN):
        return 0
    rental = proof.rental
    data = {"rental_id": str(rental.id), "proof_id": str(proof.id)}
    shown = f"{(proof.delivered_ppm or 0) * 100 / PPM:.1f} %"
    told = 0
    for user_id, title, text, url in _texts(proof, shown):
        told += notify(
            user_id=user_id,
            kind=KIND,
            cause=f"proof:{proof.id}:counted",
            title=title,
            text=text,
            data=data | {"url": url},
            now=now,
        )
    return told


def _texts(proof: RentalProof, shown: str) -> Iterator[tuple[int, str, str, str]]:
    rental, back = proof.rental, format_usd(proof.returned_microusd)
    stopped = proof.effect == Effect.BROKEN
    yield (
        rental.renter_id,
        f"Your rental {rental.called} delivers {shown} of what was listed",
        f"{back} came back to you."
        + (
            " That little means that something has failed: it was stopped and its files are kept."
            if stopped
            else " You pay for that share from here on, for a week or until a proof shows more."
        ),
        f"/rentals/{rental.id}/",
    )
    machine = rental.placement.machine
    yield (
        machine.host_id,
        f"A rental on your machine shows {shown} of what validators measured there",
        f"A proof that its renter asked for while it was idle showed that. {back} went back to"
        " them"
        + (", and it was stopped." if stopped else ", and it costs that share for a week.")
        + " Look for heat, power limits or other work on the machine.",
        "/host/",
    )
