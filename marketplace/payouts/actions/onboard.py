"""This will lead a host to the processor, which asks who they are and where their bank is."""

import logging
from datetime import datetime, timedelta

from django.db import transaction

from marketplace.accounts.actions.count_attempt import Limit, count
from marketplace.accounts.models import User
from marketplace.domain.problem import Refused
from marketplace.domain.transfer_out import TransferRefused
from marketplace.payments.gateway import GatewayUnreachable
from marketplace.payouts import configured_gateway, queries
from marketplace.payouts.gateway import PayoutGateway
from marketplace.payouts.models import HostDetails, PayoutAccount, Route

#: who has just been led there may be back soon
LOOK_SOON = timedelta(minutes=2)
#: each is one at the processor for good, and a host needs one for each country they move to
ACCOUNTS = Limit("open a payout account", 3, timedelta(days=7))

log = logging.getLogger(__name__)


class DetailsMissing(Refused):
    code = "tax_details_missing"
    status = 409
    sentence = "Write your name, country, tax number and address first; payouts need them."


class ChainOnlyChosen(Refused):
    code = "chain_only_chosen"
    status = 409
    sentence = "You chose emission on chain only; choose payouts to your bank first."


class ProcessorSilent(Refused):
    code = "processor_silent"
    status = 503
    sentence = "The payment processor does not answer now, and nothing changed; try again soon."
    retry_after_s = 60


class OnboardingRefused(Refused):
    """Stripe opens no account with these details."""

    code = "onboarding_refused"
    status = 422


def onboard(
    *,
    host_id: int,
    return_url: str,
    retry_url: str,
    now: datetime,
    gateway: PayoutGateway | None = None,
) -> str:
    """Return the address where the host goes on; asking twice opens one account.

    It is a form while the account lacks something, and then the pages where the bank is changed.

    Call it outside a transaction: the gateway is a remote call.

    :raises PayoutsUnavailable: when this site has no gateway.
    :raises DetailsMissing: when the host did not say who they are.
    :raises ChainOnlyChosen: when the host wants no payouts.
    :raises TooManyAttempts: when it would be one account too many within a week.
    :raises ProcessorSilent: when the gateway does not answer.
    :raises OnboardingRefused: with the processor's reason.
    """
    chosen = gateway or configured_gateway.get()
    account = _account(host_id, chosen, now)
    try:
        if not account.reference:
            reference = chosen.open_account(
                account_id=account.pk, email=account.email, country=account.country
            )
            # The first answer stands; a second one under the same key names the same account.
            mine = PayoutAccount.objects.filter(pk=account.pk, reference="")
            if mine.update(reference=reference, look_at=now + LOOK_SOON):
                log.info("payout account opened", extra={"payout_account_id": account.pk})
            account.refresh_from_db()
        if account.enabled_at is not None:
            return chosen.dashboard_url(reference=account.reference)
        return chosen.onboarding_url(
            reference=account.reference, return_url=return_url, retry_url=retry_url
        )
    except GatewayUnreachable:
        raise ProcessorSilent from None
    except TransferRefused as refused:
        raise OnboardingRefused(refused.reason) from None


def _account(host_id: int, gateway: PayoutGateway, now: datetime) -> PayoutAccount:
    """Return the host's account row, which is there before the processor hears of it."""
    with transaction.atomic():
        details = HostDetails.objects.select_for_update().filter(host_id=host_id).first()
        if details is None or not details.country:
            raise DetailsMissing
        if details.route == Route.CHAIN_ONLY:
            raise ChainOnlyChosen
        found = queries.open_account(host_id)
        if found and (found.country, found.gateway) == (details.country, gateway.name):
            return found
        count(limit=ACCOUNTS, subject=str(host_id), now=now)
        if found:
            # No processor moves an account to another country.
            found.closed_at = now
            found.save(update_fields=["closed_at"])
        return PayoutAccount.objects.create(
            host_id=host_id,
            gateway=gateway.name,
            country=details.country,
            email=User.objects.values_list("email", flat=True).get(pk=host_id),
            opened_at=now,
            look_at=now + LOOK_SOON,
        )
