"""Wherever the site is served, a page's socket fills no memory: neither by size nor by number."""

import re

from tests.architecture.sources import text_of

PLACES = ("docker/marketplace.Dockerfile", "docker-compose.yml", "docs/operating.md")
#: Packed messages that come as one piece are unpacked all at once: 60 kB become 50 MB.
BOUNDS = ("--ws-max-size 131072", "--ws-max-queue 4", "--ws-per-message-deflate false")


def commands(text: str) -> list[str]:
    """Return the lines that serve the site, without what a list puts between words."""
    lines = [line for line in text.splitlines() if "marketplace.asgi:application" in line]
    return [re.sub(r'[",\[\]]+', "", line) for line in lines]


def test_every_command_that_serves_the_site_bounds_what_a_socket_says() -> None:
    for place in PLACES:
        found = commands(text_of(place))
        assert found
        assert [bound for bound in BOUNDS for line in found if bound not in line] == []
