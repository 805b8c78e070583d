"""A renter's one-shot job: what goes in, what it may cost, and what comes out."""

from dataclasses import replace
from functools import partial
from uuid import UUID

import pytest

from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.models import User
from marketplace.domain.placement import DEADLINES
from marketplace.domain.report import PREPARING_S_MAX
from marketplace.jobs import storage
from marketplace.jobs.actions import run
from marketplace.jobs.actions.expire import expire
from marketplace.jobs.models import Blob, Job
from marketplace.ledger import audit
from marketplace.ledger import queries as ledger
from marketplace.metering.actions.begin import IdempotencyConflict
from marketplace.metering.actions.charge import charge_all
from marketplace.metering.models import Meter
from marketplace.offers.models import Offer
from marketplace.placements.actions.drain import drain
from marketplace.placements.actions.sweep import sweep
from marketplace.placements.models import Placement
from protocol.agent import ObservedState, Want
from protocol.hardware import Resources
from protocol.workload import JobFile
from tests.marketplace import scene
from tests.marketplace.jobs.conftest import SECOND_MICROUSD, Site
from tests.marketplace.scene import after

S = ObservedState


def wanted(site: Site, at: float) -> Want:
    (desired,) = site.market.agent.sync(after(at)).desired
    return desired.want


def test_a_job_runs_and_hands_back_what_it_left(site: Site, alice: User) -> None:
    digest = site.upload(b"to be counted")
    job = site.started(
        command=["wc", "/input/a.txt"],
        inputs=[{"path": "a.txt", "digest": digest}],
        outputs_bytes_max=100,
    )
    assert ledger.held(alice.pk) == 60 * SECOND_MICROUSD
    (desired,) = site.market.agent.sync(after(1)).desired
    assert desired.workload.inputs == (JobFile(path="a.txt", digest=digest, size_bytes=13),)
    assert b"".join(site.get(digest)) == b"to be counted"
    site.tell(job, S.ACCEPTED, at=2)
    site.tell(job, S.RUNNING, at=3, age_ms=0)
    site.tell(job, S.COLLECTING, at=10, age_ms=7000, exit_code=3, counted=(0, 7000))
    # It ended by itself, and has all the time that it needs to send what it left.
    assert wanted(site, 11) is Want.RUN
    assert site.put(job.placement_id, b"1 3 13").status_code == 204
    left = JobFile(path=".stdout", digest=Blob.objects.latest("id").digest, size_bytes=6)
    site.tell(job, S.COLLECTING, at=12, exit_code=3, outputs=[left])
    shown = site.settle(job, at=13)
    assert (shown["state"], shown["exit_code"], shown["reason_code"]) == ("done", 3, "exited")
    assert shown["cost_microusd"] == 7 * SECOND_MICROUSD
    (charged, *_) = site.call("GET", "/statement").json()["items"]
    assert charged["title"] == f"Job {str(job.id)[:8]}"
    reply = site.call("GET", f"/jobs/{job.id}/outputs/.stdout")
    assert b"".join(reply) == b"1 3 13"
    assert reply.headers["Content-Disposition"] == "attachment"
    assert site.call("GET", f"/jobs/{job.id}/outputs/other").status_code == 404
    # Its row is there and the file is not: that is said, and no answer breaks off half way.
    storage.path_of(left.digest).unlink()
    lost = site.call("GET", f"/jobs/{job.id}/outputs/.stdout")
    assert (lost.status_code, lost.json()["code"]) == (410, "file_lost")
    assert (ledger.held(alice.pk), audit.audit()) == (0, [])


def test_a_job_that_is_over_before_it_was_seen_to_run_costs_what_it_took(site: Site) -> None:
    job = site.started()
    site.tell(job, S.COLLECTING, at=5, age_ms=2000, exit_code=0, counted=(0, 2000))
    assert site.settle(job, at=6)["cost_microusd"] == 2 * SECOND_MICROUSD


def test_no_job_costs_time_before_its_machine_took_it_or_after_it_was_heard(site: Site) -> None:
    job = site.started()
    site.tell(job, S.ACCEPTED, at=10)
    # Its clock is fast: it counts 30 s between two syncs that lie 5 s apart.
    site.tell(job, S.COLLECTING, at=15, age_ms=30_000, exit_code=0, counted=(0, 30_000))
    assert site.settle(job, at=16)["cost_microusd"] == 5 * SECOND_MICROUSD


def test_a_job_costs_no_more_than_its_run_limit(site: Site, alice: User) -> None:
    job = site.started(run_limit_s=10)
    site.tell(job, S.RUNNING, at=1, age_ms=0)
    assert expire(now=after(10)) == 0
    # The site was late: the job ran on.
    site.tell(job, S.RUNNING, at=21, age_ms=20_000, counted=(0, 20_000))
    assert Meter.objects.get().proven_ms == 10_000
    assert expire(now=after(22)) == 1
    assert wanted(site, 23) is Want.END
    shown = site.settle(job, at=24)
    assert (shown["state"], shown["reason_code"]) == ("failed", "run_limit")
    assert shown["cost_microusd"] == 10 * SECOND_MICROUSD == shown["worst_total_microusd"]
    assert audit.audit() == []


def test_nothing_is_charged_while_it_runs_nor_where_its_machine_broke_it_off(
    site: Site, alice: User
) -> None:
    job = site.started()
    site.tell(job, S.RUNNING, at=1, age_ms=0)
    site.tell(job, S.RUNNING, at=11, age_ms=10_000, counted=(0, 10_000))
    charge_all(now=after(12))
    assert ledger.held(alice.pk) == 60 * SECOND_MICROUSD
    site.tell(job, S.COLLECTING, at=13, problem="container_lost")
    shown = site.settle(job, at=14)
    assert (shown["state"], shown["reason_code"]) == ("failed", "container_lost")
    assert (shown["cost_microusd"], ledger.balance(alice.pk)) == (0, 10_000_000)


