"""This will find an account, opening it on first use."""

from collections.abc import Collection, Mapping

from marketplace.domain.ledger import AccountKind
from marketplace.ledger.models import Account


def wallet(*, user_id: int) -> Account:
    """Return the account that the person spends from."""
    return _of_person(user_id, AccountKind.WALLET)


def frozen(*, user_id: int) -> Account:
    """Return the account that keeps what is set aside while a payment is disputed."""
    return _of_person(user_id, AccountKind.FROZEN)


def credit(*, user_id: int) -> Account:
    """Return the account of what the person was given to spend."""
    return _of_person(user_id, AccountKind.CREDIT)


def earnings(*, user_id: int) -> Account:
    """Return the account that collects what the person's machines earn."""
    return _of_person(user_id, AccountKind.EARNINGS)


def fees() -> Account:
    """Return the operator's account."""
    return _of_site(AccountKind.FEES)


def outside() -> Account:
    """Return the account that stands for cards and banks."""
    return _of_site(AccountKind.OUTSIDE)


def promo() -> Account:
    """Return the account that credit without payment comes from."""
    return _of_site(AccountKind.PROMO)


def of_people(*, user_ids: Collection[int], kind: AccountKind) -> Mapping[int, Account]:
    """Return each person's one account of a kind."""
    found = {
        account.user_id: account
        for account in Account.objects.filter(user_id__in=user_ids, kind=kind)
        if account.user_id is not None
    }
    for user_id in sorted(set(user_ids) - set(found)):
        found[user_id] = _of_person(user_id, kind)
    return found


def _of_person(user_id: int, kind: AccountKind) -> Account:
    return Account.objects.get_or_create(user_id=user_id, kind=kind)[0]


def _of_site(kind: AccountKind) -> Account:
    return Account.objects.get_or_create(user=None, kind=kind)[0]
