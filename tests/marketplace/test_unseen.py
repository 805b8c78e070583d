"""What cannot be seen, or turns what is read, is in no name and no note, by whichever door."""

import json
from datetime import datetime

import pytest
from django.test import Client

from marketplace.accounts.actions.add_ssh_key import add
from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.models import ApiKey, SshKey, User
from marketplace.domain.oversight import Role
from marketplace.oversight.models import Act, Announcement, Switch
from marketplace.templates.models import Template
from protocol.hardware import Hardware
from tests.marketplace import scene, staffed
from tests.marketplace.browsers import enter
from tests.marketplace.rentals.market import ALICES_KEY

EVIL = "lap\x1b[2J\u202etop\u200b"
HIDES = "echo \u202edrawot\u202c"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/ssh-keys", {"name": EVIL, "public_key": ALICES_KEY}),
        ("PUT", "/templates/own", {"image": "debian:12", "note": EVIL}),
        ("PUT", "/templates/own", {"image": "debian:12", "public": True, "command": [HIDES]}),
        (
            "PUT",
            "/templates/own",
            {"image": "debian:12", "public": True, "environment": {"A": HIDES}},
        ),
    ],
)
def test_a_program_is_refused_in_a_sentence(
    alice: User, now: datetime, method: str, path: str, body: dict[str, object]
) -> None:
    told = {"authorization": f"Bearer {issue(user_id=alice.pk, name='t', now=now).secret}"}
    reply = Client().generic(
        method, f"/api/v1{path}", json.dumps(body), "application/json", headers=told
    )
    assert reply.status_code == 422
    assert reply.json()["code"] == "text_invalid"
    assert "characters" in reply.json()["detail"]
    assert not SshKey.objects.exists()
    assert not Template.objects.filter(owner=alice).exists()


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/keys/", {"public_key": ALICES_KEY}),
        ("/api-keys/", {}),
        ("/teams/", {}),
        ("/templates/", {"name": "own", "image": "debian:12", "note": EVIL}),
    ],
)
def test_a_form_is_refused_beside_its_field(alice: User, path: str, form: dict[str, str]) -> None:
    reply = enter(Client(), alice).post(path, {"name": EVIL} | form)
    assert reply.status_code == 422
    assert "characters" in reply.content.decode()
    assert not SshKey.objects.exists()
    assert not ApiKey.objects.exists()
    assert not User.objects.exclude(team_name="").exists()
    assert not Template.objects.filter(owner=alice).exists()


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/console/announcements/", {"text": EVIL, "hours": "1", "reason": "x"}),
        ("/console/announcements/", {"text": "x", "hours": "1", "reason": EVIL}),
        ("/console/features/rentals", {"to": "off", "words": EVIL, "reason": "x"}),
        ("/console/features/rentals", {"to": "off", "words": "x", "reason": EVIL}),
    ],
)
def test_staff_write_nothing_of_it_either(db: None, path: str, form: dict[str, str]) -> None:
    browser = staffed.browser(staffed.staff("sue", *Role))
    reply = browser.post(path, form, follow=True)
    assert "characters" in reply.content.decode()
    for kept in (Announcement, Switch, Act):
        assert not kept.objects.exists()


def test_what_cannot_be_seen_of_a_keys_comment_is_left_out(alice: User, now: datetime) -> None:
    line = " ".join(ALICES_KEY.split()[:2])
    kept = add(user_id=alice.pk, name="", public_key=f"{line} {EVIL}", now=now)
    assert kept.name == "lap[2Jtop"


def test_what_a_machine_says_of_itself_is_printable() -> None:
    said = scene.hardware(cpu_model="EPYC\x1b[2J\u202e", gpus=1)
    assert said.cpu_model == "EPYC [2J "
    with pytest.raises(ValueError, match="at most 200"):
        Hardware.model_validate(said.model_dump() | {"hostname": "x" * 201})
