"""This will say which page answers which address."""

from django.urls import path

from marketplace.pages.views.api_keys import api_keys, revoke_key
from marketplace.pages.views.endpoints import (
    delete_endpoint,
    dismiss_replica,
    endpoints,
    scale_endpoint,
)
from marketplace.pages.views.favicon import favicon
from marketplace.pages.views.home import home
from marketplace.pages.views.host import host, issue_enrolment_token, set_terms
from marketplace.pages.views.keys import keys, remove_key
from marketplace.pages.views.money import balance, money
from marketplace.pages.views.offers import offers
from marketplace.pages.views.receipts import receipts
from marketplace.pages.views.rent import rent
from marketplace.pages.views.rental import end, extend, forget, rental, rental_panel
from marketplace.pages.views.rental_changes import change, reset, restart, set_keys, start, stop
from marketplace.pages.views.rental_events import rental_events
from marketplace.pages.views.rental_usage import rental_usage
from marketplace.pages.views.rentals import rentals
from marketplace.pages.views.volumes import delete_volume, volumes

urlpatterns = [
    path("", home, name="home"),
    path("favicon.ico", favicon, name="favicon"),
    path("offers/", offers, name="offers"),
    path("offers/<uuid:offer_id>/rent", rent, name="rent"),
    path("rentals/", rentals, name="rentals"),
    path("rentals/<uuid:rental_id>/", rental, name="rental"),
    path("rentals/<uuid:rental_id>/panel", rental_panel, name="rental-panel"),
    path("rentals/<uuid:rental_id>/usage", rental_usage, name="rental-usage"),
    path("rentals/<uuid:rental_id>/events", rental_events, name="rental-events"),
    path("rentals/<uuid:rental_id>/receipts.json", receipts, name="receipts"),
    path("rentals/<uuid:rental_id>/end", end, name="rental-end"),
    path("rentals/<uuid:rental_id>/stop", stop, name="rental-stop"),
    path("rentals/<uuid:rental_id>/start", start, name="rental-start"),
    path("rentals/<uuid:rental_id>/restart", restart, name="rental-restart"),
    path("rentals/<uuid:rental_id>/reset", reset, name="rental-reset"),
    path("rentals/<uuid:rental_id>/change", change, name="rental-change"),
    path("rentals/<uuid:rental_id>/keys", set_keys, name="rental-keys"),
    path("rentals/<uuid:rental_id>/extend", extend, name="rental-extend"),
    path("rentals/<uuid:rental_id>/forget", forget, name="rental-forget"),
    path("endpoints/", endpoints, name="endpoints"),
    path("endpoints/<uuid:endpoint_id>/scale", scale_endpoint, name="endpoint-scale"),
    path("endpoints/<uuid:endpoint_id>/delete", delete_endpoint, name="endpoint-delete"),
    path(
        "endpoints/<uuid:endpoint_id>/replicas/<uuid:placement_id>/dismiss",
        dismiss_replica,
        name="replica-dismiss",
    ),
    path("volumes/", volumes, name="volumes"),
    path("volumes/<uuid:volume_id>/delete", delete_volume, name="volume-delete"),
    path("keys/", keys, name="keys"),
    path("keys/<uuid:key_id>/remove", remove_key, name="key-remove"),
    path("api-keys/", api_keys, name="api-keys"),
    path("api-keys/<uuid:key_id>/revoke", revoke_key, name="api-key-revoke"),
    path("money/", money, name="money"),
    path("money/balance", balance, name="balance"),
    path("host/", host, name="host"),
    path("host/tokens", issue_enrolment_token, name="host-token"),
    path("host/machines/<uuid:machine_id>/terms", set_terms, name="host-terms"),
]
