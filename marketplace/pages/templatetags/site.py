"""This will give every page its header."""

from dataclasses import dataclass

from django import template
from django.conf import settings
from django.http import HttpRequest
from django.template import Context

from marketplace.ledger import queries as ledger
from marketplace.notices import queries as notices
from marketplace.pages.wording import balance_in_brief

register = template.Library()

PLACES = (
    ("Offers", ("/offers/",)),
    ("Rentals", ("/rentals/", "/volumes/", "/endpoints/", "/templates/")),
    ("Money", ("/money/",)),
    ("Host", ("/host/",)),
    ("Account", ("/keys/", "/api-keys/", "/accounts/")),
)
ACCOUNT = (
    ("SSH keys", "/keys/"),
    ("API keys", "/api-keys/"),
    ("E-mail address", "/accounts/email/"),
    ("Password", "/accounts/password/"),
    ("Second step", "/accounts/2fa/"),
    ("Sessions", "/accounts/sessions/"),
)
#: what a visitor finds something at before the log-in
OPEN = frozenset({"Offers", "Host"})


@dataclass(frozen=True, slots=True)
class Place:
    label: str
    url: str
    current: bool


@dataclass(frozen=True, slots=True)
class Header:
    places: tuple[Place, ...]
    #: empty where nobody is logged in
    email: str
    balance: str
    #: empty: everything was seen
    unread: str = ""


@register.simple_tag
def outbid_notice() -> str:
    """Return how long a rental whose bid was outbid goes on: ``60 seconds``."""
    return f"{settings.OUTBID_NOTICE_S} seconds"


@register.simple_tag(takes_context=True)
def account_places(context: Context) -> tuple[Place, ...]:
    """Return what a person sets about their account, and which of it this page is."""
    path = context["request"].path
    return tuple(
        # The library's page of a password has no address of its own above it.
        Place(label, f"{url}change/" if label == "Password" else url, path.startswith(url))
        for label, url in ACCOUNT
    )


@register.simple_tag(takes_context=True)
def header(context: Context) -> Header:
    """Return what the header shows to this visitor; an error page may have no request."""
    request: HttpRequest | None = context.get("request")
    path = request.path if request else ""
    places = tuple(Place(label, urls[0], path.startswith(urls)) for label, urls in PLACES)
    if request is None or not getattr(request, "user", None) or not request.user.is_authenticated:
        for_all = tuple(place for place in places if place.label in OPEN)
        return Header(for_all, email="", balance="")
    balance = balance_in_brief(ledger.balance(request.user.pk))
    unread = notices.unread(request.user.pk)
    return Header(places, request.user.email, balance, unread=str(unread) if unread else "")
