"""This will say which page answers which address."""

from django.urls import include, path

from marketplace.pages.views.api_keys import api_keys, revoke_key
from marketplace.pages.views.cards import (
    automatic,
    automatic_off,
    card_cancelled,
    card_saved,
    remove_card,
    save_card,
    top_up_page,
)
from marketplace.pages.views.command_line import command_line
from marketplace.pages.views.deletion import delete_own_account
from marketplace.pages.views.earnings import earnings, statement, statement_file
from marketplace.pages.views.endpoints import (
    delete_endpoint,
    dismiss_replica,
    endpoints,
    scale_endpoint,
)
from marketplace.pages.views.favicon import favicon
from marketplace.pages.views.home import home
from marketplace.pages.views.host import (
    appeal,
    host,
    issue_enrolment_token,
    propose_prices,
    set_terms,
)
from marketplace.pages.views.host_machine import (
    host_machine,
    set_maintenance,
    set_price,
)
from marketplace.pages.views.hotkey import hotkey
from marketplace.pages.views.install import install_bundle, install_script
from marketplace.pages.views.invoices import invoice, invoice_file, invoices
from marketplace.pages.views.keys import keys, remove_key
from marketplace.pages.views.letters import letters
from marketplace.pages.views.limits import limits
from marketplace.pages.views.machine import machine
from marketplace.pages.views.money import balance, money, statement_csv
from marketplace.pages.views.notices import notices, read_notices
from marketplace.pages.views.offers import offers
from marketplace.pages.views.own_data import own_data, own_data_file
from marketplace.pages.views.payouts import onboarded, payouts, route, start_onboarding
from marketplace.pages.views.receipts import receipts
from marketplace.pages.views.rent import rent
from marketplace.pages.views.rental import end, extend, forget, rental, rental_panel
from marketplace.pages.views.rental_bid import bid
from marketplace.pages.views.rental_bill import rental_bill
from marketplace.pages.views.rental_changes import (
    answer_price,
    change,
    name,
    reset,
    restart,
    set_keys,
    start,
    stop,
)
from marketplace.pages.views.rental_events import rental_events
from marketplace.pages.views.rental_idle import idle
from marketplace.pages.views.rental_log import rental_log, rental_log_file
from marketplace.pages.views.rental_report import (
    rental_report,
    rental_reports,
    withdraw_report,
)
from marketplace.pages.views.rental_terminal import rental_terminal
from marketplace.pages.views.rental_traffic import traffic
from marketplace.pages.views.rental_usage import rental_usage, rental_usage_columns
from marketplace.pages.views.rentals import rentals
from marketplace.pages.views.scores import newest_scores, scores
from marketplace.pages.views.team import (
    leave,
    remove,
    rename,
    set_role,
    take_back,
    team,
    team_log,
)
from marketplace.pages.views.team_closing import close_team, team_data, team_data_file
from marketplace.pages.views.teams import act_for, all_teams, answer_one, join
from marketplace.pages.views.templates import delete_template, templates
from marketplace.pages.views.verification import verification
from marketplace.pages.views.volumes import delete_volume, volumes
from marketplace.pages.views.web_hooks import (
    remove_hook,
    rotate_secret,
    test_hook,
    turn_hook_on,
    web_hooks,
)

