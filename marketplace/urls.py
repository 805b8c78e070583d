"""This will say which part of the site answers which address."""

from django.contrib import admin
from django.urls import include, path

from marketplace.api import agent_api, api
from protocol import paths

urlpatterns = [
    path(paths.API.removeprefix("/") + "/", api.urls),
    path(paths.AGENT_API.removeprefix("/") + "/", agent_api.urls),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
]
