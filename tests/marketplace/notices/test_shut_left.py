"""What somebody made for a team tells them nothing once they are out of it."""

from datetime import datetime
from typing import Any

import pytest

from marketplace.accounts.actions import change_member
from marketplace.accounts.models import Membership, User
from marketplace.domain.team import Role
from marketplace.endpoints.models import Endpoint
from marketplace.notices import queries
from marketplace.notices.actions import add_hook
from marketplace.notices.actions.notify import notify
from marketplace.notices.actions.shut_left import shut_left
from marketplace.notices.models import Notice, WebHook
from tests.marketplace.teams import acting_for, team_of

URL = "https://example.com/bobs"


@pytest.fixture
def team(alice: User, bob: User, charlie: User, now: datetime) -> User:
    return team_of(alice, now, bob=(bob, Role.MANAGER), charlie=(charlie, Role.MANAGER))


@pytest.fixture
def hook(team: User, bob: User, now: datetime) -> WebHook:
    """Made by Bob for the team, with something on its way."""
    acting_for(team, bob).post("/web-hooks/", {"url": URL})
    notify(user_id=team.pk, kind="payment", cause="x", title="x", now=now)
    made = WebHook.objects.get()
    assert (made.user, made.made_by, made.url) == (team, bob, URL)
    return made


def due(now: datetime) -> list[WebHook]:
    return list(queries.due_hooks(now, rows_max=9))


def told(team: User, kind: str) -> list[Notice]:
    return list(Notice.objects.filter(user=team, kind=kind).order_by("id"))


@pytest.mark.parametrize("lost", ["membership", "role", "log-in"])
def test_nothing_is_sent_from_the_moment_that_they_may_not(
    team: User, hook: WebHook, alice: User, bob: User, now: datetime, lost: str
) -> None:
    assert (due(now), shut_left(now=now)) == ([hook], 0)
    of_bob: dict[str, Any] = {"team_id": team.pk, "person_id": bob.pk, "now": now}
    if lost == "membership":
        change_member.remove(by_id=bob.pk, **of_bob)
    elif lost == "role":
        change_member.set_role(by_id=alice.pk, role=Role.MEMBER, **of_bob)
    else:
        User.objects.filter(pk=bob.pk).update(is_active=False)
    # Before any pass.
    assert due(now) == []
    assert [shut_left(now=now), shut_left(now=now)] == [1, 0]
    hook.refresh_from_db()
    assert hook.off_at == now
    (notice,) = told(team, "web_hook_off")
    assert bob.email in notice.text
    assert URL in notice.text


def test_who_turns_it_on_answers_for_it(
    team: User, hook: WebHook, bob: User, charlie: User, now: datetime
) -> None:
    change_member.remove(by_id=bob.pk, team_id=team.pk, person_id=bob.pk, now=now)
    shut_left(now=now)
    acting_for(team, charlie).post(f"/web-hooks/{hook.pk}/on")
    hook.refresh_from_db()
    assert (hook.made_by, hook.off_at) == (charlie, None)
    assert due(now) == [hook]
    Membership.objects.filter(person=charlie).delete()
    assert due(now) == []


def test_what_others_made_and_a_persons_own_goes_on(
    team: User, alice: User, bob: User, now: datetime
) -> None:
    for user_id, made_by_id in ((team.pk, alice.pk), (bob.pk, None)):
        add_hook.add(user_id=user_id, url=URL, made_by_id=made_by_id, now=now)
        notify(user_id=user_id, kind="payment", cause="x", title="x", now=now)
    change_member.remove(by_id=bob.pk, team_id=team.pk, person_id=bob.pk, now=now)
    assert shut_left(now=now) == 0
    assert len(due(now)) == 2


@pytest.mark.parametrize("role", [None, Role.BILLING])
def test_the_key_of_an_endpoint_that_they_know_is_named_once(
    team: User, alice: User, bob: User, now: datetime, role: Role | None
) -> None:
    for name, knows in (("bobs", bob), ("alices", alice), ("before", None)):
        Endpoint.objects.create(
            renter=team,
            name=name,
            workload={},
            wanted=0,
            price_hour_microusd_max=1,
            key_digest="d",
            key_prefix="p",
            key_made_by=knows,
            created_at=now,
        )
    assert shut_left(now=now) == 0
    if role is None:
        change_member.remove(by_id=alice.pk, team_id=team.pk, person_id=bob.pk, now=now)
    else:
        change_member.set_role(
            by_id=alice.pk, team_id=team.pk, person_id=bob.pk, role=role, now=now
        )
    assert [shut_left(now=now), shut_left(now=now)] == [1, 0]
    (notice,) = told(team, "team_changed")
    assert notice.title == "Renew the key of your team's endpoint bobs"
    assert bob.email in notice.text
    assert f"berth --team {team.pk} endpoints key bobs" in notice.text
    # It opens until they renew it: programs of others show it.
    assert Endpoint.objects.get(name="bobs").key_digest == "d"
