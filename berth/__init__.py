"""This will be the client of a Berth marketplace: ``from berth import Client``, and a command."""

from berth.client import Client
from berth.offers import Asked, Offer, OfferFilter
from berth.problem import CannotReach, Refused
from berth.shapes import ChangeRequest, Rental, RentalRequest
from protocol.hardware import Resources

__all__ = [
    "Asked",
    "CannotReach",
    "ChangeRequest",
    "Client",
    "Offer",
    "OfferFilter",
    "Refused",
    "Rental",
    "RentalRequest",
    "Resources",
]
