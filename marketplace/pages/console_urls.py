"""This will say which page of the console answers which address below /console/."""

from django.urls import path

from marketplace.pages.views.console.announcements import announcements, withdraw_announcement
from marketplace.pages.views.console.features import features, turn
from marketplace.pages.views.console.health import health
from marketplace.pages.views.console.home import appeal, console, evidence, settle
from marketplace.pages.views.console.invoices import invoice_correct, invoices
from marketplace.pages.views.console.log import log
from marketplace.pages.views.console.machines import (
    machine,
    machine_ban,
    machine_end,
    machine_lift,
    machines,
)
from marketplace.pages.views.console.payments import payment
from marketplace.pages.views.console.people import (
    people,
    person,
    person_ban,
    person_let_pay,
    person_lift,
    person_prove,
)
from marketplace.pages.views.console.person_acts import person_credit, person_remove_step
from marketplace.pages.views.console.rentals import rental, rental_end, rentals
from marketplace.pages.views.console.reports import report, report_credit, report_refuse
from marketplace.pages.views.console.roles import roles
from marketplace.pages.views.console.validators import (
    validator_admit,
    validator_expel,
    validators,
)

urlpatterns = [
    path("", console, name="console"),
    path("proofs/<uuid:proof_id>", settle, name="console-settle"),
    path("appeals/<uuid:machine_id>", appeal, name="console-appeal"),
    path("disputes/<str:dispute_id>/evidence.txt", evidence, name="console-evidence"),
    path("people/", people, name="console-people"),
    path("people/<int:user_id>/", person, name="console-person"),
    path("people/<int:user_id>/let-pay", person_let_pay, name="console-let-pay"),
    path("people/<int:user_id>/ban", person_ban, name="console-ban"),
    path("people/<int:user_id>/lift", person_lift, name="console-lift"),
    path("people/<int:user_id>/prove", person_prove, name="console-prove"),
    path("people/<int:user_id>/credit", person_credit, name="console-credit"),
    path("people/<int:user_id>/remove-step", person_remove_step, name="console-remove-step"),
    path("machines/", machines, name="console-machines"),
    path("machines/<uuid:machine_id>/", machine, name="console-machine"),
    path("machines/<uuid:machine_id>/ban", machine_ban, name="console-machine-ban"),
    path("machines/<uuid:machine_id>/lift", machine_lift, name="console-machine-lift"),
    path("machines/<uuid:machine_id>/end", machine_end, name="console-machine-end"),
    path("rentals/", rentals, name="console-rentals"),
    path("rentals/<uuid:rental_id>/", rental, name="console-rental"),
    path("rentals/<uuid:rental_id>/end", rental_end, name="console-rental-end"),
    path("validators/", validators, name="console-validators"),
    path("validators/admit", validator_admit, name="console-validator-admit"),
    path("validators/expel", validator_expel, name="console-validator-expel"),
    path("invoices/", invoices, name="console-invoices"),
    path("invoices/correct", invoice_correct, name="console-invoice-correct"),
    path("reports/<uuid:report_id>/", report, name="console-report"),
    path("reports/<uuid:report_id>/credit", report_credit, name="console-report-credit"),
    path("reports/<uuid:report_id>/refuse", report_refuse, name="console-report-refuse"),
    path("health/", health, name="console-health"),
    path("features/", features, name="console-features"),
    path("features/<str:name>", turn, name="console-turn"),
    path("announcements/", announcements, name="console-announcements"),
    path(
        "announcements/<int:announcement_id>/withdraw",
        withdraw_announcement,
        name="console-withdraw",
    ),
    path("payments/<uuid:top_up_id>/", payment, name="console-payment"),
    path("log/", log, name="console-log"),
    path("roles/", roles, name="console-roles"),
]
