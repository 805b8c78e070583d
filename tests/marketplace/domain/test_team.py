"""A role is a set of scopes, and nobody gives what they have not."""

from itertools import product

import pytest

from marketplace.domain.scope import READS, Scope, allows
from marketplace.domain.team import (
    AREAS,
    NAME_LENGTH_MAX,
    OPEN,
    SCOPES,
    Role,
    is_persons,
    may,
    may_change,
    name_fault,
    page_needs,
)
from marketplace.pages.urls import urlpatterns as pages

#: pages that are about a person, whomever they act for
OF_PEOPLE = {"accounts", "console", "favicon.ico", "install", "teams"}


def test_every_page_is_in_an_area_or_open_or_its_persons() -> None:
    firsts = {str(one.pattern).split("/")[0] for one in pages}
    assert firsts == OF_PEOPLE | AREAS.keys() | OPEN
    assert {first for first in firsts if is_persons(f"/{first}/")} == OF_PEOPLE


@pytest.mark.parametrize(
    ("method", "path", "roles"),
    [
        ("GET", "/", set(Role)),
        ("GET", "/offers/", set(Role)),
        ("HEAD", "/machines/1/", set(Role)),
        ("POST", "/offers/1/rent", {Role.OWNER, Role.MANAGER, Role.MEMBER}),
        ("GET", "/rentals/", {Role.OWNER, Role.MANAGER, Role.MEMBER}),
        ("POST", "/rentals/1/end", {Role.OWNER, Role.MANAGER, Role.MEMBER}),
        ("POST", "/keys/", {Role.OWNER, Role.MANAGER, Role.MEMBER}),
        ("GET", "/keys/", set(Role)),
        # The form of a rental begins with the team's templates, and what is in them.
        ("GET", "/offers/1/rent", {Role.OWNER, Role.MANAGER, Role.MEMBER}),
        ("GET", "/api-keys/", set(Role)),
        ("POST", "/api-keys/", {Role.OWNER, Role.MANAGER}),
        ("POST", "/web-hooks/", {Role.OWNER, Role.MANAGER}),
        ("GET", "/money/", set(Role)),
        ("POST", "/money/", {Role.OWNER, Role.BILLING}),
        ("POST", "/money/limits/", {Role.OWNER, Role.BILLING}),
        ("GET", "/host/", set()),
        ("POST", "/host/tokens", set()),
    ],
)
def test_a_role_opens_what_it_is_for(method: str, path: str, roles: set[Role]) -> None:
    asked = page_needs(method, path)
    assert {role for role in Role if may(role, asked)} == roles


def test_no_role_is_empty_as_an_empty_set_of_scopes_allows_everything() -> None:
    assert all(SCOPES[role] for role in Role)


def test_who_is_no_owner_changes_only_roles_that_hold_less() -> None:
    for by, before, after in product(Role, [None, *Role], [None, *Role]):
        allowed = may_change(by, before=before, after=after)
        touched = {one for one in (before, after) if one is not None}
        if by is Role.OWNER:
            assert allowed
        elif allowed:
            assert (by, touched | {Role.MEMBER}) == (Role.MANAGER, {Role.MEMBER})
            assert all(allows(SCOPES[by], scope) for one in touched for scope in SCOPES[one])


def test_a_manager_lets_members_in_and_out() -> None:
    assert may_change(Role.MANAGER, before=None, after=Role.MEMBER)
    assert may_change(Role.MANAGER, before=Role.MEMBER, after=None)


@pytest.mark.parametrize(
    ("scopes", "asked", "allowed"),
    [
        (["account:write"], Scope.KEYS_WRITE, True),
        (["account:read"], Scope.KEYS_READ, True),
        (["account:read"], Scope.KEYS_WRITE, False),
        (["keys:write"], Scope.KEYS_READ, True),
        (["keys:write"], Scope.ACCOUNT_READ, False),
        (["rentals:write"], Scope.KEYS_READ, False),
    ],
)
def test_ssh_keys_are_a_part_of_the_account(
    scopes: list[str], asked: Scope, *, allowed: bool
) -> None:
    assert allows(scopes, asked) is allowed


@pytest.mark.parametrize("name", ["Acme Inc.", "Köln & Söhne", "研究室", "x" * NAME_LENGTH_MAX])
def test_a_name_is_a_line_of_text(name: str) -> None:
    assert name_fault(name) == ""


@pytest.mark.parametrize(
    "name",
    [
        *("", "  ", "x" * (NAME_LENGTH_MAX + 1), "a\nb", "a\u202eb", "a\x00b"),
        *("go to x.example/now", "www.x.example", "a@b.example"),
    ],
)
def test_a_name_is_no_address_and_hides_nothing(name: str) -> None:
    assert name_fault(name)


def test_only_reading_is_free_where_everybody_reads() -> None:
    assert page_needs("DELETE", "/offers/") is Scope.RENTALS_WRITE
    assert {"GET", "HEAD", "OPTIONS"} == READS
