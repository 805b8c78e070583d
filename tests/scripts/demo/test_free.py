"""The demo asks for another port before it begins, and takes a network that nobody uses."""

import socket
from pathlib import Path

import pytest

from scripts.demo import free


def test_a_port_in_use_is_refused_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(free.NothingFree, match=rf"port {port} is in use .*make demo PORT="):
            free.refuse_taken(port)


def test_a_full_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(free, "ROOM_BYTES", 1 << 60)

    with pytest.raises(free.NothingFree, match=rf"GiB are free in {tmp_path}; the demo needs"):
        free.refuse_full(tmp_path)


def test_a_free_port_is_good() -> None:
    free.refuse_taken(free.port())


def test_the_network_touches_no_route() -> None:
    network = free.network()

    assert not any(network.overlaps(route) for route in free.routes() if route.prefixlen)
