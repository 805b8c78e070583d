"""This will say which page of the console answers which address below /console/."""

from django.urls import path

from marketplace.pages.views.console.home import console
from marketplace.pages.views.console.log import log
from marketplace.pages.views.console.roles import roles

urlpatterns = [
    path("", console, name="console"),
    path("log/", log, name="console-log"),
    path("roles/", roles, name="console-roles"),
]
