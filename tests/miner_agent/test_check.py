"""What a machine is told about itself, for people and for programs."""

import json
from pathlib import Path

from miner_agent.checks.network import ports_listening
from miner_agent.checks.system import is_synchronised
from tests.miner_agent.host import Host
from tests.miner_agent.market import LoopbackMarket

SOCKETS = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1
   1: 0100007F:2328 0100007F:0016 01 00000000:00000000 00:00000000 00000000     0        0 2
"""


def test_only_those_that_listen_take_a_port() -> None:
    assert ports_listening([SOCKETS, ""]) == {8080}


def test_the_kernel_can_be_asked_about_its_clock() -> None:
    assert is_synchronised() in (True, False)


def test_a_program_gets_every_finding_once_with_all_that_belongs_to_it(
    running_host: Host, market: LoopbackMarket
) -> None:
    market.wait_until(lambda: market.syncs > 0)
    checked = running_host.command("check", "--json")
    findings = json.loads(checked.stdout)
    by_id = {one["id"]: one for one in findings}
    assert len(by_id) == len(findings) >= 25
    for one in findings:
        assert all((one["actual"], one["required"], one["why"])), one
        assert one["passed"] or one["fix"], one
    assert "The agent listens" in by_id["control-port"]["actual"]
    assert by_id["ports"]["passed"]
    assert by_id["marketplace"]["passed"]
    assert by_id["clock-skew"]["passed"]
    assert checked.returncode == (
        0 if all(one["passed"] or not one["needed"] for one in findings) else 1
    )


def test_a_home_that_others_may_write_in_fails_the_check(engine: None, tmp_path: Path) -> None:
    market = LoopbackMarket()
    host = Host(tmp_path, market, image="", network="10.219.7.0/24")
    market.close()
    (tmp_path / "agent").mkdir(mode=0o777)
    (tmp_path / "agent").chmod(0o777)
    checked = host.command("check")
    assert checked.returncode == 1
    assert "FAIL  On this machine others may write in" in checked.stdout
    assert "home: Whoever has the key is this machine." in checked.stdout
    # The marketplace is away, which is the host's to know and no reason to refuse.
    assert "warn  http://127.0.0.1:" in checked.stdout
