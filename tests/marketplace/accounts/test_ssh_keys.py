"""People keep their own SSH keys, and nobody else's."""

from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from marketplace.accounts import queries
from marketplace.accounts.actions import add_ssh_key, remove_ssh_key
from marketplace.accounts.models import SshKey, User
from protocol.signing import openssh_public_key, public_key_of


def line(number: int) -> str:
    private = Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big"))
    return openssh_public_key(public_key_of(private))


def test_a_key_is_listed_oldest_first(alice: User, now: datetime) -> None:
    for number in range(3):
        add_ssh_key.add(
            user_id=alice.pk,
            name=f"key {number}",
            public_key=line(number),
            now=now + timedelta(seconds=number),
        )
    assert [key.name for key in queries.ssh_keys(alice.pk)] == ["key 0", "key 1", "key 2"]


def test_some_of_the_keys_can_be_chosen(alice: User, now: datetime) -> None:
    keys = [
        add_ssh_key.add(user_id=alice.pk, name="", public_key=line(number), now=now)
        for number in range(3)
    ]
    assert queries.ssh_keys(alice.pk, [keys[1].pk]) == (keys[1],)
    assert queries.ssh_keys(alice.pk, []) == ()


def test_adding_a_key_again_returns_it(alice: User, now: datetime) -> None:
    first = add_ssh_key.add(user_id=alice.pk, name="home", public_key=line(1), now=now)
    again = add_ssh_key.add(user_id=alice.pk, name="x", public_key=f"{line(1)} y", now=now)
    assert (again.pk, again.name) == (first.pk, "home")


def test_a_nameless_key_takes_its_comment(alice: User, now: datetime) -> None:
    key = add_ssh_key.add(user_id=alice.pk, name=" ", public_key=f"{line(1)} laptop", now=now)
    assert key.name == "laptop"


def test_two_people_may_have_one_key(alice: User, bob: User, now: datetime) -> None:
    for user in (alice, bob):
        add_ssh_key.add(user_id=user.pk, name="shared", public_key=line(1), now=now)
    assert SshKey.objects.count() == 2


def test_a_malformed_key_is_not_stored(alice: User, now: datetime) -> None:
    with pytest.raises(add_ssh_key.SshKeyMalformed):
        add_ssh_key.add(user_id=alice.pk, name="x", public_key="ssh-rsa", now=now)
    assert queries.ssh_keys(alice.pk) == ()


def test_there_is_a_limit(alice: User, now: datetime) -> None:
    for number in range(add_ssh_key.KEYS_MAX):
        add_ssh_key.add(user_id=alice.pk, name="", public_key=line(number), now=now)
    with pytest.raises(add_ssh_key.TooManySshKeys):
        add_ssh_key.add(user_id=alice.pk, name="", public_key=line(9999), now=now)


def test_a_person_removes_only_their_own_keys(alice: User, bob: User, now: datetime) -> None:
    key = add_ssh_key.add(user_id=alice.pk, name="", public_key=line(1), now=now)
    with pytest.raises(remove_ssh_key.SshKeyNotFound):
        remove_ssh_key.remove(user_id=bob.pk, key_id=key.pk)
    remove_ssh_key.remove(user_id=alice.pk, key_id=key.pk)
    assert queries.ssh_keys(alice.pk) == ()
    with pytest.raises(remove_ssh_key.SshKeyNotFound):
        remove_ssh_key.remove(user_id=alice.pk, key_id=key.pk)
