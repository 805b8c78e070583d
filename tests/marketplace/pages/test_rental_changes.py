"""A renter stops, starts and changes a rental on its page, and reads what came of it."""

from collections.abc import Callable
from html import unescape

import pytest
from django.test import Client

from marketplace.accounts.actions import add_ssh_key
from marketplace.accounts.models import User
from marketplace.pages.forms.workload import HasCommand, written
from marketplace.placements.models import Placement
from marketplace.rentals.models import Rental
from marketplace.volumes.actions.claim import Asked
from marketplace.volumes.models import Volume
from protocol.agent import ObservedState
from protocol.signing import openssh_public_key
from protocol.workload import COMMAND_WORD_MOST
from tests.marketplace import scene
from tests.marketplace.pages.test_rent import filled, rent_url
from tests.marketplace.rentals.market import Market

VERBS = ("stop", "start", "restart", "reset")
DATA = Asked(name="data", path="/data", size_bytes=1 << 30)


@pytest.fixture
def rental(market: Market, renter: Client, alice: User) -> Rental:
    made = market.rent(alice, ports=(8080, 9090), volumes=[DATA])
    market.run(made, at=scene.NOW)
    return made


def tell(market: Market, rental: Rental, **more: object) -> None:
    told = market.agent.observed(rental.placement_id, ObservedState.RUNNING, run=1, **more)
    market.agent.sync(scene.after(5), placements=[told])


def page_of(renter: Client, rental: Rental) -> str:
    return renter.get(f"/rentals/{rental.id}/").content.decode()


def test_a_rental_is_stopped_and_started_by_plain_forms(
    renter: Client, rental: Rental, market: Market
) -> None:
    assert 'id="stop-now"' in page_of(renter, rental)
    reply = renter.post(f"/rentals/{rental.id}/stop")
    assert reply.headers["Location"] == f"/rentals/{rental.id}/"
    page = page_of(renter, rental)
    assert "Until you start it again nothing is billed." in page
    assert 'id="start"' not in page
    reply = renter.post(f"/rentals/{rental.id}/start", follow=True)
    assert "It is still stopping; start it again in a moment." in reply.content.decode()
    market.halt(rental, at=scene.after(2))
    page = page_of(renter, rental)
    assert "Its files are kept until its end" in page
    assert 'id="stop-now"' not in page
    renter.post(f"/rentals/{rental.id}/start")
    assert "Waiting for the machine" in page_of(renter, rental)


def test_a_restart_and_a_reset_are_asked_for_while_it_runs(renter: Client, rental: Rental) -> None:
    for verb in ("restart", "reset"):
        renter.post(f"/rentals/{rental.id}/{verb}")
    it = Placement.objects.get()
    assert (it.restarts, it.resets) == (1, 1)
    renter.post(f"/rentals/{rental.id}/stop")
    reply = renter.post(f"/rentals/{rental.id}/reset", follow=True)
    assert "This is possible only while it runs" in reply.content.decode()


def test_ports_and_volumes_are_shown_where_they_are(
    renter: Client, rental: Rental, market: Market
) -> None:
    tell(market, rental, ports=[{"inside": 8080, "outside": 20002}])
    page = page_of(renter, rental)
    assert "<dt>Port 8080</dt><dd><code>127.0.0.1:20002</code></dd>" in page
    assert "<dt>Port 9090</dt><dd>–</dd>" in page
    assert "<dt>Volume data</dt><dd><code>/data</code></dd>" in page


def test_a_change_starts_with_what_runs_and_says_what_became_of_it(
    renter: Client, rental: Rental, market: Market
) -> None:
    form = dict(renter.get(f"/rentals/{rental.id}/").context["change_form"].initial)
    assert form == {"image": "debian:12", "ports": "8080, 9090", "command": "", "on_start": ""}
    url = f"/rentals/{rental.id}/change"
    assert renter.post(url, form | {"image": "debian:13"}).status_code == 302
    assert "A change is being made." in page_of(renter, rental)
    refused = renter.post(url, form | {"image": "debian:14"})
    assert refused.status_code == 422
    assert b"The change before this one is still being made" in refused.content
    problem = {"code": "image_unknown", "message": "No registry has it."}
    tell(market, rental, change_problem=problem, problem_edition=1)
    page = page_of(renter, rental)
    assert "The change was not made: No registry has it. What ran before goes on." in page
    assert 'value="debian:12"' in page


@pytest.mark.parametrize(
    ("field", "written", "words"),
    [
        ("ports", "http", "Write port numbers"),
        ("ports", "22", "that is the SSH door"),
        ("ports", " ".join(map(str, range(1, 18))), "at most 16 ports"),
        ("command", "'open", "A quotation mark is missing"),
        ("registry_user", "alice", "Write both the user and the password"),
        ("image", "-v", "This is no image name"),
    ],
)
def test_what_cannot_be_changed_to_is_explained_beside_the_form(
    renter: Client, rental: Rental, field: str, written: str, words: str
) -> None:
    form = {"image": "debian:12", "ports": "", "command": ""} | {field: written}
    reply = renter.post(f"/rentals/{rental.id}/change", form)
    assert reply.status_code == 422
    assert words in reply.content.decode()
    assert Placement.objects.get().edition == 0


