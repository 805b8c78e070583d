"""The rule set that keeps rentals in, in a network of its own."""

import subprocess
import sys

from miner_agent.firewall import PRIVATE
from tests.miner_agent.host import REPOSITORY


def rules_after(*steps: str) -> str:
    """Return every rule of an empty network in which Docker's chain is there, after the steps."""
    script = "\n".join(("from miner_agent import firewall", *steps))
    shell = 'iptables -N DOCKER-USER && "$0" -c "$1" && iptables -S'
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", shell, sys.executable, script],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_rentals_pass_through_rules_that_keep_them_off_the_hosts_network() -> None:
    rules = rules_after("firewall.ensure()", "assert firewall.is_installed()")
    assert "-A DOCKER-USER -i berth-+ -j BERTH-FORWARD" in rules
    assert "-A INPUT -i berth-+ -j BERTH-INPUT" in rules
    for network in PRIVATE:
        assert f"-A BERTH-FORWARD -d {network} -j REJECT" in rules


def test_installing_twice_is_installing_once() -> None:
    assert rules_after("firewall.install()", "firewall.install()") == rules_after(
        "firewall.install()"
    )


def test_rules_that_somebody_flushed_come_back() -> None:
    flush = "from miner_agent.command import run; run(['iptables', '-F'])"
    rules = rules_after("firewall.ensure()", flush, "firewall.ensure()")
    assert rules == rules_after("firewall.ensure()")


def test_removing_leaves_nothing() -> None:
    assert "BERTH" not in rules_after("firewall.install()", "firewall.remove()")
