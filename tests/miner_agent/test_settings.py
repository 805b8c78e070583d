"""The agent's settings, and one sentence for each that cannot be used."""

import stat
from ipaddress import ip_address
from pathlib import Path
from uuid import uuid4

import pytest

from miner_agent import enrolment
from miner_agent.enrolment import Enrolment
from miner_agent.market import MarketUnreachable
from miner_agent.route import local_address
from miner_agent.settings import BadSetting, read


def test_settings_have_defaults() -> None:
    settings = read({"HOME": "/root"})
    assert settings.marketplace_url == "http://127.0.0.1:8000"
    assert settings.address is None
    assert settings.bind_address == "127.0.0.1"
    assert settings.port_first < settings.port_last
    assert settings.disk_bytes is None
    assert settings.docker_host is None
    assert settings.images == settings.prepull == ()
    assert settings.images_bytes is None
    assert not settings.allow_unisolated
    assert not any(ip_address(server).is_private for server in settings.dns)


def test_what_was_enrolled_holds_unless_the_environment_says_otherwise(tmp_path: Path) -> None:
    told = Enrolment(machine_id=uuid4(), marketplace_url="https://a.example", address="9.9.9.9")
    enrolment.write(tmp_path, told)
    assert stat.S_IMODE((tmp_path / "enrolment.json").stat().st_mode) == 0o600
    here = {"BERTH_AGENT_HOME": str(tmp_path)}
    settings = read(here)
    assert (settings.marketplace_url, settings.address) == ("https://a.example", "9.9.9.9")
    other = {"BERTH_MARKETPLACE_URL": "https://b.example", "BERTH_AGENT_ADDRESS": "8.8.8.8"}
    settings = read(here | other)
    assert (settings.marketplace_url, settings.address) == ("https://b.example", "8.8.8.8")


def test_the_address_is_that_of_the_way_to_the_marketplace() -> None:
    assert local_address("http://127.0.0.1:8000") == "127.0.0.1"
    with pytest.raises(MarketUnreachable, match=r"nowhere\.invalid"):
        local_address("https://nowhere.invalid")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "[::1]"])
def test_only_a_marketplace_of_this_machine_may_do_without_tls(host: str) -> None:
    url = f"http://{host}:8000"
    assert read({"BERTH_MARKETPLACE_URL": url}).marketplace_url == url


def test_settings_are_read() -> None:
    settings = read(
        {
            "BERTH_AGENT_HOME": "/srv/agent",
            "BERTH_AGENT_ADDRESS": "203.0.113.9",
            "BERTH_AGENT_CONTROL_PORT": "2022",
            "BERTH_AGENT_PORTS": "3000-3009",
            "BERTH_AGENT_DISK_BYTES": "1073741824",
            "BERTH_AGENT_NETWORK": "10.9.0.0/16",
            "BERTH_AGENT_DNS": "9.9.9.9 1.1.1.1",
            "BERTH_AGENT_IMAGES": "house/* tool:1",
            "BERTH_AGENT_GPU_SLOTS": "4",
            "BERTH_AGENT_IMAGES_BYTES": "1000",
            "BERTH_AGENT_PREPULL": "tool:1 ghcr.io/a/b@sha256:" + 64 * "0",
            "BERTH_AGENT_ALLOW_UNISOLATED": "1",
            "DOCKER_HOST": "unix:///run/other.sock",
        }
    )
    assert settings.home == Path("/srv/agent")
    assert (settings.port_first, settings.port_last) == (3000, 3009)
    assert settings.disk_bytes == 1 << 30
    assert settings.dns == ("9.9.9.9", "1.1.1.1")
    assert settings.docker_host == "unix:///run/other.sock"
    assert settings.images == ("house/*", "tool:1")
    assert settings.gpu_slots == 4
    assert settings.images_bytes == 1000
    assert settings.prepull == ("tool:1", "ghcr.io/a/b@sha256:" + 64 * "0")
    assert settings.allow_unisolated


