"""This will say which part of the site answers which address."""

from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.models import Group
from django.urls import include, path

from marketplace.accounts.views import (
    change_password,
    log_in,
    reauthenticate,
    reset_password,
    sign_up,
)
from marketplace.api import agent_api, api
from marketplace.payments.views import card_events
from marketplace.payouts.webhooks import connect_events
from protocol import paths

# The site's own log-in limits guessing; the admin's does not.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
# Libraries bring these with forms that change; nothing here uses any.
admin.site.unregister((Authenticator, EmailAddress, Group, UserSession))

urlpatterns = [
    path(paths.API.removeprefix("/") + "/", api.urls),
    path(paths.AGENT_API.removeprefix("/") + "/", agent_api.urls),
    path("accounts/login/", log_in, name="account_login"),
    path("accounts/signup/", sign_up, name="account_signup"),
    path("accounts/password/reset/", reset_password, name="account_reset_password"),
    path("accounts/password/change/", change_password, name="account_change_password"),
    path("accounts/reauthenticate/", reauthenticate, name="account_reauthenticate"),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("stripe/events", card_events, name="card-events"),
    path("stripe/connect", connect_events, name="stripe-connect"),
    path("", include("marketplace.pages.urls")),
]
