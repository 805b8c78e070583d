"""An operator's pages show everything and change only who may come in."""

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import RequestFactory
from django.urls import reverse

from marketplace import urls  # noqa: F401  (takes the pages of libraries away)
from marketplace.accounts.models import User
from tests.marketplace import staffed
from tests.marketplace.staffed import with_app

SHOWN = sorted(admin.site._registry, key=lambda model: model._meta.label)


@pytest.fixture
def operator(db: None) -> User:
    user = User.objects.create_superuser(email="operator@berth.example", password="x" * 20)
    return with_app(user)


@pytest.mark.parametrize("model", SHOWN, ids=lambda model: model._meta.label)
def test_a_page_adds_nothing_deletes_nothing_and_changes_only_people(
    model: type[Model], operator: User
) -> None:
    request = RequestFactory().get("/admin/")
    request.user = operator
    page = admin.site._registry[model]
    assert not page.has_add_permission(request)
    assert not page.has_delete_permission(request)
    assert page.has_change_permission(request) is (model is User)
    assert page.has_view_permission(request)


@pytest.mark.parametrize("model", SHOWN, ids=lambda model: model._meta.label)
def test_a_page_opens_and_its_form_to_add_does_not(model: type[Model], operator: User) -> None:
    browser = staffed.browser(operator)
    at = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    assert browser.get(reverse(f"{at}_changelist")).status_code == 200
    assert browser.get(reverse(f"{at}_add")).status_code == 403


def test_an_operator_shuts_a_person_out_and_changes_nothing_else(
    operator: User, alice: User
) -> None:
    browser = staffed.browser(operator)
    path = reverse("admin:accounts_user_change", args=[alice.pk])
    assert browser.get(path).status_code == 200
    sent = {"email": "eve@berth.example", "is_staff": "on", "is_superuser": "on"}
    assert browser.post(path, sent).status_code == 302
    email = alice.email
    alice.refresh_from_db()
    assert (alice.email, alice.is_active, alice.is_staff) == (email, False, False)
    assert not alice.is_superuser
