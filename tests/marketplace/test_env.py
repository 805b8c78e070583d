"""Settings are read with their types, and a wrong one is named."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from marketplace import env

NAME = "BERTH_EXAMPLE"


def test_text_is_stripped_and_an_empty_one_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "  x ")
    assert env.text(NAME) == "x"
    monkeypatch.setenv(NAME, " ")
    assert env.text(NAME, default="y") == "y"


@pytest.mark.parametrize(
    ("word", "value"), [("1", True), ("Yes", True), ("off", False), ("0", False)]
)
def test_a_flag_is_yes_or_no(monkeypatch: pytest.MonkeyPatch, word: str, value: bool) -> None:
    monkeypatch.setenv(NAME, word)
    assert env.flag(NAME, default=not value) is value


def test_an_unset_variable_has_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NAME, raising=False)
    assert env.flag(NAME, default=True) is True
    assert env.integer(NAME, default=7) == 7
    assert env.words(NAME, default=("a", "b")) == ["a", "b"]


def test_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "perhaps")
    with pytest.raises(ImproperlyConfigured, match=NAME):
        env.flag(NAME, default=True)
    with pytest.raises(ImproperlyConfigured, match=NAME):
        env.integer(NAME, default=1)


def test_numbers_and_words_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "12")
    assert env.integer(NAME, default=1) == 12
    monkeypatch.setenv(NAME, "a, ,b")
    assert env.words(NAME) == ["a", "b"]


#: for connections_max=7
POOL = {"min_size": 1, "max_size": 7, "timeout": env.POOL_WAIT_S}


def test_a_database_address_is_taken_apart() -> None:
    found = env.postgresql(
        "postgres://alice:p%40ss@db.example:5433/berth?sslmode=require", connections_max=7
    )
    assert found == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "berth",
        "USER": "alice",
        "PASSWORD": "p@ss",
        "HOST": "db.example",
        "PORT": "5433",
        "OPTIONS": {"sslmode": "require", "pool": POOL},
        "CONN_HEALTH_CHECKS": True,
    }


def test_a_database_may_listen_on_a_socket() -> None:
    found = env.postgresql("postgres://alice@/berth?host=/run/pg&port=5434", connections_max=7)
    assert (found["HOST"], found["PORT"], found["OPTIONS"]) == ("/run/pg", "5434", {"pool": POOL})


@pytest.mark.parametrize("url", ["mysql://a/b", "postgres://host", "postgres://host/", "berth"])
def test_another_address_is_refused(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="BERTH_DATABASE_URL"):
        env.postgresql(url, connections_max=7)


def test_a_mail_server_is_taken_apart() -> None:
    found = env.mail("smtps://alice:p%40ss@mail.example?from=berth@example.org")
    assert found == env.Mail("mail.example", 465, "alice", "p@ss", True, "berth@example.org")
    assert env.mail("smtp://mail.example") == env.Mail("mail.example", 587, "", "", False, "")


@pytest.mark.parametrize("url", ["mail.example", "http://mail.example", "smtp://", "smtps:///x"])
def test_what_is_no_mail_server_is_refused(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="BERTH_EMAIL_URL"):
        env.mail(url)
