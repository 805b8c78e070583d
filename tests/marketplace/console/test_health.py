"""Staff see which pass is late or fails, what waits in the queues, and how the ledger does."""

import socketserver
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from marketplace.accounts.models import User
from marketplace.console.health import GRACE_S, Health, passes
from marketplace.console.queues import QueuesUnreachable, lengths
from marketplace.ledger.models import AuditRun
from marketplace.oversight.models import PassRun
from marketplace.schedule import PASSES, Pass
from tests.marketplace.scene import NOW, after
from tests.marketplace.staffed import browser
from tests.ports import free_port

EVERY, LIMIT = 10, 60


class Queues(socketserver.StreamRequestHandler):
    """Answers as Redis does that knows one queue with three passes in it."""

    def handle(self) -> None:
        """Answer each command."""
        while line := self.rfile.readline():
            words = []
            for _ in range(int(line[1:])):
                size = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(size + 2)[:-2].upper())
            if words[0] == b"LLEN":
                self.wfile.write(b":3\r\n" if words[1] == b"MAIL" else b":0\r\n")
            else:
                self.wfile.write(
                    b"-ERR unknown command\r\n" if words[0] == b"HELLO" else b"+OK\r\n"
                )


@pytest.fixture
def broker() -> Iterator[str]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Queues) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"redis://127.0.0.1:{server.server_address[1]}/0?protocol=2"
        server.shutdown()
        thread.join()


def how(name: str, **changed: object) -> Health:
    """Return how a pass of every 10 s does at NOW whose row says this."""
    PassRun.objects.create(**{"name": name, "failing": False, "took_ms": 5} | changed)
    (found,) = passes(now=NOW, schedule=[Pass(name, "", EVERY, LIMIT)])
    return found.health


def test_a_pass_is_late_past_its_period_its_limit_and_a_grace(db: None) -> None:
    bound = EVERY + LIMIT + GRACE_S
    assert how("a", ended_at=after(-bound)) is Health.WELL
    assert how("b", ended_at=after(-bound - 1)) is Health.LATE
    assert how("c", ended_at=after(-1), failing=True, failed_at=after(0)) is Health.FAILING
    assert how("d", ended_at=after(-1), took_ms=LIMIT * 1000 + 1) is Health.SLOW


def test_what_never_ran_is_late_unless_it_comes_seldom(db: None) -> None:
    found = passes(now=NOW, schedule=[Pass("day", "", 86_400, 60), Pass("often", "", 1, 60)])
    assert [(one.entry.name, one.health) for one in found] == [
        ("often", Health.LATE),
        ("day", Health.NOT_YET),
    ]


def test_the_page_shows_every_pass_the_worst_first(as_support: Client) -> None:
    now = timezone.now()
    PassRun.objects.bulk_create(
        PassRun(name=one.name, ended_at=now, took_ms=12, failing=False) for one in PASSES
    )
    page = as_support.get("/console/health/")
    assert (page.context["red"], page.context["unwell"]) == ("", [])
    assert {one["name"] for one in page.context["well"]} == {one.name for one in PASSES}
    assert "on time" in as_support.get("/console/").content.decode()
    PassRun.objects.filter(name="charge").update(failing=True, failed_at=now)
    PassRun.objects.filter(name="mail").update(ended_at=now - timedelta(hours=1))
    page = as_support.get("/console/health/")
    assert page.context["red"] == "2 passes"
    worst = [(one["name"], one["label"]) for one in page.context["unwell"]]
    assert worst == [("mail", "Late"), ("charge", "Failing")]
    seen, _, folded = page.content.decode().partition("<details>")
    assert "<code>mail</code>" in seen
    assert "<code>mail</code>" not in folded
    assert f"{len(PASSES) - 2} passes on time" in folded
    assert "2 passes late or failing" in as_support.get("/console/").content.decode()


def test_the_ledgers_disagreements_are_named(as_support: Client) -> None:
    AuditRun.objects.create(at=NOW, problems=["Account <1> holds 2."], accounts=3, transfers=4000)
    page = as_support.get("/console/health/").content.decode()
    assert "1 disagreement<" in page
    assert "Account &lt;1&gt; holds 2." in page
    assert "4,000" in page


def test_what_waits_in_the_queues_is_counted(
    as_support: Client, broker: str, settings: Settings
) -> None:
    assert lengths(broker, ["mail", "hooks"]) == {"mail": 3, "hooks": 0}
    settings.QUEUES_URL = broker
    queues = as_support.get("/console/health/").context["queues"]
    assert {one["name"]: one["waiting"] for one in queues}["mail"] == "3"
    assert {one["name"] for one in queues} == {one.lane for one in PASSES}


def test_queues_that_do_not_answer_are_said_so(as_support: Client, settings: Settings) -> None:
    settings.QUEUES_URL = f"redis://:secret@127.0.0.1:{free_port()}/0"
    with pytest.raises(QueuesUnreachable):
        lengths(settings.QUEUES_URL, ["mail"])
    page = as_support.get("/console/health/").content.decode()
    assert "Redis does not answer" in page
    assert "secret" not in page
    assert lengths("amqp://one", ["mail"]) is None
    assert lengths("", ["mail"]) is None


def test_nobody_else_sees_how_the_site_does(alice: User) -> None:
    assert Client().get("/console/health/").status_code == 302
    assert browser(alice).get("/console/health/").status_code == 404