@pytest.mark.parametrize(
    ("address", "bound"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "127.0.0.1"),
        ("203.0.113.9", "0.0.0.0"),
        ("gpu.example.org", "0.0.0.0"),
    ],
)
def test_only_a_machine_with_an_outside_address_listens_outside(address: str, bound: str) -> None:
    assert read({"BERTH_AGENT_ADDRESS": address}).bind_address == bound


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BERTH_AGENT_PORTS", "3000"),
        ("BERTH_AGENT_PORTS", "3009-3000"),
        ("BERTH_AGENT_PORTS", "1-70000"),
        ("BERTH_AGENT_CONTROL_PORT", "ssh"),
        ("BERTH_AGENT_CONTROL_PORT", "0"),
        ("BERTH_AGENT_DISK_BYTES", "10G"),
        ("BERTH_AGENT_IMAGES_BYTES", "-1"),
        ("BERTH_AGENT_PREPULL", "tool:1 --all"),
        ("BERTH_AGENT_NETWORK", "8.8.8.0/24"),
        ("BERTH_AGENT_NETWORK", "10.0.0.0/30"),
        ("BERTH_AGENT_NETWORK", "ten"),
        ("BERTH_AGENT_GPU_SLOTS", "0"),
        ("BERTH_AGENT_GPU_SLOTS", "17"),
        ("BERTH_AGENT_ALLOW_UNISOLATED", "yes"),
        ("BERTH_AGENT_BANDWIDTH_MBIT", "0"),
        ("BERTH_AGENT_BANDWIDTH_MBIT", "fast"),
        ("BERTH_MARKETPLACE_URL", "berth.example"),
        ("BERTH_MARKETPLACE_URL", "http://[a"),
        ("BERTH_MARKETPLACE_URL", "http://berth.example"),
        ("BERTH_MARKETPLACE_URL", "http://localhost.berth.example:8000"),
        ("BERTH_MARKETPLACE_URL", "http://10.0.0.1:8000"),
        ("BERTH_MARKETPLACE_URL", "http://127.0.0.1@berth.example"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=name):
        read({name: value})


@pytest.mark.parametrize("address", ["", "http://a.example", "-v", "a b"])
def test_an_address_must_be_a_name_or_an_address(address: str) -> None:
    with pytest.raises(BadSetting, match="BERTH_AGENT_ADDRESS"):
        read({"HOME": "/root", "BERTH_AGENT_ADDRESS": address})


def test_metrics_are_on_the_loopback_unless_told_otherwise_or_off() -> None:
    assert read({"HOME": "/root"}).metrics == ("127.0.0.1", 9464)
    assert read({"HOME": "/root", "BERTH_AGENT_METRICS": ""}).metrics is None
    assert read({"HOME": "/root", "BERTH_AGENT_METRICS": "[::1]:1"}).metrics == ("::1", 1)


def test_the_hosts_own_work_is_read_as_a_shell_would() -> None:
    assert read({"HOME": "/root"}).idle is None
    told = {"BERTH_AGENT_IDLE_IMAGE": "dig:1", "BERTH_AGENT_IDLE_COMMAND": "sh -c 'a b'"}
    idle = read({"HOME": "/root", **told}).idle
    assert idle is not None
    assert (idle.image, idle.command, idle.network) == ("dig:1", ("sh", "-c", "a b"), False)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("BERTH_AGENT_METRICS", "9464"),
        ("BERTH_AGENT_METRICS", "127.0.0.1:x"),
        ("BERTH_AGENT_KEEP_CPUS", "-1"),
        ("BERTH_AGENT_KEEP_MEMORY_BYTES", "1G"),
        ("BERTH_AGENT_IDLE_COMMAND", "sh -c 'a"),
        ("BERTH_AGENT_IDLE_NETWORK", "yes"),
    ],
)
def test_what_cannot_be_kept_shown_or_run_is_named(name: str, text: str) -> None:
    with pytest.raises(BadSetting, match=name):
        read({"HOME": "/root", "BERTH_AGENT_IDLE_IMAGE": "x", name: text})