def test_a_job_whose_outputs_are_here_costs_what_it_took_whatever_comes_after(site: Site) -> None:
    job = site.started()
    site.tell(job, S.COLLECTING, at=5, age_ms=2000, exit_code=0, counted=(0, 2000))
    left = {"path": "result", "digest": "ab" * 32, "size_bytes": 1}
    site.tell(job, S.COLLECTING, at=6, exit_code=0, outputs=[left])
    site.tell(job, S.COLLECTING, at=7, exit_code=0, outputs=[left], problem="removal_failed")
    assert Placement.objects.get().blame == "machine"
    assert site.settle(job, at=8)["cost_microusd"] == 2 * SECOND_MICROUSD


def test_a_job_that_leaves_more_than_it_may_is_its_renters_fault(site: Site) -> None:
    job = site.started()
    site.tell(job, S.COLLECTING, at=5, age_ms=2000, exit_code=0, counted=(0, 2000))
    site.tell(job, S.COLLECTING, at=6, exit_code=0, problem="outputs_too_large")
    shown = site.settle(job, at=7)
    assert (shown["state"], shown["exit_code"]) == ("failed", 0)
    assert shown["reason_code"] == "outputs_too_large"
    assert shown["cost_microusd"] == 2 * SECOND_MICROUSD


def test_maintenance_ends_jobs_too(site: Site) -> None:
    site.started()
    Offer.objects.update(maintenance_from=after(5), maintenance_until=after(60))
    assert drain(now=after(4)) == 0
    assert drain(now=after(5)) == 1
    assert wanted(site, 6) is Want.END


def test_a_cancelled_job_costs_until_then(site: Site) -> None:
    job = site.started()
    site.tell(job, S.RUNNING, at=1, age_ms=0)
    assert site.at(4).call("POST", f"/jobs/{job.id}/cancel").json()["state"] == "ending"
    assert wanted(site, 5) is Want.END
    site.tell(job, S.COLLECTING, at=6, age_ms=5000, counted=(0, 5000))
    shown = site.settle(job, at=7)
    assert (shown["state"], shown["reason_code"]) == ("failed", "renter_ended")
    assert shown["cost_microusd"] == 3 * SECOND_MICROUSD


def test_a_job_that_came_late_and_ran_its_whole_limit_has_time_to_send_what_it_left(
    site: Site,
) -> None:
    job = site.started()
    latest_s = DEADLINES.offered_s + PREPARING_S_MAX + job.run_limit.total_seconds()
    (desired,) = site.market.agent.sync(after(latest_s)).desired
    assert desired.run_for_ms == DEADLINES.outputs_s * 1000


def test_a_machine_that_never_sends_the_outputs_fails_the_job(site: Site) -> None:
    job = site.started()
    site.tell(job, S.COLLECTING, at=5, age_ms=2000, exit_code=0, counted=(0, 2000))
    assert sweep(now=after(3604)) == 0
    sweep(now=after(3606))
    assert Placement.objects.get().state == "failed"
    charge_all(now=after(3607))
    assert site.at(3608).call("GET", f"/jobs/{job.id}").json()["cost_microusd"] == 0


def test_the_same_key_runs_once(site: Site) -> None:
    asked = run.Asked(
        offer_id=site.market.offer.id,
        parts={"image": "debian:12"},
        inputs=(),
        resources=Resources.of(cpus=1, ram_bytes=scene.GIB, disk_bytes=2 * scene.GIB),
        run_limit_s=5,
        outputs_bytes_max=0,
    )
    once = partial(run.run, renter_id=site.renter_id, idempotency_key="k", now=after(1))
    assert once(asked=asked).id == once(asked=asked).id
    with pytest.raises(IdempotencyConflict):
        once(asked=replace(asked, run_limit_s=6))
    assert Job.objects.count() == 1


def test_what_is_wrong_with_a_job_is_said(site: Site) -> None:
    unknown = site.run(inputs=[{"path": "a", "digest": "0" * 64}])
    assert (unknown.status_code, unknown.json()["code"]) == (409, "input_unknown")
    digest = site.upload(b"x")
    climbing = site.run(inputs=[{"path": "../a", "digest": digest}])
    assert (climbing.status_code, climbing.json()["code"]) == (422, "invalid")
    twice = [{"path": "a", "digest": digest}, {"path": "a/b", "digest": digest}]
    assert site.run(inputs=twice).json()["code"] == "workload_invalid"
    assert site.run(run_limit_s=0).status_code == 422
    assert site.run(image="no image").json()["code"] == "image_unknown"
    dear = site.run(price_hour_microusd_max=1)
    assert dear.json()["code"] == "price_raised"
    assert Job.objects.count() == 0


def test_nobody_sees_anothers_job(site: Site, bob: User) -> None:
    job = site.started()
    site.key = issue(user_id=bob.pk, name="bob", now=scene.NOW).secret
    for method, path in (("GET", ""), ("POST", "/cancel"), ("GET", "/outputs/.stdout")):
        assert site.call(method, f"/jobs/{job.id}{path}").status_code == 404
    assert site.call("GET", f"/jobs?cursor={UUID(int=1)}").status_code == 404
    assert site.call("GET", "/jobs").json() == {"items": [], "next_cursor": None}


def test_jobs_are_listed_newest_first(site: Site) -> None:
    first = site.started()
    second = site.at(1).started()
    listed = [one["id"] for one in site.call("GET", "/jobs").json()["items"]]
    assert listed == [str(second.id), str(first.id)]
