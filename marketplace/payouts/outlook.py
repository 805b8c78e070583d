"""This will foresee a host's next payout, and say what stands in the way of a larger one."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from marketplace.domain.features import Feature
from marketplace.domain.money import MicroUsd
from marketplace.domain.payout import Available, Terms, available, next_friday, payable
from marketplace.oversight import switches
from marketplace.payments import queries as payments
from marketplace.payouts import configured_gateway, queries
from marketplace.payouts.disagreeing import disagreeing
from marketplace.payouts.models import HostDetails, PayoutAccount, Route


class Obstacle(StrEnum):
    """Why nothing goes out next Friday."""

    NONE = "none"
    #: the site has no processor
    SITE = "site"
    CHAIN_ONLY = "chain_only"
    #: the host did not say who they are
    DETAILS = "details"
    #: there is no account yet
    ACCOUNT = "account"
    #: the processor does not pay to it
    SHUT = "shut"
    #: a payment of the host's own as a renter is disputed, or the site paid for one that was lost
    DISPUTE = "dispute"
    #: the audit found something wrong with the books of what the host earned
    AUDIT = "audit"
    #: operators turned payouts off for now
    OFF = "off"
    #: there is less than a payout moves
    LITTLE = "little"


@dataclass(frozen=True, slots=True)
class Outlook:
    """A host's money now and next Friday, if nothing more is earned or given back."""

    terms: Terms
    now: Available
    friday: datetime
    then: Available
    #: 0: nothing, by the obstacle
    amount_microusd: MicroUsd
    obstacle: Obstacle
    details: HostDetails | None
    account: PayoutAccount | None


def outlook(host_id: int, *, now: datetime) -> Outlook:
    """Return what the host may expect."""
    terms, friday = configured_gateway.terms(), next_friday(now)
    present = _available(host_id, now, terms)
    then = _available(host_id, friday, terms)
    details, account = queries.details(host_id), queries.open_account(host_id)
    amount = payable(then, terms.amount_microusd_min)
    obstacle = _obstacle(host_id, details, account, amount)
    return Outlook(
        terms=terms,
        now=present,
        friday=friday,
        then=then,
        amount_microusd=amount if obstacle is Obstacle.NONE else MicroUsd(0),
        obstacle=obstacle,
        details=details,
        account=account,
    )


def _available(host_id: int, as_of: datetime, terms: Terms) -> Available:
    return available(queries.earnings(host_id, as_of=as_of, terms=terms), terms.reserve_ppm)


def _obstacle(
    host_id: int, details: HostDetails | None, account: PayoutAccount | None, amount: MicroUsd
) -> Obstacle:
    if not configured_gateway.is_there():
        return Obstacle.SITE
    if details is not None and details.route == Route.CHAIN_ONLY:
        return Obstacle.CHAIN_ONLY
    if details is None or not details.country:
        return Obstacle.DETAILS
    if account is None or not account.reference or account.country != details.country:
        return Obstacle.ACCOUNT
    if account.enabled_at is None:
        return Obstacle.SHUT
    if payments.is_contested(host_id):
        return Obstacle.DISPUTE
    if disagreeing().holds_back(host_id):
        return Obstacle.AUDIT
    if switches.is_off(Feature.PAYOUTS):
        return Obstacle.OFF
    return Obstacle.NONE if amount else Obstacle.LITTLE
