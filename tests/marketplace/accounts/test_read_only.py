"""An operator's pages show everything and change nothing."""

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
def test_a_page_adds_deletes_and_changes_nothing(model: type[Model], operator: User) -> None:
    request = RequestFactory().get("/admin/")
    request.user = operator
    page = admin.site._registry[model]
    assert not page.has_add_permission(request)
    assert not page.has_delete_permission(request)
    assert not page.has_change_permission(request)
    assert page.has_view_permission(request)


@pytest.mark.parametrize("model", SHOWN, ids=lambda model: model._meta.label)
def test_a_page_opens_and_its_form_to_add_does_not(model: type[Model], operator: User) -> None:
    browser = staffed.browser(operator)
    at = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    assert browser.get(reverse(f"{at}_changelist")).status_code == 200
    assert browser.get(reverse(f"{at}_add")).status_code == 403


def test_a_person_is_shown_and_not_changed(operator: User, alice: User) -> None:
    path = reverse("admin:accounts_user_change", args=[alice.pk])
    browser = staffed.browser(operator)
    page = browser.get(path)
    assert page.status_code == 200
    assert alice.password not in page.content.decode()
    assert browser.post(path, {"email": "eve@berth.example"}).status_code == 403
    email = alice.email
    alice.refresh_from_db()
    assert (alice.email, alice.is_active) == (email, True)
