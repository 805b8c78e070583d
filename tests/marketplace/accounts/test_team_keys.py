"""Whose SSH key a team's is, and with whom it goes."""

from datetime import datetime

import pytest

from marketplace.accounts.actions import change_member
from marketplace.accounts.actions.add_ssh_key import add
from marketplace.accounts.models import Membership, SshKey, SshKeyHolder, User
from marketplace.domain.team import Role
from tests.marketplace.rentals.market import ALICES_KEY
from tests.marketplace.teams import acting_for, team_of


@pytest.fixture
def team(alice: User, bob: User, charlie: User, now: datetime) -> User:
    return team_of(alice, now, bob=(bob, Role.MEMBER), charlie=(charlie, Role.MEMBER))


def added(team: User, by: User, now: datetime) -> SshKey:
    return add(user_id=team.pk, name="k", public_key=ALICES_KEY, added_by_id=by.pk, now=now)


def leave(team: User, person: User, now: datetime) -> list[str]:
    """Return whose keys are left on the team's list."""
    change_member.remove(by_id=person.pk, team_id=team.pk, person_id=person.pk, now=now)
    left = SshKey.objects.filter(user=team).select_related("added_by")
    return [one.added_by.email for one in left if one.added_by]


def test_whoever_adds_a_colleagues_key_first_does_not_take_it_along(
    team: User, alice: User, bob: User, charlie: User, now: datetime
) -> None:
    first = added(team, bob, now)
    for _ in range(2):
        assert added(team, charlie, now) == first
        assert added(team, bob, now) == first
    assert [one.person for one in SshKeyHolder.objects.all()] == [charlie]
    assert leave(team, bob, now) == [charlie.email]
    assert leave(team, charlie, now) == []
    assert not SshKeyHolder.objects.exists()


def test_a_key_that_somebody_has_in_their_own_account_stays_as_theirs(
    team: User, alice: User, bob: User, charlie: User, now: datetime
) -> None:
    add(user_id=alice.pk, name="mine", public_key=ALICES_KEY, now=now)
    added(team, bob, now)
    page = acting_for(team, charlie).get("/keys/").content.decode()
    assert f"by {bob.email}" in page
    assert leave(team, bob, now) == [alice.email]
    # Their own is another row, and stays whatever the team does.
    assert SshKey.objects.filter(user=alice).count() == 1


@pytest.mark.parametrize("lost", ["role", "log-in", "membership"])
def test_whoever_opens_nothing_there_keeps_no_key_on_the_list(
    team: User, bob: User, charlie: User, now: datetime, lost: str
) -> None:
    added(team, bob, now)
    added(team, charlie, now)
    if lost == "role":
        Membership.objects.filter(person=charlie).update(role=Role.BILLING)
    elif lost == "log-in":
        User.objects.filter(pk=charlie.pk).update(is_active=False)
    else:
        change_member.remove(by_id=charlie.pk, team_id=team.pk, person_id=charlie.pk, now=now)
    assert leave(team, bob, now) == []


def test_who_is_in_no_team_keeps_nothing_there(
    team: User, bob: User, stranger: User, now: datetime
) -> None:
    added(team, bob, now)
    assert leave(team, bob, now) == []
    assert SshKey.objects.filter(user=stranger).count() == 1


@pytest.fixture
def stranger(now: datetime) -> User:
    stranger = User.objects.create_user("stranger@example.com")
    add(user_id=stranger.pk, name="same", public_key=ALICES_KEY, now=now)
    return stranger