urlpatterns = [
    path("", home, name="home"),
    path("favicon.ico", favicon, name="favicon"),
    path("console/", include("marketplace.pages.console_urls")),
    path("offers/", offers, name="offers"),
    path("offers/<uuid:offer_id>/rent", rent, name="rent"),
    path("rentals/", rentals, name="rentals"),
    path("rentals/<uuid:rental_id>/", rental, name="rental"),
    path("rentals/<uuid:rental_id>/panel", rental_panel, name="rental-panel"),
    path("rentals/<uuid:rental_id>/usage", rental_usage, name="rental-usage"),
    path("rentals/<uuid:rental_id>/usage.json", rental_usage_columns, name="rental-usage-columns"),
    path("rentals/<uuid:rental_id>/terminal", rental_terminal, name="rental-terminal"),
    path("rentals/<uuid:rental_id>/bill", rental_bill, name="rental-bill"),
    path("rentals/<uuid:rental_id>/history", rental_events, name="rental-events"),
    path("rentals/reports/", rental_reports, name="rental-reports"),
    path("rentals/<uuid:rental_id>/report", rental_report, name="rental-report"),
    path("rentals/<uuid:rental_id>/report/withdraw", withdraw_report, name="rental-withdraw"),
    path("rentals/<uuid:rental_id>/receipts.json", receipts, name="receipts"),
    path("rentals/<uuid:rental_id>/log", rental_log, name="rental-log"),
    path("rentals/<uuid:rental_id>/log.txt", rental_log_file, name="rental-log-file"),
    path("rentals/<uuid:rental_id>/end", end, name="rental-end"),
    path("rentals/<uuid:rental_id>/stop", stop, name="rental-stop"),
    path("rentals/<uuid:rental_id>/start", start, name="rental-start"),
    path("rentals/<uuid:rental_id>/restart", restart, name="rental-restart"),
    path("rentals/<uuid:rental_id>/reset", reset, name="rental-reset"),
    path("rentals/<uuid:rental_id>/change", change, name="rental-change"),
    path("rentals/<uuid:rental_id>/name", name, name="rental-name"),
    path("rentals/<uuid:rental_id>/price", answer_price, name="rental-price"),
    path("rentals/<uuid:rental_id>/keys", set_keys, name="rental-keys"),
    path("rentals/<uuid:rental_id>/bid", bid, name="rental-bid"),
    path("rentals/<uuid:rental_id>/idle", idle, name="rental-idle"),
    path("rentals/<uuid:rental_id>/traffic", traffic, name="rental-traffic"),
    path("rentals/<uuid:rental_id>/extend", extend, name="rental-extend"),
    path("rentals/<uuid:rental_id>/forget", forget, name="rental-forget"),
    path("endpoints/", endpoints, name="endpoints"),
    path("endpoints/<uuid:endpoint_id>/scale", scale_endpoint, name="endpoint-scale"),
    path("endpoints/<uuid:endpoint_id>/delete", delete_endpoint, name="endpoint-delete"),
    path(
        "endpoints/<uuid:endpoint_id>/replicas/<uuid:placement_id>/dismiss",
        dismiss_replica,
        name="replica-dismiss",
    ),
    path("templates/", templates, name="templates"),
    path("templates/<str:name>/delete", delete_template, name="template-delete"),
    path("volumes/", volumes, name="volumes"),
    path("volumes/<uuid:volume_id>/delete", delete_volume, name="volume-delete"),
    path("keys/", keys, name="keys"),
    path("keys/<uuid:key_id>/remove", remove_key, name="key-remove"),
    path("api-keys/", api_keys, name="api-keys"),
    path("api-keys/<uuid:key_id>/revoke", revoke_key, name="api-key-revoke"),
    path("teams/", all_teams, name="teams"),
    path("teams/act-for", act_for, name="act-for"),
    path("teams/join/<str:token>/", join, name="team-join"),
    path("teams/invitations/<uuid:invitation_id>", answer_one, name="team-answer"),
    path("teams/<int:team_id>/", team, name="team"),
    path("teams/<int:team_id>/log/", team_log, name="team-log"),
    path("teams/<int:team_id>/name", rename, name="team-rename"),
    path("teams/<int:team_id>/leave", leave, name="team-leave"),
    path("teams/<int:team_id>/close/", close_team, name="team-close"),
    path("teams/<int:team_id>/data/", team_data, name="team-data"),
    path("teams/<int:team_id>/data/<uuid:export_id>.zip", team_data_file, name="team-data-file"),
    path("teams/<int:team_id>/people/<int:person_id>/role", set_role, name="team-role"),
    path("teams/<int:team_id>/people/<int:person_id>/remove", remove, name="team-remove"),
    path(
        "teams/<int:team_id>/invitations/<uuid:invitation_id>/take-back",
        take_back,
        name="team-take-back",
    ),
    path("money/", money, name="money"),
    path("money/balance", balance, name="balance"),
    path("money/statement-<str:of>.csv", statement_csv, name="statement_csv"),
    path("money/limits/", limits, name="limits"),
    path("money/invoices/", invoices, name="invoices"),
    path("money/invoices/<str:number>/", invoice, name="invoice"),
    path("money/invoices/<str:number>.pdf", invoice_file, name="invoice-file"),
    path("money/card", save_card, name="card-save"),
    path("money/card/saved", card_saved, name="card-saved"),
    path("money/card/cancelled", card_cancelled, name="card-cancelled"),
    path("money/card/remove", remove_card, name="card-remove"),
    path("money/automatic", automatic, name="automatic"),
    path("money/automatic/off", automatic_off, name="automatic-off"),
    path("money/top-ups/<uuid:top_up_id>/", top_up_page, name="payment"),
    path("accounts/delete/", delete_own_account, name="delete-account"),
    path("accounts/data/", own_data, name="own-data"),
    path("accounts/data/<uuid:export_id>.zip", own_data_file, name="own-data-file"),
    path("notices/", notices, name="notices"),
    path("notices/letters/", letters, name="letters"),
    path("notices/read", read_notices, name="notices-read"),
    path("web-hooks/", web_hooks, name="web-hooks"),
    path("web-hooks/<uuid:hook_id>/test", test_hook, name="web-hook-test"),
    path("web-hooks/<uuid:hook_id>/rotate", rotate_secret, name="web-hook-rotate"),
    path("web-hooks/<uuid:hook_id>/on", turn_hook_on, name="web-hook-on"),
    path("web-hooks/<uuid:hook_id>/remove", remove_hook, name="web-hook-remove"),
    path("command-line/", command_line, name="command-line"),
    path("scores/", newest_scores, name="newest-scores"),
    path("scores/<int:epoch>/", scores, name="scores"),
    path("install", install_script, name="install"),
    path("install/agent-<str:sha256>.tar.gz", install_bundle, name="install-bundle"),
    path("host/", host, name="host"),
    path("host/earnings/", earnings, name="host-earnings"),
    path("host/statements/<str:month>/", statement, name="host-statement"),
    path("host/statements/<str:month>/earnings.csv", statement_file, name="host-statement-file"),
    path("host/payouts/", payouts, name="host-payouts"),
    path("host/payouts/route", route, name="host-payouts-route"),
    path("host/payouts/onboarding", start_onboarding, name="host-payouts-onboarding"),
    path("host/payouts/back", onboarded, name="host-payouts-back"),
    path("host/tokens", issue_enrolment_token, name="host-token"),
    path("host/machines/<uuid:machine_id>/", host_machine, name="host-machine"),
    path("host/machines/<uuid:machine_id>/price", set_price, name="host-price"),
    path("host/machines/<uuid:machine_id>/maintenance", set_maintenance, name="host-maintenance"),
    path("host/machines/<uuid:machine_id>/terms", set_terms, name="host-terms"),
    path("host/machines/<uuid:machine_id>/propose", propose_prices, name="host-propose"),
    path("host/machines/<uuid:machine_id>/appeal", appeal, name="host-appeal"),
    path("machines/<uuid:machine_id>/", machine, name="machine"),
    path("machines/<uuid:machine_id>/verification/", verification, name="verification"),
    path("host/machines/<uuid:machine_id>/hotkey", hotkey, name="host-hotkey"),
]
