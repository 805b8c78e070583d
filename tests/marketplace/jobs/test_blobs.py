"""Files of jobs: who may read and write them, how much, and for how long."""

import hashlib
import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection
from django.test import Client
from pytest_django.fixtures import Settings

from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.models import User
from marketplace.jobs import storage
from marketplace.jobs.actions import upload
from marketplace.jobs.actions.forget_blobs import UNCLAIMED, forget_blobs
from marketplace.jobs.models import Blob, Job
from marketplace.jobs.queries import LOGS_BYTES_MAX
from protocol import paths
from protocol.agent import ObservedState
from protocol.workload import LOG_BYTES_MOST, JobFile
from tests.marketplace import scene
from tests.marketplace.jobs.conftest import Site
from tests.marketplace.rentals.market import Market
from tests.marketplace.scene import after


def files(settings: Settings) -> list[str]:
    return sorted(path.name for path in Path(settings.BLOBS_DIR).glob("*/*"))


def test_the_same_file_is_kept_once(site: Site, settings: Settings) -> None:
    digest = site.upload(b"content")
    assert site.at(60).upload(b"content") == digest
    assert Blob.objects.get().expires_at == after(60) + upload.KEPT
    assert files(settings) == [digest]


def test_a_file_that_is_too_large_leaves_nothing(site: Site, settings: Settings) -> None:
    settings.BLOB_BYTES_MAX = 10
    assert len(site.upload(b"0123456789")) == 64
    reply = site.call("POST", "/blobs", b"0123456789a")
    assert (reply.status_code, reply.json()["code"]) == (413, "too_large")
    assert len(files(settings)) == 1


def test_who_keeps_too_much_has_to_wait(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "RENTER_BYTES_MAX", 5)
    site.upload(b"12345")
    reply = site.call("POST", "/blobs", b"6")
    assert (reply.status_code, reply.json()["code"]) == (409, "blobs_too_many")


def test_what_a_job_may_leave_counts_until_it_is_over(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "RENTER_BYTES_MAX", 2 * LOGS_BYTES_MAX + 100)
    job = site.started(outputs_bytes_max=60)
    refused = site.run(outputs_bytes_max=50)
    assert (refused.status_code, refused.json()["code"]) == (409, "blobs_too_many")
    assert Job.objects.get() == job
    assert site.put(job.placement_id, b"." * 30).status_code == 204
    refused = site.call("POST", "/blobs", b"." * (LOGS_BYTES_MAX + 41))
    assert refused.json()["code"] == "blobs_too_many"
    site.settle(job, at=1)
    assert site.run(outputs_bytes_max=50).status_code == 201


def test_what_is_not_what_its_address_names_leaves_nothing(site: Site, settings: Settings) -> None:
    job = site.started()
    wrong = site.put(job.placement_id, b"something else", named="0" * 64)
    assert (wrong.status_code, wrong.json()["code"]) == (422, "digest_wrong")
    assert files(settings) == []


def test_what_nobody_claims_is_removed(site: Site, settings: Settings) -> None:
    digest = site.upload(b"of a job")
    other = site.upload(b"of nobody")
    job = site.started(inputs=[{"path": "a", "digest": digest}])
    later = scene.NOW + timedelta(days=1, seconds=1)
    forget_blobs(now=later)
    assert set(Blob.objects.values_list("digest", flat=True)) == {digest}
    # Bytes are as young as this test, whatever the scene's time is.
    real = site.market.machine.enrolled_at + timedelta(days=36_500)
    assert forget_blobs(now=later) == 0
    Blob.objects.filter(digest=digest).update(expires_at=real + timedelta(days=1))
    (Path(settings.BLOBS_DIR) / storage.PART / "half").write_bytes(b"...")
    assert forget_blobs(now=real) == 2
    assert files(settings) == [digest]
    assert timedelta(hours=1) <= UNCLAIMED
    assert job.placement.workload["inputs"][0]["digest"] == digest
    assert other not in files(settings)


def test_a_file_that_came_again_is_not_removed(site: Site, settings: Settings) -> None:
    digest = site.upload(b"content")
    (path,) = storage.kept(before_s=time.time() + 1)
    os.utime(path, (0, 0))
    before_s = time.time() - 60
    # The pass has seen the old one by now.
    assert list(storage.kept(before_s=before_s)) == [path]
    site.upload(b"content")
    assert storage.remove(path, before_s=before_s) is False
    assert files(settings) == [digest]
    os.utime(path, (0, 0))
    assert storage.remove(path, before_s=before_s) is True
    assert storage.remove(path, before_s=before_s) is False


