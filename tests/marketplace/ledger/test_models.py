"""The database itself holds the rules of the ledger, whatever code writes to it."""

from collections.abc import Callable
from datetime import datetime

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import F

from marketplace.accounts.models import User
from marketplace.domain.ledger import AccountKind, TransferKind
from marketplace.ledger.actions import open_account
from marketplace.ledger.models import Account, Transfer, TransferImmutable

Give = Callable[[User, int], None]


@pytest.fixture
def transfer(alice: User, give: Give) -> Transfer:
    give(alice, 100)
    return Transfer.objects.get()


def test_the_database_refuses_a_changed_transfer(transfer: Transfer) -> None:
    with pytest.raises(DatabaseError, match="cannot be changed"), connection.cursor() as cursor:
        cursor.execute("UPDATE ledger_transfer SET amount_microusd = 1")


def test_the_database_refuses_to_remove_a_transfer(transfer: Transfer) -> None:
    with pytest.raises(DatabaseError, match="cannot be changed"), transaction.atomic():
        connection.cursor().execute("DELETE FROM ledger_transfer")
    assert Transfer.objects.get() == transfer


def test_a_transfer_cannot_be_saved_again(transfer: Transfer) -> None:
    transfer.amount_microusd = 1
    with pytest.raises(TransferImmutable):
        transfer.save()


def test_a_transfer_cannot_be_deleted(transfer: Transfer) -> None:
    with pytest.raises(TransferImmutable):
        transfer.delete()


def test_transfers_cannot_be_changed_or_deleted_together(transfer: Transfer) -> None:
    with pytest.raises(TransferImmutable):
        Transfer.objects.update(note="other")
    with pytest.raises(TransferImmutable):
        Transfer.objects.all().delete()


@pytest.mark.parametrize("amount", [0, -1])
def test_the_database_refuses_a_transfer_of_nothing(
    transfer: Transfer, now: datetime, amount: int
) -> None:
    with pytest.raises(IntegrityError):
        Transfer.objects.create(
            debit=transfer.debit,
            credit=transfer.credit,
            amount_microusd=amount,
            kind=TransferKind.CHARGE,
            cause="x",
            at=now,
        )


def test_the_database_refuses_a_transfer_to_the_same_account(
    transfer: Transfer, now: datetime
) -> None:
    with pytest.raises(IntegrityError):
        Transfer.objects.create(
            debit=transfer.debit,
            credit=transfer.debit,
            amount_microusd=1,
            kind=TransferKind.CHARGE,
            cause="x",
            at=now,
        )


@pytest.mark.parametrize("kind", [AccountKind.WALLET, AccountKind.HOLD, AccountKind.EARNINGS])
def test_the_database_refuses_a_person_who_owes(alice: User, kind: AccountKind) -> None:
    account = Account.objects.create(kind=kind, user=alice)
    with pytest.raises(IntegrityError):
        Account.objects.filter(pk=account.pk).update(debits_posted=F("debits_posted") + 1)


def test_the_outside_world_may_owe(db: None) -> None:
    account = open_account.outside()
    Account.objects.filter(pk=account.pk).update(debits_posted=5)
    account.refresh_from_db()
    assert account.balance_microusd == -5


def test_a_person_has_one_wallet(alice: User) -> None:
    open_account.wallet(user_id=alice.pk)
    with pytest.raises(IntegrityError):
        Account.objects.create(kind=AccountKind.WALLET, user=alice)


def test_the_site_has_one_account_of_each_kind(db: None) -> None:
    open_account.fees()
    with pytest.raises(IntegrityError):
        Account.objects.create(kind=AccountKind.FEES)


def test_a_wallet_belongs_to_somebody(db: None) -> None:
    with pytest.raises(IntegrityError):
        Account.objects.create(kind=AccountKind.WALLET)


def test_an_account_is_opened_once(alice: User) -> None:
    assert open_account.wallet(user_id=alice.pk) == open_account.wallet(user_id=alice.pk)
    assert open_account.earnings(user_id=alice.pk) != open_account.wallet(user_id=alice.pk)
