"""This will say which page of the console answers which address below /console/."""

from django.urls import path

from marketplace.pages.views.console.home import console
from marketplace.pages.views.console.log import log
from marketplace.pages.views.console.payments import payment
from marketplace.pages.views.console.people import people, person, person_let_pay
from marketplace.pages.views.console.roles import roles

urlpatterns = [
    path("", console, name="console"),
    path("people/", people, name="console-people"),
    path("people/<int:user_id>/", person, name="console-person"),
    path("people/<int:user_id>/let-pay", person_let_pay, name="console-let-pay"),
    path("payments/<uuid:top_up_id>/", payment, name="console-payment"),
    path("log/", log, name="console-log"),
    path("roles/", roles, name="console-roles"),
]
