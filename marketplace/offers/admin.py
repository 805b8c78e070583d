"""This will show offers to the operator."""

from django.contrib import admin

from marketplace.offers.models import Offer


@admin.register(Offer)
class OfferAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not generic when it runs
    list_display = ("id", "machine", "listed", "price_hour_microusd", "verified_until")
    list_filter = ("listed",)
