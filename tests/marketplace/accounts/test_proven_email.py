"""A letter at sign-up proves the address; until then it is said that letters go nowhere."""

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.test import Client

NEW = "new@example.com"
PASSWORD = "a long and new phrase"
SIGN_UP = {"email": NEW, "password1": PASSWORD}
KEY = {"email": NEW, "password": PASSWORD, "name": "here"}


class Away(BaseEmailBackend):
    """A mail server that nobody reaches."""

    def send_messages(self, email_messages: Any) -> int:
        raise ConnectionRefusedError("nobody listens")


def link(letter: EmailMessage) -> str:
    (found,) = re.findall(r"https?://[^/]+(/accounts/confirm-email/\S+)", str(letter.body))
    return str(found)


def key(client: Client, **changed: str) -> Any:
    return client.post("/api/v1/auth/key", KEY | changed, content_type="application/json")


def test_the_letter_of_a_sign_up_proves_the_address(
    db: None, mailoutbox: list[EmailMessage]
) -> None:
    client = Client()
    assert client.post("/accounts/signup/", SIGN_UP).status_code == 302
    (letter,) = mailoutbox
    assert letter.to == [NEW]
    assert NEW in client.get("/rentals/").content.decode()
    assert b'id="unproven"' in client.get("/rentals/").content
    assert client.get(link(letter)).status_code == 200
    assert not EmailAddress.objects.get(email=NEW).verified
    client.post(link(letter))
    assert EmailAddress.objects.get(email=NEW).verified
    assert b'id="unproven"' not in client.get("/rentals/").content


def test_a_site_without_letters_asks_for_no_proof(db: None, settings: Any) -> None:
    settings.SENDS_MAIL = False
    client = Client()
    client.post("/accounts/signup/", SIGN_UP)
    assert b'id="unproven"' not in client.get("/rentals/").content


def test_a_mail_server_that_is_away_keeps_nobody_from_signing_up(
    db: None, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.Away"
    client = Client()
    assert client.post("/accounts/signup/", SIGN_UP).status_code == 302
    assert client.get("/rentals/").status_code == 200
    assert "Letter of a sign-up not sent" in caplog.text


def test_where_the_proof_is_required_nobody_is_let_in_before(
    db: None, settings: Any, mailoutbox: list[EmailMessage]
) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    client = Client()
    reply = client.post("/accounts/signup/", SIGN_UP, follow=True)
    assert "Look into your mailbox" in reply.content.decode()
    assert client.get("/rentals/").status_code == 302
    refused = key(client)
    assert (refused.status_code, refused.json()["code"]) == (403, "email_unproven")
    # Whoever does not know the password learns nothing of the address.
    wrong = client.post(
        "/api/v1/auth/key", KEY | {"password": "w"}, content_type="application/json"
    )
    assert wrong.json()["code"] == "unauthenticated"
    client.post(link(mailoutbox[0]))
    assert key(client).status_code == 201
    client.post("/accounts/login/", {"login": NEW, "password": PASSWORD})
    assert client.get("/rentals/").status_code == 200
