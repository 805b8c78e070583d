"""This will keep what a person proves a log-in with beside the password, and check it for programs.

The library's pages do the same for browsers. A passkey is for browsers alone: who has nothing else
makes an API key on the page.
"""

import base64
from datetime import datetime, timedelta

from allauth.account.authentication import get_authentication_records
from allauth.core.internal.cryptokit import normalize_user_code
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from marketplace.accounts.actions.count_attempt import Limit, TooManyAttempts, count, give_back
from marketplace.accounts.actions.note_event import note
from marketplace.accounts.models import AccountEvent, User
from marketplace.domain.problem import Refused
from marketplace.secret_key import box

Kind = AccountEvent.Kind
OF_OPERATOR = "all of them, taken off by an operator"
#: another use of the same secret key has another purpose, so their keys tell nothing of each other
PURPOSE = b"berth second step 1"
#: that one account may try: of a million codes three are right at a time
CODES = Limit("try a code", 10, timedelta(minutes=5))
#: wrong ones, of which the account's owner is told: whoever tries them knows the password
FAILURES = Limit("fail at a code", 10, timedelta(days=1))
#: that its owner is told of
TOLD = Limit("tell of failed codes", 1, timedelta(days=1))
#: recovery codes stand in for these, and guard nothing alone
GUARDS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
#: for what only staff may open
LASTS = timedelta(hours=12)
#: one, for longer than an app shows it
USES = Limit("use a code", 1, timedelta(minutes=5))


class CodeRequired(Refused):
    """The password is right, and this account wants a code as well."""

    code = "code_required"
    status = 401
    sentence = "Give the code of your authenticator app too, or one of your recovery codes."


class WrongCode(Refused):
    code = "wrong_code"
    status = 401
    sentence = "This code is wrong, or it was used; wait for the next one."


class PasskeyOnly(Refused):
    """Only a browser can ask for a passkey."""

    code = "passkey_only"
    status = 401
    sentence = "This account logs in with a passkey; make an API key on the page “API keys”."


class Adapter(DefaultMFAAdapter):  # type: ignore[misc]  # the library has no types
    """Keeps secrets unreadable to whoever reads the database alone."""

    def encrypt(self, text: str) -> str:
        """Return the secret as the database keeps it."""
        return _box().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Return the secret that ``encrypt`` kept; of another secret key: one that fits no code."""
        try:
            return _box().decrypt(encrypted_text.encode()).decode()
        except InvalidToken:
            return base64.b32encode(Fernet.generate_key()[:20]).decode()


class _Counted:
    """A form of the library that takes a code: as often as ``check`` does, and each code once."""

    user: User

    def clean_code(self) -> str:
        """Return a right code."""
        now = timezone.now()
        try:
            _begin(self.user, now)
            code: str = super().clean_code()  # type: ignore[misc]  # of the library's form
            _use(self.user, code, now)
        except Refused as refused:
            raise ValidationError(refused.detail) from None
        return code


class LogInForm(_Counted, AuthenticateForm):  # type: ignore[misc]
    """The second step of a log-in."""


class AgainForm(_Counted, ReauthenticateForm):  # type: ignore[misc]
    """The same before something that only its owner may do."""


def check(*, user: User, code: str, now: datetime) -> None:
    """Accept somebody who has no second step, or whose code is right; a code serves once.

    :raises CodeRequired: when there is no code.
    :raises WrongCode: when it is not right.
    :raises TooManyAttempts: when too many were tried.
    :raises PasskeyOnly: when there is nothing that a code could be right for.
    """
    theirs = Authenticator.objects.filter(user=user).order_by("pk")
    if not theirs:
        return
    checked_by = [one for one in theirs if one.type != Authenticator.Type.WEBAUTHN]
    if not checked_by:
        raise PasskeyOnly
    if not code.strip():
        raise CodeRequired
    _begin(user, now)
    right = [one for one in checked_by if one.wrap().validate_code(code)]
    if not right:
        raise WrongCode
    _use(user, code, now)
    right[0].record_usage()


def is_set(user: User) -> bool:
    """Say whether an authenticator app or a passkey guards the account."""
    return bool(Authenticator.objects.filter(user=user, type__in=GUARDS).exists())


def has_no_codes(user: User) -> bool:
    """Say whether passkeys alone guard the account: then a form can ask for no code."""
    types = set(Authenticator.objects.filter(user=user).values_list("type", flat=True))
    return types == {Authenticator.Type.WEBAUTHN}


def taken_lately(request: HttpRequest, *, now: datetime) -> bool:
    """Say whether who has this session gave a second step in it, at most a day's work ago.

    A password is none, however often it is given.
    """
    if not isinstance(request.user, User) or not is_set(request.user):
        return False
    records = get_authentication_records(request, request.user)
    given = [float(record["at"]) for record in records if record.get("method") == "mfa"]
    return bool(given) and now.timestamp() - max(given) < LASTS.total_seconds()


def remove(*, user: User) -> bool:
    """Say whether there was a second step, and take it off with all that it once let in."""
    with transaction.atomic():
        there_was = bool(Authenticator.objects.filter(user=user).delete()[0])
        if there_was:
            now = timezone.now()
            user.end_api_keys(now)
            note(user_id=user.pk, kind=Kind.SECOND_STEP_REMOVED, about=OF_OPERATOR, now=now)
            for session in UserSession.objects.filter(user=user).order_by("pk"):
                session.end()
    return there_was


def note_removal(user: User, authenticator: Authenticator, **_: object) -> None:
    """Write down that one was taken off on the page: whoever has got in begins with that."""
    if authenticator.type != Authenticator.Type.RECOVERY_CODES:
        note(
            user_id=user.pk,
            kind=Kind.SECOND_STEP_REMOVED,
            about=str(authenticator),
            now=timezone.now(),
        )


def _begin(user: User, now: datetime) -> None:
    """Count a code that is about to be tried; a right one is taken back."""
    try:
        count(limit=FAILURES, subject=str(user.pk), now=now)
    except TooManyAttempts:
        _note_failures(user, now)
    count(limit=CODES, subject=str(user.pk), now=now)


def _note_failures(user: User, now: datetime) -> None:
    try:
        count(limit=TOLD, subject=str(user.pk), now=now)
    except TooManyAttempts:
        return
    note(user_id=user.pk, kind=Kind.CODES_FAILED, now=now)


def _use(user: User, code: str, now: datetime) -> None:
    """Note that a right code was used, for all processes of the site together."""
    try:
        count(limit=USES, subject=f"{user.pk}\n{normalize_user_code(code)}", now=now)
    except TooManyAttempts:
        raise WrongCode from None
    for limit in (CODES, FAILURES):
        give_back(limit=limit, subject=str(user.pk))


def _box() -> Fernet:
    return box(settings.SECRET_KEY, purpose=PURPOSE)
