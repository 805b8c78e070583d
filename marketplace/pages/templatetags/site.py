"""This will give every page its header."""

from dataclasses import dataclass

from django import template
from django.conf import settings
from django.db import Error
from django.http import HttpRequest
from django.template import Context
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString

from marketplace.accounts.acting import CHOSEN, NAMED
from marketplace.accounts.teams import Acting
from marketplace.domain.features import Feature
from marketplace.domain.oversight import REASON_LENGTH_MAX, Right
from marketplace.domain.scope import Scope
from marketplace.domain.team import may
from marketplace.ledger import queries as ledger
from marketplace.notices import queries as notices
from marketplace.oversight import switches
from marketplace.oversight.announcements import Announced, standing
from marketplace.pages.wording import balance_in_brief

register = template.Library()

PLACES = (
    ("Offers", ("/offers/",)),
    ("Rentals", ("/rentals/", "/volumes/", "/endpoints/", "/templates/")),
    ("Money", ("/money/",)),
    ("Host", ("/host/",)),
    ("Account", ("/keys/", "/api-keys/", "/accounts/", "/teams/")),
)
#: what somebody who acts for a team needs there to find something at a place
OF_TEAMS = {
    "Rentals": Scope.RENTALS_READ,
    "Money": Scope.MONEY_READ,
    "Host": Scope.HOST_READ,
}
#: shown to staff alone; what they may do there is asked of their roles
CONSOLE = ("Console", ("/console/",))
#: only where GitHub or Google know this site
OTHERS = "/accounts/3rdparty/"
ACCOUNT = (
    ("SSH keys", "/keys/"),
    ("API keys", "/api-keys/"),
    ("E-mail address", "/accounts/email/"),
    ("Password", "/accounts/password/"),
    ("Second step", "/accounts/2fa/"),
    ("Other log-ins", OTHERS),
    ("Sessions", "/accounts/sessions/"),
    ("Teams", "/teams/"),
    ("Your data", "/accounts/data/"),
)
OF_CONSOLE = (
    ("To do", "/console/", Right.SEE),
    ("People", "/console/people/", Right.SEE),
    ("Machines", "/console/machines/", Right.SEE),
    ("Rentals", "/console/rentals/", Right.SEE),
    ("Invoices", "/console/invoices/", Right.MONEY),
    ("Validators", "/console/validators/", Right.VALIDATORS),
    ("Health", "/console/health/", Right.SEE),
    ("Announcements", "/console/announcements/", Right.ANNOUNCE),
    ("Features", "/console/features/", Right.SWITCH),
    ("Roles", "/console/roles/", Right.ROLES),
    ("Log", "/console/log/", Right.LOG),
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
    #: the team that they chose to act for; empty: none
    team: str = ""
    team_url: str = ""
    #: empty: this page is theirs and not the team's
    role: str = ""


@register.simple_tag
def reason_length_max() -> int:
    """Return how many characters the reason of an act may have."""
    return REASON_LENGTH_MAX


@register.simple_tag
def sign_ups_closed() -> str:
    """Return why nobody can sign up now."""
    return switches.sentence(Feature.SIGN_UPS)


@register.simple_tag
def announced() -> tuple[Announced, ...]:
    """Return what operators say on every page."""
    try:
        return standing(timezone.now())
    except Error:
        # The page that says so must come up without a database.
        return ()


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
        if url != OTHERS or settings.SOCIALACCOUNT_PROVIDERS
    )


@register.simple_tag(takes_context=True)
def console_places(context: Context) -> tuple[Place, ...]:
    """Return the console's pages that the roles of whoever sees this one open."""
    request = context["request"]
    rights = request.staff.rights
    # The longest address that fits is the page's own: the first is part of all others.
    at = max((url for _, url, _ in OF_CONSOLE if request.path.startswith(url)), key=len)
    return tuple(
        Place(label, url, url == at) for label, url, right in OF_CONSOLE if right in rights
    )


@register.simple_tag(takes_context=True)
def header(context: Context) -> Header:
    """Return what the header shows to this visitor; an error page may have no request."""
    request: HttpRequest | None = context.get("request")
    path = request.path if request else ""
    user = getattr(request, "user", None)
    acting: Acting | None = getattr(request, "acting", None)
    person = acting.person if acting else user
    shown = (*PLACES, CONSOLE) if getattr(person, "is_staff", False) else PLACES
    places = tuple(
        Place(label, urls[0], path.startswith(urls))
        for label, urls in shown
        if acting is None or may(acting.role, OF_TEAMS.get(label))
    )
    if request is None or user is None or not user.is_authenticated:
        for_all = tuple(place for place in places if place.label in OPEN)
        return Header(for_all, email="", balance="")
    balance = balance_in_brief(ledger.balance(user.pk))
    unread = notices.unread(user.pk)
    seen = str(unread) if unread else ""
    team = acting.team.team_name if acting else request.session.get(NAMED, "")
    return Header(
        places,
        getattr(person, "email", ""),
        balance,
        unread=seen,
        team=team,
        team_url=f"/teams/{request.session.get(CHOSEN)}/",
        role=acting.role.value if acting else "",
    )


@register.simple_tag(takes_context=True)
def quickly(context: Context, template: str) -> SafeString:
    """Show a part that Jinja2 reads, which escapes as Django does in an eighth of the time."""
    request: HttpRequest | None = context.get("request")
    given = {str(name): value for name, value in context.flatten().items()}
    return SafeString(render_to_string(template, given, request, using="jinja2"))
