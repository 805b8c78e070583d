"""What a host reads in the terminal, before, at and after the enrolment."""

import json
import os
from pathlib import Path

from tests.miner_agent.host import Host
from tests.miner_agent.market import TOKEN, LoopbackMarket


def bare(home: Path, market: LoopbackMarket) -> Host:
    """Return a machine that nobody has told a marketplace or an address."""
    network = f"10.219.{os.getpid() % 250}.0/24"
    host = Host(home, market, image="", network=network)
    for name in ("BERTH_MARKETPLACE_URL", "BERTH_AGENT_ADDRESS"):
        del host.environment[name]
    return host


def test_what_enroll_is_told_is_what_every_later_command_knows(
    engine: None, tmp_path: Path
) -> None:
    market = LoopbackMarket()
    host = bare(tmp_path, market)
    enrolled = host.command("enroll", "--url", market.url, told=TOKEN)
    market.close()
    assert enrolled.returncode == 0, enrolled.stderr
    assert "Renters are given 127.0.0.1." in enrolled.stdout
    kept = json.loads((tmp_path / "agent" / "enrolment.json").read_text())
    assert (kept["marketplace_url"], kept["address"]) == (market.url, "127.0.0.1")
    status = host.command("status").stdout
    for words in (kept["machine_id"], market.machine_key, market.url, "127.0.0.1"):
        assert words in status
    host.environment["BERTH_AGENT_ADDRESS"] = "9.9.9.9"
    checked = host.command("check").stdout
    assert "BERTH_AGENT_ADDRESS says 9.9.9.9: enroll again" in checked


def test_the_address_that_enroll_is_told_is_what_renters_are_given(
    engine: None, tmp_path: Path
) -> None:
    market = LoopbackMarket()
    host = bare(tmp_path, market)
    told = ("--url", market.url, "--address", "gpu.example.org")
    enrolled = host.command("enroll", *told, told=TOKEN)
    market.close()
    assert "Renters are given gpu.example.org." in enrolled.stdout
    checked = host.command("check").stdout
    assert "ok    This machine is enrolled. Renters are given gpu.example.org.\n" in checked


def test_what_is_no_token_is_refused_in_one_sentence_and_makes_no_key(tmp_path: Path) -> None:
    market = LoopbackMarket()
    host = bare(tmp_path, market)
    result = host.command("enroll", "--url", market.url, told="wrong")
    market.close()
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("berth-agent: This is no enrolment token")
    assert not (tmp_path / "agent" / "machine_key").exists()


def test_a_machine_that_is_nobodys_says_so_once(tmp_path: Path) -> None:
    market = LoopbackMarket()
    host = bare(tmp_path, market)
    market.close()
    for command in ("run", "status"):
        result = host.command(command)
        assert result.returncode == 1
        (line,) = result.stderr.splitlines()
        assert "This machine is not enrolled; run: berth-agent enroll --url URL" in line
