"""This will list every periodic pass once, for the scheduler loop and for Celery alike."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pass:
    """A function that takes ``now`` and redoes whatever a lost message should have done."""

    name: str
    #: dotted path of the function
    path: str
    every_s: float
    #: longer than this is reported as a fault
    limit_s: int
    #: passes of one lane run one after the other; what waits for the network or works for long has
    #: one of its own
    lane: str = "database"


PASSES = (
    Pass("reach", "marketplace.placements.tasks.reach", 0.2, 60, lane="reach"),
    Pass("look", "marketplace.placements.tasks.look", 0.25, 60, lane="look"),
    Pass("charge", "marketplace.metering.actions.charge.charge_all", 1, 60),
    Pass("credit", "marketplace.ledger.actions.grant_credit.expire_credit", 10, 60),
    Pass("bans", "marketplace.console.actions.shut_out.shut_out_all", 10, 60),
    Pass("holds", "marketplace.ledger.actions.hold.release_expired", 10, 60),
    Pass("storage", "marketplace.metering.actions.count_storage.count_storage", 60, 60),
    Pass("traffic", "marketplace.rentals.actions.count_traffic.count_traffic", 60, 60),
    Pass("renewals", "marketplace.rentals.actions.renew.renew", 1, 60),
    Pass("expire", "marketplace.rentals.actions.expire.expire", 1, 60),
    Pass("failovers", "marketplace.rentals.actions.fail_over.fail_over", 1, 60),
    Pass("proofs", "marketplace.rentals.actions.end_proof.end_late", 5, 60),
    Pass("proofs-count", "marketplace.rentals.actions.count_proof.count_proofs", 5, 60),
    Pass("drain", "marketplace.placements.actions.drain.drain", 5, 60),
    Pass("audit", "marketplace.metering.actions.audit_money.audit_daily", 600, 3600, lane="epochs"),
    Pass("run-limits", "marketplace.jobs.actions.expire.expire", 1, 60),
    Pass("endpoints", "marketplace.endpoints.actions.tend.tend", 1, 60, lane="endpoints"),
    Pass("gateways", "marketplace.endpoints.actions.register_gateway.forget_gateways", 60, 60),
    Pass("hold-back", "marketplace.rentals.actions.hold_back.hold_back", 1, 60),
    Pass("auctions", "marketplace.placements.actions.settle.settle_all", 1, 60),
    Pass("sweep", "marketplace.placements.actions.sweep.sweep", 5, 60),
    Pass("offline", "marketplace.machines.actions.mark_offline.mark_offline", 5, 60),
    Pass(
        "top-ups",
        "marketplace.payments.actions.settle_pending.settle_pending",
        30,
        120,
        lane="payments",
    ),
    Pass("mail", "marketplace.notices.actions.mail.mail", 5, 120, lane="mail"),
    Pass("hooks", "marketplace.notices.actions.deliver.deliver", 1, 60, lane="hooks"),
    Pass("idle", "marketplace.rentals.actions.stop_idle.stop_idle", 10, 60),
    Pass("tell-rentals", "marketplace.notices.actions.tell_rentals.tell_rentals", 10, 60),
    Pass("tell-outbid", "marketplace.notices.actions.tell_outbid.tell_outbid", 2, 60),
    Pass(
        "tell-maintenance", "marketplace.notices.actions.tell_maintenance.tell_maintenance", 10, 60
    ),
    Pass("tell-delivered", "marketplace.notices.actions.tell_delivered.tell_delivered", 10, 60),
    Pass("tell-accounts", "marketplace.notices.actions.tell_accounts.tell_accounts", 5, 60),
    Pass("shut-left", "marketplace.notices.actions.shut_left.shut_left", 5, 60),
    Pass("tell-money", "marketplace.notices.actions.tell_money.tell_money", 30, 60),
    Pass("notices", "marketplace.notices.actions.forget.forget", 600, 60),
    Pass("payouts-due", "marketplace.payouts.actions.open_payouts.open_payouts", 60, 60),
    Pass(
        "payouts",
        "marketplace.payouts.actions.send_payouts.send_payouts",
        30,
        300,
        lane="payments",
    ),
    Pass(
        "payout-accounts",
        "marketplace.payouts.actions.look_at_accounts.look_at_accounts",
        30,
        300,
        lane="payments",
    ),
    Pass("invoices", "marketplace.papers.actions.issue_invoices.issue_invoices", 5, 60),
    Pass("receipts", "marketplace.papers.actions.issue_receipts.issue_receipts", 5, 60),
    Pass(
        "card-events",
        "marketplace.payments.actions.process_events.process_events",
        2,
        120,
        lane="payments",
    ),
    Pass(
        "card-events-old",
        "marketplace.payments.actions.forget_events.forget_events",
        86_400,
        60,
    ),
    Pass(
        "auto-top-ups",
        "marketplace.payments.actions.auto_top_up.auto_top_up",
        10,
        120,
        lane="payments",
    ),
    Pass(
        "refunds",
        "marketplace.payments.actions.refund.settle_refunds",
        30,
        120,
        lane="payments",
    ),
    Pass("freezes", "marketplace.payments.actions.settle_dispute.freeze_more", 5, 60),
    Pass(
        "disputes-told",
        "marketplace.payments.actions.tell_operator.tell_disputes",
        60,
        300,
        lane="payments",
    ),
    Pass(
        "disputes",
        "marketplace.payments.actions.settle_dispute.tend_disputes",
        60,
        120,
        lane="payments",
    ),
    Pass(
        "books",
        "marketplace.payments.actions.reconcile.reconcile",
        600,
        600,
        lane="payments",
    ),
    Pass("list", "marketplace.offers.actions.list_offer.list_missing", 30, 60),
    Pass("forget-telemetry", "marketplace.telemetry.actions.forget.forget", 3600, 60),
    Pass(
        "summaries",
        "marketplace.telemetry.actions.summarise.summarise",
        60,
        300,
        lane="epochs",
    ),
    Pass("standings", "marketplace.verification.actions.note.forget_events", 3600, 60),
    Pass("verdicts", "marketplace.verification.actions.forget.forget", 30, 60),
    Pass("terminals", "marketplace.terminals.actions.forget.forget", 30, 60),
    Pass("logs", "marketplace.logs.actions.forget.forget", 60, 60),
    Pass("blobs", "marketplace.jobs.actions.forget_blobs.forget_blobs", 60, 120),
    Pass("tokens", "marketplace.machines.actions.issue_token.forget_tokens", 60, 60),
    Pass(
        "epochs", "marketplace.metering.actions.close_epochs.close_epochs", 30, 120, lane="epochs"
    ),
    Pass("exports", "marketplace.own_data.actions.export.make_exports", 10, 300, lane="epochs"),
    Pass(
        "farewells",
        "marketplace.own_data.actions.say_farewell.say_farewell",
        30,
        120,
        lane="mail",
    ),
    Pass(
        "invitations",
        "marketplace.accounts.actions.mail_invitations.mail_invitations",
        5,
        120,
        lane="mail",
    ),
    Pass(
        "team-events", "marketplace.accounts.actions.note_team_event.forget_team_events", 3600, 60
    ),
    Pass("nonces", "marketplace.verification.authenticate.forget_nonces", 60, 60),
    Pass("answers", "marketplace.accounts.once.forget_answers", 60, 60),
    Pass("attempts", "marketplace.accounts.actions.count_attempt.forget_attempts", 60, 60),
    Pass("offers", "marketplace.offers.actions.refresh.refresh_all", 60, 120),
    Pass("mystery", "marketplace.rentals.actions.rent_mysteriously.rent_mysteriously", 10, 60),
    Pass("starts", "marketplace.rentals.actions.count_starts.count_starts", 600, 120),
    Pass(
        "prices", "marketplace.rentals.actions.count_prices.count_prices", 600, 120, lane="epochs"
    ),
)
