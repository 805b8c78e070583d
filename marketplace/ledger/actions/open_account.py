"""This will find an account, opening it on first use."""

from marketplace.domain.ledger import AccountKind
from marketplace.ledger.models import Account


def wallet(*, user_id: int) -> Account:
    """Return the account that the person spends from."""
    return _of_person(user_id, AccountKind.WALLET)


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


def _of_person(user_id: int, kind: AccountKind) -> Account:
    return Account.objects.get_or_create(user_id=user_id, kind=kind)[0]


def _of_site(kind: AccountKind) -> Account:
    return Account.objects.get_or_create(user=None, kind=kind)[0]
