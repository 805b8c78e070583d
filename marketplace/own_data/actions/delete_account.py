"""This will take a person out of this site, and leave what its books need without a name."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import CASCADE, F, Q

from marketplace.accounts.models import ApiKey, SpendLimit, User
from marketplace.accounts.queries import NOWHERE, proven_emails
from marketplace.accounts.teams import TeamUnknown, only_owner_of
from marketplace.domain.ledger import AccountKind
from marketplace.domain.placement import ENDED
from marketplace.domain.problem import Refused
from marketplace.domain.rental_report import ReportState
from marketplace.endpoints.models import Endpoint
from marketplace.jobs.models import Blob, Job
from marketplace.ledger.models import Account, Hold
from marketplace.logs.models import ContainerLog
from marketplace.machines.models import Machine
from marketplace.offers.models import Guest
from marketplace.own_data.models import Farewell
from marketplace.payments.models import Dispute, Payer, Refund, TopUp
from marketplace.payouts.models import Payout, PayoutAccount
from marketplace.placements.models import Placement
from marketplace.rentals.actions.let_go import let_go
from marketplace.rentals.models import Failover, Rental, RentalReport
from marketplace.volumes.models import Volume

#: credit was given, and ends by itself
MONEY = (AccountKind.WALLET, AccountKind.HOLD, AccountKind.FROZEN, AccountKind.EARNINGS)
#: what a person did as staff stays as it was done
KEPT_LOGS = frozenset({"admin.LogEntry"})

CHUNK = 500

logger = logging.getLogger(__name__)


class AccountInUse(Refused):
    """Something of the account goes on."""

    code = "account_in_use"
    status = 409


def obstacle(user: User) -> str:
    """Return what has to end before the account can, and how, in a sentence; empty: nothing."""
    for is_there, sentence in _OBSTACLES:
        if is_there(user):
            return sentence
    return ""


def delete(*, user_id: int, now: datetime) -> None:
    """Take the person out: nobody gets in any more, and no key or secret of theirs is left.

    Transfers, what was rented, and payments with the processor's names of them stay, of somebody
    without an address: the books add up. So do invoices and tax details with the name that the
    person gave for them, as the law asks for papers, and the log of what operators did.

    :raises AccountInUse: while something of the account goes on.
    """
    with transaction.atomic():
        teams = User.objects.filter(members__person=user_id)
        # Of two owners who go at once, the second is the last one. By their ids, as all who lock a
        # person and their team.
        rows = User.objects.filter(Q(pk=user_id) | Q(pk__in=teams.values("pk"))).order_by("pk")
        user = {one.pk: one for one in rows.select_for_update(no_key=True)}[user_id]
        _lock_reported(user)
        if sentence := obstacle(user):
            raise AccountInUse(sentence)
        for email in proven_emails(user.pk)[:1]:
            Farewell.objects.create(email=email, at=now, due_at=now)
        for team_id in sorted(teams.values_list("pk", flat=True)):
            # Of a team that is shut out nothing runs.
            with suppress(TeamUnknown):
                let_go(by_id=user.pk, team_id=team_id, person_id=user.pk, now=now)
        _forget(user, now)
        user.email = f"{uuid4()}@{NOWHERE}"
        if user.is_team:
            user.team_name = "closed team"
        user.is_active = False
        user.last_login = None
        # Every session holds a part of it, and is worth nothing with another.
        user.set_unusable_password()
        user.save()
    logger.info("account deleted", extra={"user_id": user_id})


def _lock_reported(user: User) -> None:
    """Lock what staff may be giving money back for: it is there before it is looked for, or never.

    In the order of whoever answers (console/actions/answer_report.py): the placements first, of
    which what they were started with is emptied below.
    """
    waiting = RentalReport.objects.filter(renter=user, state=ReportState.OPEN)
    rentals = Rental.objects.filter(pk__in=waiting.values("rental_id"))
    placements = Placement.objects.filter(pk__in=rentals.values("placement_id"))
    for rows in (placements, rentals, waiting):
        locked = rows.order_by("pk").select_for_update(of=("self",))
        list(locked.values_list("pk", flat=True))


def _forget(user: User, now: datetime) -> None:
    """Remove what is about the person alone, and what opened or named something of theirs."""
    emails = {user.email, *proven_emails(user.pk)}
    bounding = _bounding_teams(user)
    for relation in User._meta.related_objects:
        model = relation.related_model
        if relation.on_delete is CASCADE and model._meta.label not in KEPT_LOGS:
            rows = model._base_manager.filter(**{relation.field.name: user.pk})
            if model in (ApiKey, SpendLimit):
                column = "pk" if model is ApiKey else "api_key"
                rows = rows.exclude(**{f"{column}__in": bounding, f"{column}__isnull": False})
            rows.delete()
    ApiKey.objects.filter(pk__in=bounding).update(
        name="", prefix="", scopes=[], last_used_at=None, revoked_at=now
    )
    Blob.objects.filter(renter=user).update(expires_at=now)
    reports = RentalReport.objects.filter(renter=user)
    reports.filter(state=ReportState.OPEN).update(state=ReportState.WITHDRAWN, closed_at=now)
    reports.update(text="")
    Guest.objects.filter(email__in=emails).delete()
    _forget_secrets(user)
    Payer.objects.filter(user=user).update(customer="", card_text="")
    # A refund goes by the processor's name of the payment, which stays.
    TopUp.objects.filter(user=user).update(customer="", card="", card_text="")
    # Nothing of others runs on one that is offline: it would have been in the way.
    Machine.objects.filter(host=user, online=False).update(address="", problem="")
    Placement.objects.filter(machine__host=user, state__in=ENDED).update(ssh_host="")
    PayoutAccount.objects.filter(host=user).update(email="")
    PayoutAccount.objects.filter(host=user, closed_at=None).update(closed_at=now)


def _bounding_teams(user: User) -> Sequence[UUID]:
    """Return keys whose spend limit bounds what they made for teams, which goes on without them.

    Such a key opens nothing any more; without its row a team's rental or endpoint would spend as
    much as the team has.
    """
    limited = ApiKey.objects.filter(user=user, spend_limit__isnull=False)
    held = Hold.objects.filter(api_key__in=limited, released_at=None).exclude(user=user)
    serve = Endpoint.objects.filter(api_key__in=limited, deleted_at=None).exclude(renter=user)
    # What they held is back, and the next machine's rental will count for the same key.
    waiting = Failover.objects.filter(settled_at=None, rental__meter__hold__api_key__in=limited)
    named = {
        *waiting.exclude(rental__renter=user).values_list(
            "rental__meter__hold__api_key_id", flat=True
        ),
        *held.values_list("api_key_id", flat=True),
        *serve.values_list("api_key_id", flat=True),
    }
    return sorted(one for one in named if one is not None)


def _forget_secrets(user: User) -> None:
    """Empty what their rentals, jobs and replicas were started with, and who could log in.

    And what their containers said, and what they called their rentals.
    """
    theirs = Q(rental__renter=user) | Q(job__renter=user) | Q(replica__endpoint__renter=user)
    ContainerLog.objects.filter(placement__rental__renter=user).delete()
    Rental.objects.filter(renter=user).exclude(name="").update(name="")
    rows = Placement.objects.filter(theirs, state__in=ENDED).order_by("id")
    for placement in rows.only("id", "workload").iterator(chunk_size=CHUNK):
        workload = placement.workload | {"command": [], "environment": {}}
        Placement.objects.filter(pk=placement.pk).update(
            workload=workload,
            former_workload=None,
            authorized_keys=[],
            guest_keys=[],
            ssh_host="",
        )


def _has_rentals(user: User) -> bool:
    return Rental.objects.filter(renter=user).exclude(placement__state__in=ENDED).exists()


def _has_jobs(user: User) -> bool:
    return Job.objects.filter(renter=user).exclude(placement__state__in=ENDED).exists()


def _has_machines(user: User) -> bool:
    mine = Machine.objects.filter(host=user)
    busy = Placement.objects.filter(machine__in=mine).exclude(state__in=ENDED)
    return mine.filter(Q(online=True) | Q(offer__listed=True)).exists() or busy.exists()


def _has_money(user: User) -> bool:
    mine = Account.objects.filter(user=user, kind__in=MONEY)
    return mine.exclude(credits_posted=F("debits_posted")).exists()


def _has_payments(user: User) -> bool:
    pending = Q(state="pending")
    return (
        TopUp.objects.filter(pending, user=user).exists()
        or Refund.objects.filter(pending, top_up__user=user).exists()
        or Payout.objects.filter(host=user, due_at__isnull=False).exists()
    )


_MONEY_THERE = (
    "There is money in your account: spend it, have it paid out or ask the operator to send it"
    " back first."
)
_OBSTACLES: Sequence[tuple[Callable[[User], bool], str]] = (
    (
        lambda user: user.is_staff or user.is_superuser,
        "You are an operator here: have another one take your roles away first.",
    ),
    (
        lambda user: only_owner_of(user.pk) is not None,
        "A team has no other owner than you: make somebody else one on the page Teams, or close the"
        " team first.",
    ),
    (_has_rentals, "You have rentals: end each of them first, the stopped ones too."),
    (_has_jobs, "You have jobs that run: end them, or wait for them first."),
    (
        lambda user: Endpoint.objects.filter(renter=user, deleted_at=None).exists(),
        "You have endpoints: delete them first.",
    ),
    (
        lambda user: Volume.objects.filter(renter=user).exists(),
        "You have volumes: delete them first, and wait until their machines say so.",
    ),
    (
        _has_machines,
        "You have machines here: take each off the market, let its rentals end and stop its agent"
        " first.",
    ),
    (
        lambda user: Dispute.objects.filter(top_up__user=user, state="open").exists(),
        "A payment of yours is disputed: wait until your bank has decided.",
    ),
    # Before payments: a payout that is opened between the two takes the money along, and is found.
    (_has_money, _MONEY_THERE),
    (_has_payments, "A payment or payout of yours is under way: wait until it has arrived."),
    # And behind them: a payment that arrived between the two was not there yet, and pends no more.
    (_has_money, _MONEY_THERE),
    (
        lambda user: Payer.objects.filter(user=user).exclude(card="").exists(),
        "A card of yours is saved: remove it on the page Money first.",
    ),
)
