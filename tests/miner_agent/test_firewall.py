"""The rule set that keeps rentals in, in a network of its own."""

import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest

from miner_agent.firewall import CONNECTIONS_MOST
from protocol.address import IPV4_INSIDE
from tests.miner_agent.host import REPOSITORY


def rules_after(*steps: str) -> str:
    """Return every rule of an empty network in which Docker's chain is there, after the steps."""
    script = "\n".join(("from miner_agent import firewall", *steps))
    shell = 'iptables -N DOCKER-USER; "$0" -c "$1" && iptables-save && echo IPv6 && ip6tables-save'
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", shell, sys.executable, script],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # Counters and comments differ from one reading to the next.
    lines = [line.partition(" [")[0] for line in done.stdout.splitlines()]
    return "\n".join(line for line in lines if not line.startswith("#"))


def test_rentals_pass_through_rules_that_keep_them_off_the_hosts_network() -> None:
    rules = rules_after("firewall.ensure()", "assert firewall.is_installed()")
    assert "-A DOCKER-USER -i berth-+ -j BERTH-FORWARD" in rules
    assert "-A INPUT -i berth-+ -j BERTH-INPUT" in rules
    for network in IPV4_INSIDE:
        assert f"-A BERTH-FORWARD -d {network} -j REJECT" in rules
    # Metadata services: of most clouds, Oracle's, Alibaba's, Azure's; then what is reserved.
    for address in ("169.254.169.254", "192.0.0.192", "100.100.100.200", "168.63.129.16"):
        assert any(ip_address(address) in network for network in IPV4_INSIDE)
    assert "-A BERTH-FORWARD -d 224.0.0.0/3 -j DROP" in rules
    assert "-A PREROUTING -i berth-+ -j BERTH-SOURCE" in rules
    assert "-A DOCKER-USER -o berth-+ -j BERTH-ARRIVAL" in rules


def test_nothing_of_a_rental_passes_by_ipv6() -> None:
    rules = rules_after("firewall.ensure()").partition("IPv6")[2].splitlines()
    for caller, chain in (("INPUT", "BERTH-INPUT"), ("FORWARD", "BERTH-FORWARD")):
        assert f"-A {caller} -i berth-+ -j {chain}" in rules
        assert [rule for rule in rules if rule.startswith(f"-A {chain}")] == [f"-A {chain} -j DROP"]


def test_installing_twice_is_installing_once() -> None:
    assert rules_after("firewall.install()", "firewall.install()") == rules_after(
        "firewall.install()"
    )


@pytest.mark.parametrize(
    "flush", ["iptables -F", "iptables -t raw -F", "ip6tables -F", "ip6tables -F INPUT"]
)
def test_rules_that_somebody_flushed_come_back(flush: str) -> None:
    flushing = f"from miner_agent.command import run; run({flush.split()})"
    rules = rules_after("firewall.ensure()", flushing, "firewall.ensure()")
    assert rules == rules_after("firewall.ensure()")


def test_removing_leaves_nothing() -> None:
    assert "BERTH" not in rules_after("firewall.install()", "firewall.remove()")


#: a rental at one end of a bridge, the world behind this network
FLOOD = """
iptables -N DOCKER-USER && iptables -I FORWARD -j DOCKER-USER
"$0" -c "from miner_agent import firewall; firewall.install()"
echo 1 > /proc/sys/net/ipv4/ip_forward
ip link add berth-test type veth peer name inside
ip address add 10.9.0.1/24 dev berth-test && ip link set berth-test up
ip link add world type veth peer name beyond
ip address add 198.51.100.1/24 dev world && ip link set beyond up && ip link set world up
ip neigh add 198.51.100.9 lladdr 02:00:00:00:00:09 dev world
# What an earlier call left there says nothing of this one.
rm -f "$3"
unshare --net sh -c 'echo ready; exec sleep 600' > "$3" 2> /dev/null & rental=$!
trap "kill $rental" EXIT
until grep -qs ready "$3"; do :; done
ip link set inside netns $rental
enter="nsenter -t $rental -n"
$enter ip address add 10.9.0.2/24 dev inside && $enter ip link set inside up
$enter ip route add default via 10.9.0.1
$enter ip address add 203.0.113.5/32 dev inside
$enter "$0" -c "$1" "$2" "$4"
cat /proc/sys/net/netfilter/nf_conntrack_count
"""
#: a few of them again, as a busy kernel drops what comes faster than it looks: none is new then
SEND = """
import socket, sys, time
count = int(sys.argv[1])
for turn in range(5 if count < 2000 else 1):
    for port in range(2000, 2000 + count):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.bind((sys.argv[2], port))
            one.sendto(b"x", ("198.51.100.9", 9))
    time.sleep(0.1)
"""


def connections_after(count: int, tmp_path: Path, *, source: str = "10.9.0.2") -> int:
    """Return the connections that the machine keeps after a rental began so many at once."""
    words = (SEND, str(count), str(tmp_path / "up"), source)
    done = subprocess.run(
        ["unshare", "--net", "sh", "-ec", FLOOD, sys.executable, *words],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_a_rental_has_its_share_of_the_machines_connections(tmp_path: Path) -> None:
    assert 1000 <= connections_after(1000, tmp_path) < 1100
    assert connections_after(2 * CONNECTIONS_MOST, tmp_path) <= CONNECTIONS_MOST + 100


def test_a_rental_sends_in_no_other_name_than_its_own(tmp_path: Path) -> None:
    assert connections_after(10, tmp_path, source="203.0.113.5") == 0
