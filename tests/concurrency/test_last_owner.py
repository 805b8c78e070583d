"""A team keeps an owner, whoever leaves it at the same moment."""

from collections.abc import Callable
from datetime import datetime

import pytest

from marketplace.accounts.actions import answer_invitation, change_member, invite
from marketplace.accounts.actions.change_member import LastOwner
from marketplace.accounts.actions.prove_email import prove
from marketplace.accounts.models import Membership, User
from marketplace.accounts.teams import InvitationUnknown
from marketplace.domain.team import Role
from marketplace.own_data.actions.delete_account import AccountInUse, delete
from marketplace.rentals.actions.let_go import let_go
from tests.concurrency.conftest import Race
from tests.marketplace.teams import team_of


@pytest.fixture
def alice() -> User:
    return User.objects.create_user("alice@example.com")


@pytest.fixture
def bob() -> User:
    return User.objects.create_user("bob@example.com")


@pytest.mark.parametrize("way", ["leave", "step down", "delete the account"])
def test_of_two_owners_who_go_at_once_one_stays(
    alice: User, bob: User, now: datetime, race: Race, way: str
) -> None:
    team = team_of(alice, now, bob=(bob, Role.OWNER))

    def go(person: User) -> Callable[[], object]:
        mine = {"by_id": person.pk, "team_id": team.pk, "person_id": person.pk, "now": now}
        if way == "leave":
            return lambda: let_go(**mine)
        if way == "step down":
            return lambda: change_member.set_role(**mine, role=Role.MEMBER)
        return lambda: delete(user_id=person.pk, now=now)

    results = race([go(alice), go(bob)])
    assert Membership.objects.filter(team=team, role=Role.OWNER).count() == 1
    (refused,) = [one for one in results if one is not None]
    assert isinstance(refused, LastOwner | AccountInUse)


def test_an_invitation_that_two_windows_take_lets_in_once(
    alice: User, bob: User, now: datetime, race: Race
) -> None:
    for user in (alice, bob):
        prove(user=user)
    team = team_of(alice, now)
    one = invite.invite(by_id=alice.pk, team_id=team.pk, email=bob.email, role=Role.MEMBER, now=now)

    def join() -> object:
        return answer_invitation.join(person_id=bob.pk, invitation_id=one.pk, now=now)

    results = race([join, join])
    assert Membership.objects.filter(team=team, person=bob).count() == 1
    assert sorted(type(one) for one in results if not isinstance(one, Membership)) == [
        InvitationUnknown
    ]
