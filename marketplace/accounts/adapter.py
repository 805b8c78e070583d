"""This will tell the library that logs people in what this site knows better."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest

from marketplace.accounts.client_address import client_address


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]  # the library has no types
    """Its remaining limits count the same addresses as ours."""

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the address that a request counts for."""
        return client_address(request)
