"""All that Ada has, and everybody who might ask for it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.test import Client
from django.utils import timezone
from django.utils.http import urlencode

from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.models import ApiKey, Invitation, Membership, SshKey, User
from marketplace.domain.oversight import Role
from marketplace.domain.scope import Scope
from marketplace.domain.team import Role as InTeam
from marketplace.endpoints.actions.begin import begin_replica
from marketplace.endpoints.models import Endpoint
from marketplace.jobs.actions import run
from marketplace.jobs.models import Blob, Job
from marketplace.jobs.storage import path_of
from marketplace.notices.actions.add_hook import add as add_hook
from marketplace.oversight import announcements
from marketplace.oversight.models import Announcement
from marketplace.own_data.models import Export
from marketplace.rentals.models import Rental, RentalProof
from marketplace.volumes.models import Volume
from protocol.hardware import Resources
from tests.browser.world import World
from tests.marketplace import staffed
from tests.marketplace.browsers import enter
from tests.marketplace.endpoints.conftest import present
from tests.marketplace.scene import GIB
from tests.marketplace.teams import acting_for

#: where one word in an address means things of several kinds: what these begin with, and the word
KEYS = {"keys/": SshKey, "ssh-keys/": SshKey, "api-keys/": ApiKey}
TO_HER = ("invitations/", "teams/invitations/")


@dataclass
class Browser:
    """Somebody's browser, which each request finds as it was first."""

    client: Client
    cookies: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.client.raise_request_exception = False
        self.cookies = {name: one.value for name, one in self.client.cookies.items()}

    def ask(self, method: str, address: str, **more: Any) -> Any:
        """Return the answer; whatever it did is taken back."""
        self.client.cookies.clear()
        self.client.cookies.load(self.cookies)
        cache.clear()
        cache.set(announcements.KEY, (), announcements.KEPT_S)
        with taken_back():
            return self.client.generic(method, address, **more)


@contextmanager
def taken_back() -> Iterator[None]:
    """Undo what is written meanwhile."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def form(sent: Mapping[str, str]) -> dict[str, Any]:
    """Return the form as a request's body."""
    return {"data": urlencode(sent), "content_type": "application/x-www-form-urlencoded"}


def fill(world: World) -> World:
    """Return the world where Ada has one of each thing that it had only a number for."""
    now, ada = timezone.now(), world.ada
    rental = Rental.objects.get(id=world.parts["rental_id"])
    volume = Volume.objects.create(
        renter=ada,
        machine=rental.placement.machine,
        name="kept",
        size_bytes=GIB,
        created_at=now,
        ready_at=now,
    )
    proof = RentalProof.objects.create(
        rental=rental, asked_at=now, expires_at=now + timedelta(hours=1)
    )
    export = Export.objects.create(user=ada, asked_at=now, ready_at=now, content=b"zip")
    job = job_of(world)
    endpoint = Endpoint.objects.get(id=world.parts["endpoint_id"])
    present(now=now)
    replica = begin_replica(endpoint_id=endpoint.pk, now=now)
    assert replica is not None
    said = Announcement.objects.create(text="x", at=now, until=now + timedelta(hours=1))
    hook = add_hook(user_id=ada.pk, url="http://127.0.0.1:9/", now=now).hook
    world.parts |= {
        "volume_id": volume.pk,
        "proof_id": proof.pk,
        "export_id": export.pk,
        "hook_id": hook.pk,
        "announcement_id": said.pk,
        "ssh_key_id": SshKey.objects.get(user=ada).pk,
        "placement_id": replica.placement_id,
        "hotkey": "5" * 48,
        "digest": "0" * 64,
        "kind": "rental_ended",
        "job_id": job.pk,
        "path": "x",
        "limit": 1,
    }
    return world


def job_of(world: World, name: str = "one") -> Job:
    """Return a job of Ada's that goes on, and left a file."""
    asked = run.Asked(
        offer_id=world.parts["offer_id"],  # type: ignore[arg-type]
        parts={"image": "debian:12", "command": ("true",), "environment": {}},
        inputs=(),
        resources=Resources.of(cpus=1, ram_bytes=GIB, disk_bytes=2 * GIB),
        run_limit_s=60,
        outputs_bytes_max=GIB,
    )
    now = timezone.now()
    job = run.run(renter_id=world.ada.pk, asked=asked, idempotency_key=name, now=now)
    left = {"digest": "0" * 64, "size_bytes": 1}
    job.placement.outputs = [{"path": "x"} | left]
    job.placement.save(update_fields=["outputs"])
    Blob.objects.create(
        renter=world.ada, placement=job.placement, stored_at=now, expires_at=now, **left
    )
    kept = path_of("0" * 64)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(b"x")
    return job


def parts_of(world: World, route: str) -> Mapping[str, object]:
    """Return what is Ada's own, where one word means several things that which is meant there."""
    mine: dict[str, object] = {}
    for begins, model in KEYS.items():
        if route.startswith(begins):
            first = model.objects.filter(user=world.ada).order_by("created_at", "pk").first()
            mine["key_id"] = first.pk
    if route.startswith(TO_HER):
        mine["invitation_id"] = Invitation.objects.get(email=world.ada.email).pk
    return world.parts | mine


def address(world: World, route: str) -> str:
    """Return the address of Ada's own thing on this route."""
    return World(world.ada, dict(parts_of(world, route))).address(route)


def browsers(world: World) -> Mapping[str, Browser]:
    """Return everybody's browser, Ada's last."""
    team = User.objects.get(pk=world.parts["team_id"])
    roles = {}
    for role in InTeam:
        person = User.objects.create_user(f"{role}@berth.example")
        Membership.objects.create(team=team, person=person, role=role, since=timezone.now())
        roles[role.value] = acting_for(team, person)
    return {
        who: Browser(client)
        for who, client in {
            "visitor": Client(),
            "bob": enter(Client(), User.objects.create_user("bob@berth.example")),
            "host": enter(Client(), User.objects.get(email="charlie@example.com")),
            **roles,
            "support": staffed.browser(staffed.staff("support", Role.SUPPORT)),
            "finance": staffed.browser(staffed.staff("finance", Role.FINANCE)),
            "ada": staffed.browser(world.ada),
        }.items()
    }


def keys(world: World) -> Mapping[str, Mapping[str, str]]:
    """Return the headers of everybody's program, Ada's own last."""
    now = timezone.now()
    people = {
        "bob": User.objects.get_or_create(email="bob@berth.example")[0],
        "host": User.objects.get(email="charlie@example.com"),
    }
    secrets = {who: issue(user_id=one.pk, name=who, now=now).secret for who, one in people.items()}
    for each in (*(one for one in Scope if one.endswith(":read")), ""):
        made = issue(user_id=world.ada.pk, name="one", scopes=[each] if each else (), now=now)
        secrets[each or "ada"] = made.secret
    bearing = {who: {"authorization": f"Bearer {one}"} for who, one in secrets.items()}
    return {"nobody": {}} | bearing
