"""What people run again and again has a name, and versions that never change."""

from functools import partial
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.utils import timezone

from marketplace.accounts.actions import issue_api_key
from marketplace.accounts.models import User
from marketplace.placements.workload import ImageMalformed, Parts, WorkloadInvalid
from marketplace.templates import queries
from marketplace.templates.actions import save as saving
from marketplace.templates.actions.delete import delete
from marketplace.templates.actions.save import save
from marketplace.templates.models import TemplateVersion
from tests.marketplace.scene import NOW

pytestmark = pytest.mark.django_db


def keep(owner: User, name: str = "my-env", *, public: bool = False, **parts: Any) -> queries.Known:
    asked = Parts(image="debian:12") | parts
    return save(owner_id=owner.pk, name=name, parts=asked, note="", public=public, now=NOW)


def seen(viewer: User | None) -> set[str]:
    return {one.name for one in queries.templates(viewer.pk if viewer else None)}


def test_the_sites_templates_are_there_for_everybody_and_can_be_rented(db: None) -> None:
    assert seen(None) == {"Debian", "PyTorch", "Jupyter", "vLLM", "ComfyUI"}
    for one in queries.BUILT_IN:
        assert queries.template(one.reference, None) == one
        saving.workload.new("rental", one.parts(), resources=saving._SOME)


def test_a_template_gets_a_newer_version_and_the_older_one_stays(alice: User) -> None:
    assert keep(alice).version == 1
    assert keep(alice, ports=(8080,), environment={"A": "b"}).version == 2
    assert queries.template("my-env", alice.pk).ports == (8080,)
    assert queries.template("my-env@1", alice.pk).ports == ()
    with pytest.raises(queries.TemplateUnknown):
        queries.template("my-env@3", alice.pk)


def test_what_changes_nothing_makes_no_version(alice: User) -> None:
    keep(alice, command=("sleep", "1"))
    assert keep(alice, command=("sleep", "1"), public=True).version == 1
    assert queries.template("my-env", alice.pk).public


def test_a_private_template_is_its_owners_alone(alice: User, bob: User) -> None:
    keep(alice)
    reference = str(alice.templates.get().id)  # type: ignore[attr-defined]
    assert "my-env" in seen(alice)
    assert "my-env" not in seen(bob) | seen(None)
    for asked in ("my-env", reference, f"{reference}@1"):
        with pytest.raises(queries.TemplateUnknown):
            queries.template(asked, bob.pk)


def test_a_public_template_is_everybodys_by_its_id(alice: User, bob: User) -> None:
    keep(alice, public=True)
    (theirs,) = [one for one in queries.templates(bob.pk) if one.name == "my-env"]
    assert not theirs.yours
    assert queries.template(theirs.reference, None).image == "debian:12"
    with pytest.raises(queries.TemplateUnknown):
        queries.template("my-env", bob.pk)


def test_strangers_see_no_version_that_was_saved_as_private(alice: User, bob: User) -> None:
    keep(alice, environment={"JUPYTER_TOKEN": "hunter2"})
    keep(alice, ports=(1,), public=True)
    keep(alice, ports=(2,))
    reference = str(alice.templates.get().id)  # type: ignore[attr-defined]
    with pytest.raises(queries.TemplateUnknown):
        queries.template(f"{reference}@2", None)
    # The same again, for everybody now.
    assert keep(alice, ports=(2,), public=True).version == 3
    keep(alice, ports=(3,))
    assert keep(alice, ports=(4,), public=True).version == 5
    for viewer in (bob, None):
        viewer_id = viewer.pk if viewer else None
        assert queries.template(reference, viewer_id).version == 5
        for number, ports in ((2, (1,)), (3, (2,)), (5, (4,))):
            assert queries.template(f"{reference}@{number}", viewer_id).ports == ports
        for number in (1, 4):
            with pytest.raises(queries.TemplateUnknown):
                queries.template(f"{reference}@{number}", viewer_id)
    assert Client().get(f"/api/v1/templates/{reference}@1").status_code == 404
    for asked in ("my-env@1", f"{reference}@1"):
        assert queries.template(asked, alice.pk).environment == {"JUPYTER_TOKEN": "hunter2"}


def test_the_same_kept_as_private_is_taken_back_from_strangers(alice: User) -> None:
    secret = {"environment": {"TOKEN": "hunter2"}}
    keep(alice, public=True, **secret)
    assert keep(alice, **secret).version == 1
    assert keep(alice, public=True).version == 2
    reference = str(alice.templates.get().id)  # type: ignore[attr-defined]
    assert queries.template(reference, None).version == 2
    with pytest.raises(queries.TemplateUnknown):
        queries.template(f"{reference}@1", None)


def test_an_older_public_version_is_taken_back_by_deleting_its_template(alice: User) -> None:
    keep(alice, public=True)
    keep(alice, ports=(1,))
    reference = str(alice.templates.get().id)  # type: ignore[attr-defined]
    with pytest.raises(queries.TemplateUnknown):
        queries.template(f"{reference}@1", None)
    keep(alice, ports=(2,), public=True)
    assert queries.template(f"{reference}@1", None).version == 1
    delete(owner_id=alice.pk, name="my-env", now=NOW)
    keep(alice, ports=(2,), public=True)
    with pytest.raises(queries.TemplateUnknown):
        queries.template(f"{reference}@1", None)


