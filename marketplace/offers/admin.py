"""This will show offers to the operator."""

from django.contrib import admin

from marketplace.accounts.read_only import ReadOnly
from marketplace.offers.models import Offer


@admin.register(Offer)
class OfferAdmin(ReadOnly):
    list_display = ("id", "machine", "listed", "price_hour_microusd", "verified_until")
    list_filter = ("listed",)
