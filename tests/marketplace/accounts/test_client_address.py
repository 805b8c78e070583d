"""Whose guesses count together: by what our own proxies saw, never by what a client claims."""

import pytest
from django.test import RequestFactory
from pytest_django.fixtures import Settings

from marketplace.accounts.client_address import client_address


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "", "10.0.0.9"),
        (0, "198.51.100.1", "10.0.0.9"),
        (1, "198.51.100.1", "198.51.100.1"),
        (1, "192.0.2.77, 198.51.100.1", "198.51.100.1"),
        (2, "192.0.2.77, 198.51.100.1, 203.0.113.5", "198.51.100.1"),
        (2, "198.51.100.1", "10.0.0.9"),
        (1, "nonsense", "10.0.0.9"),
        (1, "198.51.100.1:4711", "10.0.0.9"),
        (1, "", "10.0.0.9"),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        (1, "::ffff:198.51.100.1", "198.51.100.1"),
    ],
)
def test_only_our_own_proxies_are_believed(
    settings: Settings, proxies: int, forwarded: str, address: str
) -> None:
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory().get(
        "/", headers={"X-Forwarded-For": forwarded}, REMOTE_ADDR="10.0.0.9"
    )
    assert client_address(request) == address


def test_a_unix_socket_has_no_address() -> None:
    assert client_address(RequestFactory().get("/", REMOTE_ADDR="")) == ""
