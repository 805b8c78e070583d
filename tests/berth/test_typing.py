"""This will type at ``berth`` as people do: options anywhere, short ids, Ctrl-C, narrow screens."""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from typing import Any

import pytest

from protocol.hardware import Resources
from tests.berth.market import Market, offer
from tests.berth.terminal import Terminal


@pytest.mark.parametrize(
    "typed", [("--json", "ps"), ("ps", "--json"), ("--json", "ps", "--all"), ("--json", "keys")]
)
def test_json_may_stand_before_the_command(terminal: Terminal, typed: tuple[str, ...]) -> None:
    ran = terminal.berth(*typed)
    assert (ran.code, ran.json) == (0, {"items": []})


def test_json_behind_two_dashes_belongs_to_the_remote_command(
    terminal: Terminal, market: Market
) -> None:
    rental = market.add_rental(script=["active"])
    ran = terminal.berth("ssh", rental["id"], "--print", "--", "tool", "--json")
    assert ran.out.endswith("'tool --json'\n")


def test_a_wrong_command_is_a_problem_for_programs_too(terminal: Terminal) -> None:
    ran = terminal.berth("--json", "nonsense")
    assert (ran.code, ran.problem["code"]) == (2, "usage")


def test_the_version_is_said(terminal: Terminal) -> None:
    assert terminal.berth("--version").out.startswith("berth ")


def test_offers_are_for_everybody(terminal: Terminal, market: Market) -> None:
    market.public = True
    del terminal.environment["BERTH_API_KEY"]
    ran = terminal.berth("offers")
    assert ran.code == 0
    assert "offer-b" in ran.out
    assert "authorization" not in market.seen[0].headers


def test_the_beginning_of_an_offer_is_enough(terminal: Terminal, market: Market) -> None:
    market.offers = [offer("aa11", 20_000), offer("aa22", 20_000), offer("bb11", 20_000)]
    up = ("--image", "debian:12", "--lease", "1h", "--json")
    assert terminal.berth("up", "bb", *up).json["offer_id"] == "bb11"
    assert terminal.berth("up", "aa", *up).problem["code"] == "ambiguous"
    assert terminal.berth("up", "cc", *up).problem["code"] == "not_found"
    assert len(market.rentals) == 1


def test_the_beginning_of_a_key_is_enough(terminal: Terminal, market: Market) -> None:
    market.keys = [{"id": "abcd-1", "name": "x", "fingerprint": "SHA256:1", "public_key": "k"}]
    assert terminal.berth("keys", "rm", "abcd").code == 0
    assert market.keys == []


def test_whoever_waits_is_told_once_by_when_others_were_ready(
    terminal: Terminal, market: Market
) -> None:
    market.foretold = {"half_by": "2026-03-01T12:00:20Z", "most_by": "2026-03-01T12:01:30Z"}
    typed = ("up", "--cheapest", "--image", "x", "--lease", "1h", "--wait")
    told = "on this machine would be ready by 12:00:20, 95 of 100 by 12:01:30 (UTC)."
    assert terminal.berth(*typed).err.count(told) == 1
    assert told not in terminal.berth(*typed, "--json").err


def test_ctrl_c_stops_the_waiting_and_not_the_rental(terminal: Terminal, market: Market) -> None:
    market.script = []
    typed = ("up", "--cheapest", "--image", "x", "--lease", "1h", "--wait")
    waiting = subprocess.Popen(
        [sys.executable, "-m", "berth", *typed],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=terminal.environment,
        cwd=terminal.home,
        # Whoever runs the tests in the background has switched Ctrl-C off, for all that follows.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert waiting.stderr is not None
    price, state = waiting.stderr.readline(), waiting.stderr.readline()
    assert price == "Offer offer-b costs $0.02 an hour, $0.02 at most.\n"
    rental_id = state.split()[0]
    waiting.send_signal(signal.SIGINT)
    out, err = waiting.communicate(timeout=30)
    assert (waiting.returncode, out) == (130, "")
    assert f"rental {rental_id} goes on" in err
    assert "Traceback" not in err
    assert [one["state"] for one in market.rentals.values()] == ["queued"]


def test_tables_fit_a_narrow_screen(terminal: Terminal, market: Market) -> None:
    market.offers = [
        offer(
            "0123456789abcdef",
            20_000,
            gpu_model="NVIDIA RTX PRO 6000 Blackwell Server Edition",
            gpus=8,
            gpus_free=8,
            vram_bytes=96 << 30,
            price_gpu_hour_microusd=1_250_000,
        )
    ]
    market.add_rental(
        image="ghcr.io/someone/with-a-long-name/and-a-long-image:2026.11.21-cuda",
        resources=Resources.of(cpus=64, ram_bytes=512 << 30, disk_bytes=1 << 40, gpus=8).model_dump(
            mode="json"
        ),
        gpu_model="NVIDIA RTX PRO 6000 Blackwell Server Edition",
    )
    for command in ("offers", "ps"):
        lines = on_a_screen(terminal, command, columns=80)
        assert len(lines) == 2
        assert all(len(line) <= 80 for line in lines)
        assert "…" in lines[1]
    assert "$1.25 GPU" in on_a_screen(terminal, "offers", columns=80)[1]
    assert "8 x NVIDIA RTX" in on_a_screen(terminal, "ps", columns=80)[1]
    assert "8 x NVIDIA RTX PRO 6000 Blackwell Server Edition, 512 GiB" in terminal.berth("ps").out


def on_a_screen(terminal: Terminal, *typed: str, columns: int) -> list[str]:
    """Return the lines that the command writes to a terminal of this width, without colours."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment: dict[str, Any] = terminal.environment | {"TERM": "dumb"}
    subprocess.run(
        [sys.executable, "-m", "berth", *typed],
        stdin=theirs,
        stdout=theirs,
        env=environment,
        cwd=terminal.home,
        timeout=60,
        check=True,
    )
    os.close(theirs)
    written = b""
    try:
        while block := os.read(ours, 65_536):
            written += block
    except OSError:
        # Linux says that a terminal without its other side is an error, not an end.
        pass
    os.close(ours)
    return [line.rstrip() for line in written.decode().splitlines() if line.strip()]
