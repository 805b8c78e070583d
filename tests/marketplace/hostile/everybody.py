"""All that Ada has, and everybody who might ask for it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.cache import cache
from django.db import transaction
from django.test import Client
from django.utils import timezone
from django.utils.http import urlencode

from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.models import ApiKey, Membership, SshKey, User
from marketplace.domain.oversight import Role
from marketplace.domain.scope import Scope
from marketplace.domain.team import Role as InTeam
from marketplace.notices.actions.add_hook import add as add_hook
from marketplace.oversight import announcements
from marketplace.own_data.models import Export
from marketplace.rentals.models import Rental, RentalProof
from marketplace.volumes.models import Volume
from tests.browser.world import World
from tests.marketplace import staffed
from tests.marketplace.browsers import enter
from tests.marketplace.scene import GIB
from tests.marketplace.teams import acting_for

#: whose keys are asked for by which pages
KEYS = {"keys/": SshKey, "api-keys/": ApiKey}


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
        name="data",
        size_bytes=GIB,
        created_at=now,
        ready_at=now,
    )
    proof = RentalProof.objects.create(
        rental=rental, asked_at=now, expires_at=now + timedelta(hours=1)
    )
    export = Export.objects.create(user=ada, asked_at=now, ready_at=now, content=b"zip")
    hook = add_hook(user_id=ada.pk, url="http://127.0.0.1:9/", now=now).hook
    world.parts |= {
        "volume_id": volume.pk,
        "proof_id": proof.pk,
        "export_id": export.pk,
        "hook_id": hook.pk,
        "placement_id": rental.placement_id,
        "hotkey": "5" * 48,
        "digest": "0" * 64,
        "kind": "rental_ended",
        "job_id": UUID(int=0),
        "path": "x",
        "limit": 1,
    }
    return world


def address(world: World, route: str) -> str:
    """Return the address of Ada's own thing on this route."""
    for begins, model in KEYS.items():
        if route.startswith(begins):
            world.parts["key_id"] = model.objects.filter(user=world.ada).first().pk
    return world.address(route)


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
