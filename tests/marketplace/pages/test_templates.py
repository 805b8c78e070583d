"""The page of templates, and how one reaches the form of a rental."""

import pytest
from django.test import Client

from marketplace.accounts.models import User
from marketplace.templates import queries
from tests.marketplace.rentals.market import Market

FORM = {
    "name": "my-env",
    "image": "debian:13",
    "command": "sleep 'one day'",
    "ports": "8080, 9090",
    "environment": "A=b",
    "note": "For <b>tests</b>.",
}


def test_somebody_keeps_a_template_and_a_newer_version(renter: Client, alice: User) -> None:
    page = renter.post("/templates/", FORM, follow=True).content.decode()
    assert "my-env is kept as version 1." in page
    assert "For &lt;b&gt;tests&lt;/b&gt;." in page
    form = renter.get("/templates/?edit=my-env").context["form"]
    assert form.initial["command"] == "sleep 'one day'"
    assert "to take those back, delete the template" in page
    renter.post("/templates/", FORM | {"image": "debian:12", "public": "on"})
    kept = queries.template("my-env", alice.pk)
    assert (kept.version, kept.public, kept.command) == (2, True, ("sleep", "one day"))


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "My Env", "A name has up to 40"),
        ("image", "no image!", "This is no image name"),
        ("ports", "22", "not 22"),
        ("needs", "gpus>=many", "“many” is no gpus"),
        ("environment", "nothing", "is not NAME=value"),
    ],
)
def test_what_cannot_be_kept_is_said(renter: Client, field: str, value: str, words: str) -> None:
    reply = renter.post("/templates/", FORM | {field: value})
    assert reply.status_code == 422
    assert words in reply.content.decode()


def test_a_template_is_carried_from_its_list_to_the_form_of_a_rental(
    renter: Client, market: Market
) -> None:
    renter.post("/templates/", FORM)
    offers = renter.get("/offers/?template=my-env").content.decode()
    assert '<option value="my-env" selected>my-env</option>' in offers
    older = renter.get("/offers/?template=my-env@1").content.decode()
    assert '<option value="my-env@1" selected>my-env</option>' in older
    assert f"/offers/{market.offer.id}/rent?template=my-env" in offers
    page = renter.get(f"/offers/{market.offer.id}/rent?template=my-env")
    assert page.context["form"]["image"].value() == "debian:13"
    assert page.context["form"]["ports"].value() == "8080, 9090"
    assert renter.get(f"/offers/{market.offer.id}/rent?template=none").status_code == 404


def test_whoever_begins_with_a_template_sees_only_machines_on_which_it_can_run(
    renter: Client, market: Market
) -> None:
    rent = f"/offers/{market.offer.id}/rent"
    pytorch = renter.get("/offers/?template=pytorch").content.decode()
    assert rent not in pytorch
    assert "No machine fits all of that" in pytorch
    assert "<code>num_gpus&gt;=1</code>" in pytorch
    for needs, runs in (("cpu_cores>=4 epyc", True), ("cpu_cores>=5", False), ("xeon", False)):
        renter.post("/templates/", FORM | {"needs": needs})
        page = renter.get("/offers/?template=my-env").content.decode()
        assert (f"{rent}?template=my-env" in page) is runs
    assert renter.get("/templates/?edit=my-env").context["form"].initial["needs"] == "xeon"
    # What is no longer there needs nothing, and nobody learns what others keep.
    assert rent in Client().get("/offers/?template=my-env").content.decode()


def test_only_its_owner_deletes_one(renter: Client, bob: User, browser_of: object) -> None:
    renter.post("/templates/", FORM | {"public": "on"})
    other = browser_of(bob)  # type: ignore[operator]
    assert other.post("/templates/my-env/delete").status_code == 404
    page = renter.post("/templates/my-env/delete", follow=True).content.decode()
    assert "my-env is deleted." in page
    assert "?edit=my-env" not in renter.get("/templates/").content.decode()
