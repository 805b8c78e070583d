"""This will say which roles staff may have, what each may do, and how their acts are called."""

from collections.abc import Iterable
from datetime import timedelta
from enum import StrEnum

from marketplace.domain.money import MicroUsd

#: of why an act is done, in characters; the log, and who is told, have all of it
REASON_LENGTH_MAX = 500
#: microUSD of credit that one of the staff gives within a day; the server's command has no bound
CREDIT_BY_ONE_MAX, CREDIT_BY_ONE_WITHIN = MicroUsd(2_000 * 1_000_000), timedelta(hours=24)
#: microUSD of credit that all staff together give one account within so many days
CREDIT_TO_ONE_MAX, CREDIT_TO_ONE_WITHIN = MicroUsd(2_000 * 1_000_000), timedelta(days=30)


class Role(StrEnum):
    """One person may have several."""

    SUPPORT = "support"
    FINANCE = "finance"
    ADMIN = "admin"


class Right(StrEnum):
    """What a page or an act asks for."""

    #: people, machines, rentals, payments and health, and nothing of it changed
    SEE = "see"
    #: disputes about what was delivered, reports of renters, and appeals of hosts
    SETTLE = "settle"
    #: refunds, credit, invoices, and cards that were barred
    MONEY = "money"
    #: into what is somebody's own: bans of people and machines, rentals that are ended, second
    #: steps that were lost, and e-mail addresses that are taken as proven
    INTERVENE = "intervene"
    ANNOUNCE = "announce"
    #: whose verdicts and scores count
    VALIDATORS = "validators"
    SWITCH = "switch"
    #: who has which role
    ROLES = "roles"
    #: every act of everybody
    LOG = "log"


_OF_ROLE = {
    Role.SUPPORT: frozenset({Right.SEE, Right.SETTLE}),
    Role.FINANCE: frozenset({Right.SEE, Right.MONEY}),
    Role.ADMIN: frozenset(Right),
}
#: what a role is for, in the words of the page that gives it
MEANING = {
    Role.SUPPORT: (
        "reads To do, People, Machines, Rentals and Health; settles disputes about what was"
        " delivered, answers reports (giving no more of the site's than its fee) and appeals"
    ),
    Role.FINANCE: (
        "reads To do, People, Machines, Rentals, Invoices and Health; sends refunds, gives credit,"
        " corrects invoices, lets people pay again"
    ),
    Role.ADMIN: (
        "reads everything; does all of that; bans, ends rentals, marks e-mail addresses as proven,"
        " takes off second steps that were lost, admits validators, announces, turns features off,"
        " and gives roles"
    ),
}


class ActKind(StrEnum):
    """What was done, as the log keeps it. A kind that has rows is never renamed."""

    ROLES = "roles"
    REFUND = "refund"
    CREDIT = "credit"
    LET_PAY = "let-pay"
    CORRECT_INVOICE = "correct-invoice"
    BAN = "ban"
    LIFT_BAN = "lift-ban"
    BAN_MACHINE = "ban-machine"
    LIFT_MACHINE = "lift-machine-ban"
    END_THERE = "end-what-runs-there"
    END_RENTAL = "end-rental"
    PROVE_EMAIL = "prove-email"
    REMOVE_STEP = "remove-second-step"
    ACCOUNT = "account"
    SETTLE = "settle"
    ANSWER_APPEAL = "answer-appeal"
    ANSWER_REPORT = "answer-report"
    ADMIT_VALIDATOR = "admit-validator"
    EXPEL_VALIDATOR = "expel-validator"
    CLEAR_AUDIT = "clear-audit"
    RECOUNT = "recount-days"
    ANNOUNCE = "announce"
    WITHDRAW = "withdraw-announcement"
    SWITCH = "switch"
    READ_EVIDENCE = "read-evidence"
    READ_STATEMENT = "read-statement"
    READ_HOST_TAXES = "read-host-taxes"


ACT_LABELS = {
    ActKind.ROLES: "Roles changed",
    ActKind.REFUND: "Refund",
    ActKind.CREDIT: "Credit given",
    ActKind.LET_PAY: "Cards taken again",
    ActKind.CORRECT_INVOICE: "Invoice corrected",
    ActKind.BAN: "Banned",
    ActKind.LIFT_BAN: "Ban lifted",
    ActKind.BAN_MACHINE: "Machine banned",
    ActKind.LIFT_MACHINE: "Machine's ban lifted",
    ActKind.END_THERE: "What ran on a machine ended",
    ActKind.END_RENTAL: "Rental ended",
    ActKind.PROVE_EMAIL: "E-mail taken as proven",
    ActKind.REMOVE_STEP: "Second step taken off",
    ActKind.ACCOUNT: "Account made or password set",
    ActKind.SETTLE: "Dispute settled",
    ActKind.ANSWER_APPEAL: "Appeal answered",
    ActKind.ANSWER_REPORT: "Report answered",
    ActKind.ADMIT_VALIDATOR: "Validator admitted",
    ActKind.EXPEL_VALIDATOR: "Validator expelled",
    ActKind.RECOUNT: "Days of earnings counted anew",
    ActKind.CLEAR_AUDIT: "Audit cleared",
    ActKind.ANNOUNCE: "Announced",
    ActKind.WITHDRAW: "Announcement withdrawn",
    ActKind.SWITCH: "Feature switched",
    ActKind.READ_EVIDENCE: "Evidence of a dispute read",
    ActKind.READ_STATEMENT: "Statement read on the server",
    ActKind.READ_HOST_TAXES: "Tax numbers of hosts read",
}


def rights_of(roles: Iterable[Role]) -> frozenset[Right]:
    """Return everything that somebody with these roles may do."""
    none: frozenset[Right] = frozenset()
    return none.union(*(_OF_ROLE[role] for role in roles))
