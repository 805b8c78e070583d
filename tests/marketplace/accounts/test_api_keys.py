"""An API key is shown once, stored as a digest, and opens only its owner's account."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from marketplace.accounts import queries
from marketplace.accounts.actions import issue_api_key, revoke_api_key
from marketplace.accounts.models import ApiKey, User
from tests.marketplace.conftest import PASSWORD


def opens(raw: str, now: datetime) -> User | None:
    """Return whose account the text opens."""
    key = queries.key_of(raw, now)
    return None if key is None else key.user


@pytest.fixture
def issued(alice: User, now: datetime) -> issue_api_key.Issued:
    return issue_api_key.issue(user_id=alice.pk, name="laptop", now=now)


def test_a_key_opens_its_owners_account(
    alice: User, issued: issue_api_key.Issued, now: datetime
) -> None:
    assert opens(issued.secret, now) == alice


def test_the_key_itself_is_not_stored(issued: issue_api_key.Issued) -> None:
    row = ApiKey.objects.values().get()
    assert issued.secret not in {str(value) for value in row.values()}
    assert issued.secret.startswith(row["prefix"])
    assert issued.secret.startswith("brt_")


@pytest.mark.parametrize(
    "change",
    [str.upper, lambda key: key[:-1], lambda key: key + "x", lambda key: "", lambda key: "brt_é"],
)
def test_any_other_text_opens_nothing(
    issued: issue_api_key.Issued, now: datetime, change: Callable[[str], str]
) -> None:
    assert opens(change(issued.secret), now) is None


def test_the_stored_digest_opens_nothing(issued: issue_api_key.Issued, now: datetime) -> None:
    assert opens(issued.key.digest, now) is None


def test_use_is_noted_at_most_once_a_minute(issued: issue_api_key.Issued, now: datetime) -> None:
    seen = []
    for seconds in (0, 59, 60):
        opens(issued.secret, now + timedelta(seconds=seconds))
        seen.append(ApiKey.objects.get().last_used_at)
    assert seen == [now, now, now + timedelta(seconds=60)]


def test_a_revoked_key_opens_nothing(
    alice: User, bob: User, issued: issue_api_key.Issued, now: datetime
) -> None:
    with pytest.raises(revoke_api_key.ApiKeyNotFound):
        revoke_api_key.revoke(user_id=bob.pk, key_id=issued.key.pk, now=now)
    assert opens(issued.secret, now) == alice
    for day in range(2):
        revoke_api_key.revoke(user_id=alice.pk, key_id=issued.key.pk, now=now + timedelta(days=day))
    assert opens(issued.secret, now) is None
    assert ApiKey.objects.get().revoked_at == now
    assert queries.api_keys(alice.pk) == ()


def test_a_person_who_was_shut_out_has_no_working_key(
    alice: User, issued: issue_api_key.Issued, now: datetime
) -> None:
    alice.is_active = False
    alice.save()
    assert opens(issued.secret, now) is None


def test_there_is_a_limit_to_working_keys(alice: User, now: datetime) -> None:
    keys = [
        issue_api_key.issue(user_id=alice.pk, name="", now=now).key
        for _ in range(issue_api_key.KEYS_MAX)
    ]
    with pytest.raises(issue_api_key.TooManyApiKeys):
        issue_api_key.issue(user_id=alice.pk, name="", now=now)
    revoke_api_key.revoke(user_id=alice.pk, key_id=keys[0].pk, now=now)
    issue_api_key.issue(user_id=alice.pk, name="", now=now)


def test_a_new_password_ends_every_key(
    client: Client, alice: User, bob: User, issued: issue_api_key.Issued, now: datetime
) -> None:
    of_bob = issue_api_key.issue(user_id=bob.pk, name="laptop", now=now)
    client.force_login(alice)
    assert "ends every API key" in client.get("/accounts/password/change/").content.decode()
    asked = {"oldpassword": PASSWORD, "password1": "another-one-9", "password2": "another-one-9"}
    assert client.post("/accounts/password/change/", asked).status_code == 302
    assert opens(issued.secret, now) is None
    assert opens(of_bob.secret, now) == bob


def test_a_new_hash_of_the_same_password_ends_no_key(
    alice: User, issued: issue_api_key.Issued, now: datetime, settings: Any
) -> None:
    slower = "django.contrib.auth.hashers.PBKDF2SHA1PasswordHasher"
    settings.PASSWORD_HASHERS = [slower, *settings.PASSWORD_HASHERS]
    assert alice.check_password(PASSWORD)
    assert User.objects.get(pk=alice.pk).password.startswith("pbkdf2_sha1$")
    assert opens(issued.secret, now) == alice
