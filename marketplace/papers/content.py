"""This will shape what a paper says, as it is kept and shown for good."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings

from marketplace.accounts.models import User
from marketplace.domain.invoice import Line, total
from marketplace.domain.money import MicroUsd
from marketplace.domain.vat import Party, Vat, vat
from marketplace.papers.models import BillingDetails


@dataclass(frozen=True, slots=True)
class Content:
    """All that a paper says but its number and its day."""

    seller: Party
    buyer: Party
    lines: tuple[Line, ...]
    vat: Vat
    #: what it is about: ``Usage of 2026-11 (UTC)``
    about: str
    #: more sentences, such as what it corrects
    notes: tuple[str, ...] = ()

    @property
    def total_microusd(self) -> MicroUsd:
        """Return what the lines add up to, with the tax in it."""
        return total(self.lines)


def made_out(
    *, user_id: int, lines: Iterable[Line], about: str, notes: tuple[str, ...] = ()
) -> Content:
    """Return a paper made out to the person by the details of now."""
    seller, buyer, lines = seller_now(), buyer_now(user_id), tuple(lines)
    tax = vat(
        total(lines),
        seller=seller,
        buyer=buyer,
        rate_ppm=settings.VAT_PPM,
        may_reverse=settings.REVERSE_CHARGE,
    )
    return Content(seller, buyer, lines, tax, about, notes)


def seller_now() -> Party:
    """Return who sells, by the settings."""
    return Party(
        name=settings.SELLER_NAME,
        address=settings.SELLER_ADDRESS.replace("\\n", "\n"),
        country=settings.SELLER_COUNTRY,
        vat_id=settings.SELLER_VAT_ID,
    )


def buyer_now(user_id: int) -> Party:
    """Return to whom the person's papers are made out."""
    user = User.objects.only("email", "team_name").get(pk=user_id)
    # A team's address is nobody's.
    email = "" if user.is_team else user.email
    kept = BillingDetails.objects.filter(user_id=user_id).first()
    if kept is None:
        return Party(name=user.team_name, email=email)
    return Party(kept.name or user.team_name, kept.address, kept.country, kept.vat_id, email)


def as_json(content: Content) -> dict[str, Any]:
    """Return the content as it is kept."""
    return asdict(content)


def read(kept: Mapping[str, Any]) -> Content:
    """Return the content that was kept."""
    return Content(
        seller=Party(**kept["seller"]),
        buyer=Party(**kept["buyer"]),
        lines=tuple(Line(**line) for line in kept["lines"]),
        vat=Vat(**kept["vat"]),
        about=kept["about"],
        notes=tuple(kept["notes"]),
    )
