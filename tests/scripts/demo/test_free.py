"""The demo asks for another port before it begins, and takes a network that nobody uses."""

import socket

import pytest

from scripts.demo import free


def test_a_port_in_use_is_refused_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(free.NothingFree, match=rf"port {port} is in use .*make demo PORT="):
            free.refuse_taken(port)


def test_a_free_port_is_good() -> None:
    free.refuse_taken(free.port())


def test_the_network_touches_no_route() -> None:
    network = free.network()

    assert not any(network.overlaps(route) for route in free.routes() if route.prefixlen)
