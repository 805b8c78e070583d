"""This will name the request of somebody who is logged in."""

from django.http import HttpRequest

from marketplace.accounts.models import User


class MemberRequest(HttpRequest):
    """What a view behind ``login_required`` gets."""

    user: User
