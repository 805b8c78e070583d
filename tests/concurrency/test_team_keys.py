"""Who adds a key that somebody takes along at the same moment has it on the list."""

from datetime import datetime
from threading import Event

from django.db import transaction

from marketplace.accounts.actions import add_ssh_key
from marketplace.accounts.actions.end_team_keys import end_team_keys
from marketplace.accounts.models import SshKey, User
from marketplace.domain.team import Role
from tests.concurrency.conftest import Race
from tests.concurrency.waiting import PATIENCE_S, until_somebody_waits
from tests.marketplace.rentals.market import ALICES_KEY
from tests.marketplace.teams import team_of


def test_a_key_that_is_added_while_it_goes_stays(now: datetime, race: Race) -> None:
    alice, bob, carol = (
        User.objects.create_user(f"{name}@example.com") for name in ("alice", "bob", "carol")
    )
    team = team_of(alice, now, bob=(bob, Role.MEMBER), carol=(carol, Role.MEMBER))
    told = {"user_id": team.pk, "name": "k", "public_key": ALICES_KEY, "now": now}
    add_ssh_key.add(**told, added_by_id=bob.pk)
    going = Event()

    def leave() -> None:
        with transaction.atomic():
            end_team_keys(person_id=bob.pk, team_id=team.pk)
            going.set()
            until_somebody_waits()

    def add() -> SshKey:
        assert going.wait(PATIENCE_S)
        return add_ssh_key.add(**told, added_by_id=carol.pk)

    left, added = race([leave, add])
    assert left is None
    assert SshKey.objects.get() == added
    assert SshKey.objects.get().added_by_id == carol.pk
