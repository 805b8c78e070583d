"""Who works for the site opens what their roles include, and nobody else finds any of it."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from django.test import Client
from django.urls import URLPattern

from marketplace.accounts.models import User
from marketplace.accounts.second_step import LASTS
from marketplace.console.actions.set_roles import (
    NobodyThere,
    OwnRoles,
    RoleOfSuperuser,
    ShutOut,
    set_roles,
)
from marketplace.console.models import StaffRole
from marketplace.console.queries import acts
from marketplace.console.staff import NotYourRole, ReasonUnfit, Staff
from marketplace.console.staff import staff as as_staff
from marketplace.domain.oversight import MEANING, Right, Role, rights_of
from marketplace.oversight.models import Act
from marketplace.pages.console_urls import urlpatterns
from marketplace.pages.templatetags.site import OF_CONSOLE
from tests.marketplace.staffed import browser, staff, with_app

OPERATING = Path(__file__).parents[3] / "docs/operating.md"
IDS = {"uuid": "00000000-0000-4000-8000-000000000000", "int": "1", "str": "x"}


def paths() -> list[str]:
    """Return an address of each page of the console."""
    found = []
    for pattern in urlpatterns:
        assert isinstance(pattern, URLPattern)
        route = str(pattern.pattern)
        for kind, value in IDS.items():
            while f"<{kind}:" in route:
                before, _, after = route.partition(f"<{kind}:")
                route = before + value + after.partition(">")[2]
        found.append(f"/console/{route}")
    return found


@pytest.mark.parametrize("path", paths())
def test_a_page_is_not_there_for_who_does_not_work_here(path: str, alice: User) -> None:
    for method in ("get", "post"):
        visitor = getattr(Client(), method)(path)
        assert visitor.status_code in (302, 405)
        if visitor.status_code == 302:
            assert visitor["Location"].startswith("/accounts/login/")
        member = getattr(browser(with_app(alice)) if method == "get" else browser(alice), method)
        assert member(path).status_code in (404, 405)


@pytest.mark.parametrize("path", paths())
def test_a_page_asks_for_a_second_step_of_this_day(path: str, admin: User) -> None:
    unstepped = (
        browser(admin, method="password"),
        browser(admin, age_s=LASTS.total_seconds() + 1),
    )
    for one in unstepped:
        for method in ("get", "post"):
            reply = getattr(one, method)(path)
            assert reply.status_code in (302, 405)
            if reply.status_code == 302:
                assert reply["Location"].startswith("/accounts/2fa/reauthenticate/?next=%2Fconsole")
    assert not Act.objects.exists()


def test_who_has_no_second_step_is_told_to_set_one_up(db: None) -> None:
    root = User.objects.create_superuser("root@berth.example")
    reply = browser(root).get("/console/")
    assert (reply.status_code, reply["Location"]) == (302, "/accounts/2fa/")


def test_the_step_of_another_person_in_the_same_session_counts_for_nobody_else(
    admin: User,
) -> None:
    other = staff("other", Role.ADMIN)
    one = browser(admin)
    session = one.session
    session["account_authentication_methods_user"] = str(other.pk)
    session.save()
    assert one.get("/console/").status_code == 302


@pytest.mark.parametrize("role", list(Role))
def test_a_role_opens_the_pages_of_its_rights_and_no_other(role: Role, db: None) -> None:
    one = browser(staff("one", role))
    home = one.get("/console/")
    assert home.status_code == 200
    shown = home.content.decode()
    opened = []
    for label, path, right in OF_CONSOLE:
        may = right in rights_of([role])
        assert one.get(path).status_code == (200 if may else 403)
        assert (f'href="{path}"' in shown) is may
        opened += [label] if may else []
    assert "no-store" in home["Cache-Control"]
    # What people are told of the role is what it opens.
    *most, last = opened
    reads = "everything" if role is Role.ADMIN else f"{', '.join(most)} and {last}"
    assert (opened == [label for label, _, _ in OF_CONSOLE]) is (role is Role.ADMIN)
    assert MEANING[role].startswith(f"reads {reads}; ")
    assert f"| `{role}` | {MEANING[role]} |" in OPERATING.read_text(encoding="utf-8")


def test_a_role_that_was_taken_away_opens_nothing_from_then_on(admin: User) -> None:
    one = browser(admin)
    assert one.get("/console/").status_code == 200
    StaffRole.objects.all().delete()
    assert one.get("/console/").status_code == 404


def test_only_staff_see_the_way_in(alice: User, admin: User) -> None:
    assert b'href="/console/"' in browser(admin).get("/").content
    assert b'href="/console/"' not in browser(alice).get("/").content
    assert b'href="/console/"' not in Client().get("/").content


def test_an_admin_gives_and_takes_roles_and_the_log_says_so(admin: User, alice: User) -> None:
    one = browser(admin)
    sent = {"email": " ALICE@example.com", "roles": ["finance", "support"], "reason": "she joins"}
    assert one.post("/console/roles/", sent, follow=True).status_code == 200
    alice.refresh_from_db()
    assert alice.is_staff
    assert not alice.is_superuser
    found = as_staff(alice)
    assert found is not None
    assert found.roles == {Role.FINANCE, Role.SUPPORT}

    one.post("/console/roles/", {"email": alice.email, "reason": "she leaves"})
    alice.refresh_from_db()
    assert as_staff(alice) is None
    assert not alice.is_staff
    page = one.get("/console/log/").content.decode()
    assert "she leaves" in page
    assert "roles: finance, support → –" in page
    newest, first = Act.objects.all()
    assert (newest.by, newest.person, newest.reason) == (admin, alice, "she leaves")
    assert first.before == {"roles": []}


def test_the_same_roles_again_are_no_act(by: Staff, alice: User, now: datetime) -> None:
    for _ in range(2):
        set_roles(by=by, email=alice.email, roles=[Role.SUPPORT], reason="joins", now=now)
    assert Act.objects.count() == 1


@pytest.mark.parametrize("sent", [{}, {"reason": ""}, {"roles": ["root"], "reason": "x"}])
def test_a_wrong_form_changes_nothing(admin: User, alice: User, sent: dict[str, object]) -> None:
    reply = browser(admin).post(
        "/console/roles/", {"email": alice.email, "roles": ["admin"]} | sent
    )
    assert reply.status_code == 422
    assert as_staff(alice) is None


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.FINANCE])
def test_who_may_not_give_roles_gives_none(role: Role, alice: User, now: datetime) -> None:
    user = staff("one", role)
    by = as_staff(user)
    assert by is not None
    for email in (user.email, alice.email):
        with pytest.raises(NotYourRole):
            set_roles(by=by, email=email, roles=[Role.ADMIN], reason="x", now=now)
        sent = {"email": email, "roles": ["admin"], "reason": "x"}
        assert browser(user).post("/console/roles/", sent).status_code == 403
    assert not Act.objects.exists()


@pytest.mark.parametrize(
    ("prepare", "refusal"),
    [
        (lambda alice, by: by.email, OwnRoles),
        (lambda alice, by: "nobody@example.com", NobodyThere),
        (lambda alice, by: User.objects.update(is_superuser=True) and alice.email, RoleOfSuperuser),
        (lambda alice, by: User.objects.update(is_active=False) and alice.email, ShutOut),
    ],
)
def test_a_refused_change_of_roles_leaves_them(
    by: Staff,
    alice: User,
    now: datetime,
    prepare: Callable[[User, Staff], str],
    refusal: type[Exception],
) -> None:
    email = prepare(alice, by)
    with pytest.raises(refusal):
        set_roles(by=by, email=email, roles=[Role.SUPPORT], reason="x", now=now)
    assert not Act.objects.exists()
    assert StaffRole.objects.count() == 1


def test_roles_without_a_reason_are_not_given(by: Staff, alice: User, now: datetime) -> None:
    with pytest.raises(ReasonUnfit):
        set_roles(by=by, email=alice.email, roles=[Role.SUPPORT], reason=" ", now=now)
    assert as_staff(alice) is None


def test_the_log_shows_pages_and_one_kind(
    admin: User, by: Staff, alice: User, now: datetime
) -> None:
    for number in range(3):
        roles = [Role.SUPPORT] if number % 2 == 0 else []
        set_roles(by=by, email=alice.email, roles=roles, reason=f"<b>{number}</b>", now=now)
    page = browser(admin).get("/console/log/?kind=refund")
    assert page.context["lines"] == []
    page = browser(admin).get(f"/console/log/?kind=roles&before={Act.objects.first().pk}")  # type: ignore[union-attr]
    assert [line.reason for line in page.context["lines"]] == ["<b>1</b>", "<b>0</b>"]
    assert b"<b>0</b>" not in page.content
    for strange in ("before=x", "before=99999999999999999999", "kind=%00"):
        assert browser(admin).get(f"/console/log/?{strange}").status_code in (200, 400)


def test_the_log_goes_on_where_a_page_ends(by: Staff, alice: User, now: datetime) -> None:
    for number in range(5):
        roles = [Role.SUPPORT] if number % 2 == 0 else []
        set_roles(by=by, email=alice.email, roles=roles, reason=str(number), now=now)
    first = acts(limit=2)
    rest = acts(limit=3, before=first.older)
    assert [act.reason for act in first.acts + rest.acts] == ["4", "3", "2", "1", "0"]
    assert rest.older is None


def test_the_admin_pages_ask_for_the_second_step_and_an_operator_of_the_server(
    admin: User, alice: User
) -> None:
    root = with_app(User.objects.create_superuser("root@berth.example"))
    bare = User.objects.create_superuser("bare@berth.example")
    assert browser(root).get("/admin/").status_code == 200
    led = browser(root, method="password").get("/admin/", follow=True).redirect_chain
    assert led[-1][0] == "/accounts/2fa/reauthenticate/?next=%2Fadmin%2F"
    assert browser(bare).get("/admin/", follow=True).redirect_chain[-1][0].startswith("/accounts/")
    for one in (admin, alice):
        assert browser(one).get("/admin/", follow=True).status_code == 403
    visitor = Client().get("/admin/", follow=True)
    assert visitor.redirect_chain[-1][0] == "/accounts/login/?next=%2Fadmin%2F"


def test_every_role_is_explained_and_rights_add_up() -> None:
    assert set(MEANING) == set(Role)
    assert rights_of([]) == frozenset()
    assert rights_of([Role.SUPPORT, Role.FINANCE]) == {Right.SEE, Right.SETTLE, Right.MONEY}
