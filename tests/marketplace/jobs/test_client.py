"""The terminal's jobs against the site itself, over HTTP."""

import json
from pathlib import Path

import pytest
from pytest_django.live_server_helper import LiveServer

from marketplace.jobs import storage
from marketplace.jobs.models import Blob, Job
from marketplace.metering.actions.charge import charge_all
from protocol.agent import ObservedState
from protocol.workload import JobFile
from tests.berth.terminal import Terminal
from tests.marketplace.jobs.conftest import Site
from tests.marketplace.scene import after

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def terminal(site: Site, live_server: LiveServer, tmp_path: Path) -> Terminal:
    made = Terminal(tmp_path, live_server.url)
    made.environment["BERTH_API_KEY"] = site.key
    return made


def test_a_job_from_the_terminal(site: Site, terminal: Terminal) -> None:
    (terminal.home / "words.txt").write_text("b\na\n")
    asked = ["--offer", str(site.market.offer.id), "--image", "debian:12", "--limit", "1m"]
    given = ["--input", "words.txt:in/words", "--json", "--", "sort", "/input/in/words"]
    ran = terminal.berth("jobs", "run", *asked, *given)
    assert ran.code == 0, ran.err
    job = Job.objects.select_related("placement").get()
    assert ran.json["id"] == str(job.id)
    assert ran.json["command"] == ["sort", "/input/in/words"]
    assert job.placement.workload["inputs"][0]["path"] == "in/words"
    none_yet = terminal.berth("jobs", "logs", str(job.id)[:8])
    assert (none_yet.code, "not_found" in none_yet.err) == (1, True)
    left = []
    for path, content in ((".stdout", b"a\nb\n"), ("deep/er", b"\x00\xff")):
        assert site.put(job.placement_id, content).status_code == 204
        stored = Blob.objects.get(placement=job.placement, size_bytes=len(content))
        left.append(JobFile(path=path, digest=stored.digest, size_bytes=len(content)))
    site.tell(job, ObservedState.COLLECTING, at=2, exit_code=4, outputs=left)
    site.tell(job, ObservedState.GONE, at=3, exit_code=4)
    charge_all(now=after(3))
    (listed,) = terminal.berth("jobs", "ls", "--json").json["items"]
    assert (listed["state"], listed["exit_code"]) == ("done", 4)
    assert terminal.berth("jobs", "logs", str(job.id)[:8]).out == "a\nb\n"
    said = terminal.berth("jobs", "logs", str(job.id)[:8], "--json").json
    assert said == {"id": str(job.id), "path": ".stdout", "text": "a\nb\n"}
    fetched = terminal.berth("jobs", "outputs", str(job.id)[:8], "--to", "left", "--json")
    assert len(json.loads(fetched.out)["files"]) == 2
    assert (terminal.home / "left" / "deep" / "er").read_bytes() == b"\x00\xff"
    again = terminal.berth("jobs", "outputs", str(job.id)[:8], "--to", "left")
    assert "folder_exists" in again.err
    storage.path_of(left[1].digest).write_bytes(b"\x00\xfe")
    broken = terminal.berth("jobs", "outputs", str(job.id)[:8], "--to", "other")
    assert (broken.code, "digest_wrong" in broken.err) == (3, True)
    assert terminal.berth("jobs", "cancel", str(job.id)[:8], "--json").json["state"] == "done"


def test_a_missing_input_is_said_before_anything_is_asked(site: Site, terminal: Terminal) -> None:
    asked = ("--image", "debian:12", "--limit", "1m", "--input", "missing")
    ran = terminal.berth("jobs", "run", *asked, "--", "true")
    assert (ran.code, "missing" in ran.err) == (2, True)
    assert Blob.objects.count() == 0