def test_the_update_shows_what_is_public_but_older_tokens(alice: User) -> None:
    keep(alice, environment={"JUPYTER_TOKEN": "hunter2"})
    keep(alice, environment={"A": "b"}, public=True)
    keep(alice, public=True)
    keep(alice, "private")
    keep(alice, "from-before", environment={"JUPYTER_TOKEN": "known"})
    alice.templates.filter(name="from-before").update(public=True)  # type: ignore[attr-defined]
    TemplateVersion.objects.update(public=False)
    # As an older release would leave one that it saves now.
    assert seen(None) == {"Debian", "PyTorch", "Jupyter", "vLLM", "ComfyUI"}
    fill = import_module("marketplace.templates.migrations.0003_public_versions").fill
    fill(apps, connection.schema_editor())
    shown = TemplateVersion.objects.filter(public=True)
    assert sorted(shown.values_list("template__name", "number")) == [
        ("from-before", 1),
        ("my-env", 2),
        ("my-env", 3),
    ]


def test_ones_own_name_goes_before_the_sites(alice: User, bob: User) -> None:
    keep(alice, "debian", image="debian:13")
    assert queries.template("debian", alice.pk).image == "debian:13"
    assert queries.template("debian", bob.pk).image == "debian:12"


def test_a_deleted_template_is_gone_and_its_name_free(alice: User, bob: User) -> None:
    keep(alice, public=True)
    with pytest.raises(queries.TemplateUnknown):
        delete(owner_id=bob.pk, name="my-env", now=NOW)
    delete(owner_id=alice.pk, name="my-env", now=NOW)
    assert "my-env" not in seen(alice) | seen(bob)
    assert keep(alice).version == 1


@pytest.mark.parametrize("name", ["", "-a", "A", "a b", "a/b", "a@1", "é", "a" * 41, "a\n"])
def test_a_name_is_plain(alice: User, name: str) -> None:
    with pytest.raises(saving.TemplateInvalid):
        keep(alice, name)


@pytest.mark.parametrize("needs", ["host_id=7", "num_gpus>=1 machine_id notin [0b1d2c3e]"])
def test_what_everybody_reads_leads_to_no_host(alice: User, needs: str) -> None:
    kept = partial(save, owner_id=alice.pk, name="my-env", note="", now=NOW, needs=needs)
    asked = Parts(image="debian:12")
    with pytest.raises(saving.TemplateInvalid, match="names no machine"):
        kept(parts=asked, public=True)
    assert kept(parts=asked, public=False).needs == needs
    with pytest.raises(saving.TemplateInvalid):
        kept(parts=asked, public=True)


@pytest.mark.parametrize("token", ["known", ""])
def test_what_everybody_reads_opens_nobodys_notebook(alice: User, token: str) -> None:
    environment = {"JUPYTER_TOKEN": token}
    keep(alice, environment=environment)
    with pytest.raises(saving.TokenForEverybody, match="a token of its own"):
        keep(alice, environment=environment, public=True)
    assert not queries.template("my-env", alice.pk).public
    assert keep(alice, public=True).public


def test_what_could_not_be_rented_is_not_kept(alice: User) -> None:
    with pytest.raises(ImageMalformed):
        keep(alice, image="no image!")
    with pytest.raises(WorkloadInvalid):
        keep(alice, ports=(22,))
    assert not TemplateVersion.objects.exists()


def test_there_is_a_bound_on_templates_and_versions(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving, "TEMPLATES_MAX", 1)
    monkeypatch.setattr(saving, "VERSIONS_MAX", 2)
    keep(alice)
    with pytest.raises(saving.TooManyTemplates):
        keep(alice, "another")
    keep(alice, image="debian:13")
    with pytest.raises(saving.TooManyVersions):
        keep(alice, image="debian:14")


def test_the_api_keeps_shows_and_deletes_them(alice: User) -> None:
    issued = issue_api_key.issue(user_id=alice.pk, name="k", now=timezone.now())
    client = Client(headers={"authorization": f"Bearer {issued.secret}"})
    path = "/api/v1/templates/my-env"
    asked = {"image": "debian:12", "environment": {"A": "b"}, "ports": [8080], "note": "Mine."}
    kept = client.put(path, asked, content_type="application/json")
    assert (kept.status_code, kept.json().get("version")) == (200, 1), kept.json()
    assert client.get(path).json()["environment"] == {"A": "b"}
    assert [one["name"] for one in client.get("/api/v1/templates").json()["items"]][-1] == "my-env"
    assert Client().get(path).status_code == 404
    assert Client().put(path, asked, content_type="application/json").status_code == 401
    assert client.delete(path).status_code == 204
    assert client.delete(path).json()["code"] == "not_found"


def test_lists_read_none_of_what_templates_run(
    alice: User, bob: User, django_assert_num_queries: Any
) -> None:
    big = {f"V{number}": "x" * 8000 for number in range(20)}
    for number in range(5):
        keep(bob, f"public-{number}", public=True, environment=big)
    keep(alice, environment=big)
    with django_assert_num_queries(4) as asked:
        assert len(queries.templates(alice.pk)) == len(queries.BUILT_IN) + 6
    read = " ".join(one["sql"] for one in asked.captured_queries)
    assert '"image"' in read
    assert not {column for column in ("command", "environment") if f'"{column}"' in read}
    (line, *_) = Client().get("/api/v1/templates").json()["items"]
    assert not {"command", "environment"} & set(line)


def test_a_rental_begins_with_ones_own_and_the_sites_and_no_strangers(
    alice: User, bob: User
) -> None:
    keep(bob, "lure", public=True)
    keep(alice, "mine")
    assert [name for _, name in queries.at_hand(alice.pk)] == [
        *(one.name for one in queries.BUILT_IN),
        "mine",
    ]
