"""The line that the page shows makes a bare machine somebody's, also after a power cut."""

import html
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from marketplace.accounts.models import User
from marketplace.machines.models import Machine
from miner_agent.packaging.steps import UNIT
from tests.marketplace.browsers import enter
from tests.miner_agent.packaging.bare_machine import BareMachine, bare_machine, fetch_wheels

pytestmark = pytest.mark.django_db(transaction=True)
SHOWN = re.compile(r'<code id="enrol-command">(echo (\S+) .*?)</code>')


@pytest.fixture
def bare(engine: None, tmp_path: Path) -> Iterator[BareMachine]:
    with bare_machine(f"berth-test-bare-{os.getpid()}", fetch_wheels(tmp_path)) as machine:
        yield machine


def test_one_line_and_the_machine_is_the_hosts(
    bare: BareMachine, live_server: LiveServer, settings: Settings
) -> None:
    settings.PUBLIC_URL = site = live_server.url
    host = User.objects.create_user("host@example.com", "correct horse battery")
    shown = SHOWN.search(enter(Client(), host).post("/host/tokens").content.decode())
    assert shown is not None
    line, token = html.unescape(shown[1]), shown[2]

    first = bare.begin(line)
    begun = "until ls -d /opt/berth-agent/versions/*/bin; do sleep 0.1; done"
    assert bare.run(f"timeout 300 sh -c '{begun}'")[0] == 0
    bare.cut_the_power()
    first.communicate(timeout=60)
    assert not Machine.objects.exists()

    status, said = bare.run(line)
    machine = Machine.objects.get()
    assert (status, machine.host) == (0, host), said
    assert f"This is machine {machine.id} of {site}. Renters are given 127.0.0.1." in said
    assert said.endswith(f"Set your price now: {site}/host/machines/{machine.id}/\n")
    # Others' containers are there, so that nobody's settings are changed unasked.
    assert "--configure-docker adds them" in said
    assert bare.run("ls /etc/docker/daemon.json")[0] != 0
    assert "berth-agent" in bare.run("berth-agent --help")[1]
    asked = bare.run("cat /asked")[1].splitlines()
    assert asked[-3:] == [f"{verb} {UNIT}" for verb in ("is-active --quiet", "stop", "restart")]
    assert token not in bare.run("cat /seen")[1]

    status, said = bare.run(line)
    assert status == 0
    assert "This release runs here already; nothing was changed." in said
    assert f"This is machine {machine.id} of {site}. No token was used." in said
    since = bare.run("cat /asked")[1].splitlines()[len(asked) :]
    assert since == [f"is-active --quiet {UNIT}"]
    assert Machine.objects.count() == 1
