"""This will take in over the REST API who a host is, and how they are paid."""

from typing import Annotated

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema, Status
from pydantic import Field

from marketplace.accounts.bearer import ApiKeyBearer, caller, caller_key
from marketplace.domain.tax import masked, tax_details
from marketplace.json_body import JsonBody
from marketplace.ledger.actions import spend_limit
from marketplace.payouts import queries
from marketplace.payouts.actions.onboard import onboard
from marketplace.payouts.actions.set_details import choose_route, set_tax_details
from marketplace.payouts.models import Route

router = Router(tags=["host"], auth=ApiKeyBearer())


class TaxRequest(JsonBody):
    #: of the person or company that earns
    legal_name: Annotated[str, Field(max_length=200)]
    #: two letters, such as DE
    country: Annotated[str, Field(max_length=10)]
    tax_id: Annotated[str, Field(max_length=30)]
    address: Annotated[str, Field(max_length=500)]


class DetailsReply(Schema):
    """Who you are and how you are paid; texts are empty until you wrote them."""

    route: Route
    legal_name: str
    country: str
    #: its end alone
    tax_id: str
    address: str


class RouteRequest(JsonBody):
    #: bank: paid to yours; chain_only: nothing is paid out
    route: Route


class AccountPage(Schema):
    #: the processor's page where you connect or change your bank account
    url: str


@router.get("/host/payout-details", response=DetailsReply)
def details(request: HttpRequest) -> DetailsReply:
    """Say who you are for the tax office and how you are paid."""
    found = queries.details(caller(request).pk)
    if found is None:
        return DetailsReply(route=Route.BANK, legal_name="", country="", tax_id="", address="")
    return DetailsReply(
        route=Route(found.route),
        legal_name=found.legal_name,
        country=found.country,
        tax_id=masked(found.tax_id),
        address=found.address,
    )


@router.put("/host/tax-details", response=DetailsReply)
def set_tax(request: HttpRequest, payload: TaxRequest) -> DetailsReply:
    """Keep who you are; another country needs another account. A key with a limit may not."""
    _check_whole_key(request)
    checked = tax_details(**payload.dict())
    set_tax_details(host_id=caller(request).pk, details=checked, now=timezone.now())
    return details(request)


@router.put("/host/payout-route", response=DetailsReply)
def set_route(request: HttpRequest, payload: RouteRequest) -> DetailsReply:
    """Be paid so from the next Friday on; what is under way goes on. A key with a limit may not."""
    _check_whole_key(request)
    choose_route(host_id=caller(request).pk, route=payload.route, now=timezone.now())
    return details(request)


@router.post("/host/payout-account", response={201: AccountPage})
def connect(request: HttpRequest) -> Status[AccountPage]:
    """Get the address of the page that connects your bank; open it in a browser.

    A key with a limit may not.
    """
    _check_whole_key(request)
    back = f"{settings.PUBLIC_URL}/host/payouts/back"
    host_id = caller(request).pk
    url = onboard(host_id=host_id, return_url=back, retry_url=back, now=timezone.now())
    return Status(201, AccountPage(url=url))


def _check_whole_key(request: HttpRequest) -> None:
    spend_limit.check_own(api_key_id=caller_key(request), hold_key_id=None)