@pytest.mark.parametrize("verb", [*VERBS, "change"])
def test_nobody_moves_anothers_rental(
    rental: Rental, bob: User, browser_of: Callable[[User], Client], verb: str
) -> None:
    reply = browser_of(bob).post(f"/rentals/{rental.id}/{verb}", {"image": "debian:12"})
    assert reply.status_code == 404


def test_the_rent_form_asks_for_ports_volumes_and_a_command(renter: Client, market: Market) -> None:
    form = filled(
        renter.get(rent_url(market)),
        ports="8080 9090",
        command="serve 'a b'",
        volumes="data:/data:0.5\nmore:/more:1",
        registry_user="alice",
        registry_password="open sesame",
        intent="rent",
    )
    assert renter.post(rent_url(market), form).status_code == 302
    it = Placement.objects.get()
    assert (it.workload["ports"], it.workload["command"]) == ([8080, 9090], ["serve", "a b"])
    sizes = Volume.objects.order_by("name").values_list("name", "size_bytes")
    assert list(sizes) == [("data", 1 << 29), ("more", 1 << 30)]
    assert it.registry_login


def test_a_script_takes_the_commands_place_and_is_shown_as_it_was_written(
    renter: Client, market: Market
) -> None:
    # A browser ends lines as no shell knows them.
    form = filled(renter.get(rent_url(market)), on_start="echo 'a'\r\nexec serve", intent="rent")
    assert renter.post(rent_url(market), form).status_code == 302
    it = Placement.objects.get()
    assert it.workload["command"] == ["/bin/sh", "-c", "echo 'a'\nexec serve"]
    rental = Rental.objects.get()
    for page in (f"/rentals/{rental.id}/", f"/offers/{market.offer.id}/rent?like={rental.id}"):
        shown = unescape(renter.get(page).content.decode())
        assert ">\necho 'a'\nexec serve</textarea>" in shown
    both = renter.post(rent_url(market), form | {"command": "serve"}).content.decode()
    assert "Write a command or a script" in both
    assert Rental.objects.count() == 1


@pytest.mark.parametrize(("more", "fits"), [("", True), ("x", False)])
def test_a_scripts_line_ends_count_as_the_browser_counts_them(more: str, fits: bool) -> None:
    script = "x" + "\r\n".join(["x"] * (COMMAND_WORD_MOST // 2)) + more
    form = HasCommand({"command": "", "on_start": script})
    assert form.is_valid() is fits
    if fits:
        assert len(form.runs()[-1]) == COMMAND_WORD_MOST


@pytest.mark.parametrize("script", ["exec serve\n", "\n  exec serve\n\n", "", "  "])
def test_a_command_that_is_sent_back_as_it_was_is_the_same(script: str) -> None:
    command = ("/bin/sh", "-c", script)
    shown = written(command)
    form = HasCommand({name: text.replace("\n", "\r\n") for name, text in shown.items()})
    assert form.is_valid()
    assert form.runs() == command


@pytest.mark.parametrize("line", ["data", "data:relative", "UP:/x:1", "data:/x:many", ":/x"])
def test_a_volume_that_makes_no_sense_is_explained(
    renter: Client, market: Market, line: str
) -> None:
    form = filled(renter.get(rent_url(market)), volumes=line, registry_password="", intent="rent")
    reply = renter.post(rent_url(market), form)
    assert reply.status_code == 422
    assert "is not NAME:/PATH or NAME:/PATH:GIB." in reply.content.decode()
    assert not Rental.objects.exists()


def test_volumes_are_listed_and_deleted_on_their_page(
    renter: Client, rental: Rental, market: Market, bob: User, browser_of: Callable[[User], Client]
) -> None:
    page = renter.get("/volumes/").content.decode()
    assert "in use by a rental" in page
    assert "/delete" not in page
    url = f"/volumes/{Volume.objects.get().id}/delete"
    assert "end that one first" in renter.post(url, follow=True).content.decode()
    assert browser_of(bob).post(url).status_code == 404
    assert "You have no volume" in browser_of(bob).get("/volumes/").content.decode()
    renter.post(f"/rentals/{rental.id}/end")
    market.end(rental, at=scene.after(9))
    assert "Volume data is being deleted." in renter.post(url, follow=True).content.decode()
    assert "Being deleted" in renter.get("/volumes/").content.decode()


def test_a_renter_chooses_which_keys_open_a_rental(
    renter: Client, rental: Rental, alice: User
) -> None:
    new = add_ssh_key.add(
        user_id=alice.pk, name="desk", public_key=openssh_public_key("cd" * 32), now=scene.NOW
    )
    page = page_of(renter, rental)
    assert (page.count('name="ssh_keys"'), page.count("checked")) == (2, 1)
    reply = renter.post(f"/rentals/{rental.id}/keys", {"ssh_keys": [str(new.id)]}, follow=True)
    assert "These keys open the rental from now on." in reply.content.decode()
    assert Placement.objects.get().authorized_keys == [new.public_key]
    reply = renter.post(f"/rentals/{rental.id}/keys", {}, follow=True)
    assert "Choose at least one of your SSH keys." in reply.content.decode()
    assert Placement.objects.get().authorized_keys == [new.public_key]
