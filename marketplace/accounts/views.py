"""This will put the library's log-in and sign-up pages behind our limits."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps

from allauth.account import views
from allauth.account.internal.flows.login import record_authentication
from allauth.socialaccount.models import SocialAccount
from allauth.socialaccount.views import ConnectionsView
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from marketplace.accounts.actions import guess
from marketplace.accounts.actions.count_attempt import Limit, TooManyAttempts, count
from marketplace.accounts.asked_again import asked_again, proofs
from marketplace.accounts.client_address import client_address
from marketplace.accounts.models import User
from marketplace.accounts.other_log_ins import called, links, offered


class LogIn(views.LoginView):  # type: ignore[misc]  # the library has no types
    """Knows whether the site can send a letter."""

    def get_context_data(self, **more: object) -> dict[str, object]:
        """Return the library's context and ours."""
        ours = {"sends_mail": settings.SENDS_MAIL, "others": offered()}
        return {**super().get_context_data(**more), **ours}


class SignUp(views.SignupView):  # type: ignore[misc]
    """Knows by whom people log in beside us."""

    def get_context_data(self, **more: object) -> dict[str, object]:
        """Return the library's context and ours."""
        return {**super().get_context_data(**more), "others": offered()}


class LogIns(ConnectionsView):  # type: ignore[misc]
    """Shows by whom a person logs in, and links another."""

    def get_context_data(self, **more: object) -> dict[str, object]:
        """Return the library's context and ours."""
        linked = SocialAccount.objects.filter(user=self.request.user).order_by("pk")
        ours = {
            "others": {
                one: name
                for one, name in offered().items()
                if one not in {each.provider for each in linked}
            },
            "linked": [
                (each.pk, settings.OTHER_LOG_INS[each.provider], called(each)) for each in linked
            ],
        }
        return {**super().get_context_data(**more), **ours}


_log_in: Callable[[HttpRequest], HttpResponse] = LogIn.as_view()
_reset_password: Callable[[HttpRequest], HttpResponse] = views.password_reset
_sign_up: Callable[[HttpRequest], HttpResponse] = SignUp.as_view()
log_ins: Callable[[HttpRequest], HttpResponse] = LogIns.as_view()
#: from one network address; each also tells whether an e-mail address is known here
SIGN_UPS = Limit("sign up from a network address", 20, timedelta(minutes=10))


def log_in(request: HttpRequest) -> HttpResponse:
    """Show the log-in page, or try a password."""
    if request.method != "POST":
        return _log_in(request)
    email, address = request.POST.get("login", ""), client_address(request)
    try:
        guess.begin(email=email, address=address, now=timezone.now())
    except TooManyAttempts as refused:
        return _wait(request, refused)
    response = _log_in(request)
    if request.user.is_authenticated:
        guess.was_right(email=email, address=address)
    return response


def own_password(view: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    """Return a page that asks somebody for their password again, behind the limits of a log-in.

    Whoever has their session, and not their password, would guess at it here.
    """

    @wraps(view)
    def bounded(request: HttpRequest) -> HttpResponse:
        user = request.user
        if request.method != "POST" or not isinstance(user, User):
            return view(request)
        email, address = user.email, client_address(request)
        try:
            guess.begin(email=email, address=address, now=timezone.now())
        except TooManyAttempts as refused:
            return _wait(request, refused)
        before = proofs(request)
        response = view(request)
        # What they were asked for is done at once, and its answer may be a page.
        if response.status_code == 302 or proofs(request) > before:
            guess.was_right(email=email, address=address)
        return response

    return bounded


def sign_up(request: HttpRequest) -> HttpResponse:
    """Show the sign-up page, or make an account."""
    came_in = request.method == "POST" and not request.user.is_authenticated
    if request.method == "POST":
        try:
            count(limit=SIGN_UPS, subject=client_address(request), now=timezone.now())
        except TooManyAttempts as refused:
            return _wait(request, refused)
    response = _sign_up(request)
    if came_in and isinstance(request.user, User):
        # They chose the password just now; the library notes that of a log-in alone.
        record_authentication(request, request.user, method="password")
    return response


def reset_password(request: HttpRequest) -> HttpResponse:
    """Send a letter that sets a new password, where this site can send one."""
    if not settings.SENDS_MAIL:
        raise Http404("This site sends no mail.")
    return _reset_password(request)


@login_required
def log_in_again(request: HttpRequest) -> HttpResponse:
    """Lead somebody without a password back to whoever lets them in."""
    user = request.user
    context = {"others": links(user) if isinstance(user, User) else {}}
    return render(request, "socialaccount/again.html", context)


set_password = asked_again(views.password_set)
reauthenticate = own_password(views.reauthenticate)
change_password = own_password(views.password_change)


def _wait(request: HttpRequest, refused: TooManyAttempts) -> HttpResponse:
    page = render(request, "429.html", {"sentence": refused.detail}, status=refused.status)
    page.headers["Retry-After"] = str(refused.retry_after_s)
    return page