def test_a_job_whose_input_is_forgotten_at_that_moment_is_refused(site: Site) -> None:
    digest = site.upload(b"input")

    def forget(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        # Behind the look at the files, when the money is set aside.
        if sql.startswith('INSERT INTO "ledger_hold"'):
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM jobs_blob")
        return execute(sql, *arguments)

    with connection.execute_wrapper(forget):
        refused = site.run(inputs=[{"path": "a", "digest": digest}])
    assert (refused.status_code, refused.json()["code"]) == (409, "input_unknown")
    assert not Job.objects.exists()


def test_a_request_for_a_file_that_came_before_is_refused(site: Site) -> None:
    digest = site.upload(b"input")
    site.started(inputs=[{"path": "a", "digest": digest}])
    path = paths.AGENT_BLOB.format(digest=digest)
    signed = site.signed("GET", path, hashlib.sha256(b"").hexdigest())
    replies = [Client().get(path, headers=signed) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [200, 401]
    assert replies[1].json()["code"] == "replayed"
    assert site.get(digest).status_code == 200


def test_a_machine_reads_the_inputs_of_its_own_live_jobs_only(site: Site, charlie: User) -> None:
    digest, other = site.upload(b"input"), site.upload(b"not of a job")
    assert site.get(digest).status_code == 404
    job = site.started(inputs=[{"path": "a", "digest": digest}])
    assert site.get(digest).status_code == 200
    assert site.get(other).status_code == 404
    stranger = Market.open(charlie, verified=False)
    assert site.get(digest, by=stranger).status_code == 404
    path = storage.path_of(digest)
    path.rename(path.with_suffix(".lost"))
    assert site.get(digest).status_code == 404
    path.with_suffix(".lost").rename(path)
    assert site.get(digest).status_code == 200
    site.tell(job, ObservedState.GONE, at=1)
    assert site.get(digest).status_code == 404


def test_a_machine_writes_for_its_own_live_jobs_only(site: Site, charlie: User) -> None:
    job = site.started()
    stranger = Market.open(charlie, verified=False)
    assert site.put(job.placement_id, b"x", by=stranger).status_code == 404
    rental = scene.placement(site.market.machine, cpus=1)
    assert site.put(rental.id, b"x").status_code == 404
    assert site.put(job.placement_id, b"x").status_code == 204
    site.tell(job, ObservedState.GONE, at=1)
    assert site.put(job.placement_id, b"y").status_code == 404
    assert Blob.objects.count() == 1


def test_a_job_leaves_no_more_than_it_may(site: Site) -> None:
    job = site.started(outputs_bytes_max=10)
    # What it said comes beside its outputs.
    for said in (b"o" * LOG_BYTES_MOST, b"e" * LOG_BYTES_MOST):
        assert site.put(job.placement_id, said).status_code == 204
    assert site.put(job.placement_id, b"123456").status_code == 204
    assert site.put(job.placement_id, b"123456").status_code == 204
    too_much = site.put(job.placement_id, b"78901")
    assert (too_much.status_code, too_much.json()["code"]) == (409, "outputs_too_large")
    assert site.put(job.placement_id, b"7890").status_code == 204


def test_a_file_is_what_its_address_says(site: Site) -> None:
    job = site.started()
    reply = site.put(job.placement_id, b"other", named="a" * 64)
    assert (reply.status_code, reply.json()["code"]) == (422, "digest_wrong")
    assert site.put(job.placement_id, b"x", named="../../etc/passwd").status_code in (404, 422)
    assert Blob.objects.count() == 0


def test_a_forged_signature_reads_and_writes_nothing(site: Site) -> None:
    digest = site.upload(b"input")
    job = site.started(inputs=[{"path": "a", "digest": digest}])
    site.market.agent.private = Ed25519PrivateKey.generate()
    assert site.get(digest).json()["code"] == "machine_unknown"
    assert site.put(job.placement_id, b"x").json()["code"] == "machine_unknown"


def test_a_machine_cannot_name_anothers_file_as_an_output(site: Site, bob: User) -> None:
    alices = site.key
    site.key = issue(user_id=bob.pk, name="bob", now=scene.NOW).secret
    digest = site.upload(b"bob's")
    site.key = alices
    job = site.started()
    told = JobFile(path="a", digest=digest, size_bytes=5)
    site.tell(job, ObservedState.COLLECTING, at=1, exit_code=0, outputs=[told])
    assert site.call("GET", f"/jobs/{job.id}").json()["outputs"][0]["digest"] == digest
    assert site.call("GET", f"/jobs/{job.id}/outputs/a").status_code == 404
