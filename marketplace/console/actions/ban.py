"""This will shut a person out of the site, with a reason that they read, and let them in again.

Nobody shut out logs in, uses an API key, rents or enrols. What they rent stops with its files kept
(a reservation cannot stop, so it ends), jobs and replicas end, and their machines take nobody new;
whoever rents there goes on. Their money stays theirs: payouts and automatic payments wait.
"""

from datetime import datetime

from allauth.usersessions.models import UserSession
from django.db import transaction

from marketplace.accounts.models import User
from marketplace.accounts.queries import is_deleted
from marketplace.console.actions.set_roles import NobodyThere
from marketplace.console.actions.shut_out import shut_out
from marketplace.console.models import Ban, StaffRole
from marketplace.console.staff import Staff
from marketplace.domain.oversight import ActKind, Right
from marketplace.domain.problem import Refused
from marketplace.notices.actions.notify import notify


class WorksHere(Refused):
    code = "works_here"
    status = 409
    sentence = (
        "This person, or somebody of this team, works for the site; take their roles away first."
    )


class BannedAlready(Refused):
    code = "banned_already"
    status = 409
    sentence = "This person is banned already."


class NotBanned(Refused):
    code = "not_banned"
    status = 409
    sentence = "This person is not banned."


def ban(*, by: Staff, user_id: int, reason: str, now: datetime) -> None:
    """Shut the person out; what they run is stopped after that, and again by a pass.

    Call it outside a transaction: each rental is stopped in one of its own.

    :raises NotYourRole: when they who ask may not.
    :raises NobodyThere: when there is no such person.
    :raises WorksHere: when they have a role.
    :raises BannedAlready: when they are shut out.
    :raises ReasonUnfit: when no reason is given, or too long a one.
    :raises TextRefused: when it shows something else than it says.
    """
    by.must(Right.INTERVENE)
    words = by.words(reason)
    with transaction.atomic():
        user = _locked(user_id)
        if user.is_superuser or StaffRole.objects.filter(user=user).exists():
            raise WorksHere
        if not user.is_active:
            raise BannedAlready
        User.objects.filter(pk=user.pk).update(is_active=False)
        made = Ban.objects.create(user=user, reason=words, banned_at=now)
        for session in UserSession.objects.filter(user=user).order_by("pk"):
            session.end()
        _keep(by, user, ActKind.BAN, words, now)
        notify(
            user_id=user.pk,
            kind="account_banned",
            cause=f"ban:{made.pk}",
            title="Your account is banned",
            text=f"{words} You cannot log in, what you ran was stopped and your machines"
            " take nobody new. What you have and what you earned stays yours. If this is wrong,"
            " write to the site's operator.",
            now=now,
        )
    shut_out(user_ids=[user_id], now=now)


def lift(*, by: Staff, user_id: int, reason: str, now: datetime) -> None:
    """Let the person in again; they start what was stopped, and list their machines, themselves.

    :raises NotYourRole: when they who ask may not.
    :raises NobodyThere: when there is no such person.
    :raises NotBanned: when they are not shut out.
    :raises ReasonUnfit: when no reason is given, or too long a one.
    :raises TextRefused: when it shows something else than it says.
    """
    by.must(Right.INTERVENE)
    by.must_not_be(user_id)
    with transaction.atomic():
        user = _locked(user_id)
        if user.is_active or is_deleted(user):
            raise NotBanned
        User.objects.filter(pk=user.pk).update(is_active=True)
        Ban.objects.filter(user=user, lifted_at=None).update(lifted_at=now)
        act = _keep(by, user, ActKind.LIFT_BAN, reason, now)
        notify(
            user_id=user.pk,
            kind="account_restored",
            cause=f"ban-lifted:{act}",
            title="Your account is open again",
            text="You can log in. What was stopped is started by you, within the days that its"
            " files are kept, and your machines are listed by you.",
            data={"url": "/rentals/"},
            now=now,
        )


def _locked(user_id: int) -> User:
    user = User.objects.select_for_update(no_key=True).filter(pk=user_id).first()
    if user is None:
        raise NobodyThere
    return user


def _keep(by: Staff, user: User, kind: ActKind, reason: str, now: datetime) -> int:
    banned = kind is ActKind.BAN
    act = by.acted(
        kind,
        subject=f"person {user.pk}",
        reason=reason,
        person_id=user.pk,
        before={"banned": not banned},
        after={"banned": banned},
        now=now,
    )
    return act.pk
