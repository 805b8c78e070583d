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
    #: passes of one lane run one after the other; what waits for the network has a lane of its own
    lane: str = "database"


PASSES = (
    Pass("reach", "marketplace.placements.tasks.reach", 0.2, 60, lane="reach"),
    Pass("look", "marketplace.placements.tasks.look", 0.25, 60, lane="look"),
    Pass("charge", "marketplace.metering.actions.charge.charge_all", 1, 60),
    Pass("expire", "marketplace.rentals.actions.expire.expire", 1, 60),
    Pass("drain", "marketplace.placements.actions.drain.drain", 5, 60),
    Pass("run-limits", "marketplace.jobs.actions.expire.expire", 1, 60),
    Pass("endpoints", "marketplace.endpoints.actions.tend.tend", 1, 60, lane="endpoints"),
    Pass("gateways", "marketplace.endpoints.actions.register_gateway.forget_gateways", 60, 60),
    Pass("sweep", "marketplace.placements.actions.sweep.sweep", 5, 60),
    Pass("offline", "marketplace.machines.actions.mark_offline.mark_offline", 5, 60),
    Pass(
        "top-ups",
        "marketplace.payments.actions.settle_pending.settle_pending",
        30,
        120,
        lane="payments",
    ),
    Pass("list", "marketplace.offers.actions.list_offer.list_missing", 30, 60),
    Pass("incidents", "marketplace.telemetry.actions.record.forget_incidents", 3600, 60),
    Pass("blobs", "marketplace.jobs.actions.forget_blobs.forget_blobs", 60, 120),
    Pass("tokens", "marketplace.machines.actions.issue_token.forget_tokens", 60, 60),
    Pass("nonces", "marketplace.verification.authenticate.forget_nonces", 60, 60),
    Pass("attempts", "marketplace.accounts.actions.count_attempt.forget_attempts", 60, 60),
    Pass("offers", "marketplace.offers.actions.refresh.refresh_all", 60, 120),
)
