"""This will say what of the site can be turned off, and what people read where it is."""

from enum import StrEnum


class Feature(StrEnum):
    """A row in the database is named so; never rename one."""

    RENTALS = "rentals"
    SIGN_UPS = "sign-ups"
    TOP_UPS = "top-ups"
    PAYOUTS = "payouts"
    ENROLMENTS = "enrolments"


#: what it is, for whoever turns it off
MEANING = {
    Feature.RENTALS: "new rentals, jobs and replicas; what runs goes on",
    Feature.SIGN_UPS: "new accounts",
    Feature.TOP_UPS: "new payments, automatic ones too; what is on its way arrives",
    Feature.PAYOUTS: "payouts to hosts; what was sent goes on",
    Feature.ENROLMENTS: "new machines; those that are here go on",
}
SENTENCES = {
    Feature.RENTALS: "Nothing new can be rented for now; what runs goes on.",
    Feature.SIGN_UPS: "Nobody can sign up for now.",
    Feature.TOP_UPS: "No money can be added for now.",
    Feature.PAYOUTS: "Payouts wait for now; what you earned stays yours.",
    Feature.ENROLMENTS: "No new machine can be enrolled for now.",
}
