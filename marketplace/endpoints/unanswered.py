"""This will keep replicas that answer nobody from computing unpaid again and again."""

from datetime import datetime

from marketplace.domain.endpoint import FIRST_ANSWER_S_MAX, REPLICAS_MAX
from marketplace.domain.problem import Refused
from marketplace.endpoints.models import Replica
from marketplace.metering.unseen import unseen_s
from protocol.agent import Want
from protocol.workload import PlacementKind

#: so long in all may a renter's replicas run unanswering within a day: those of one large endpoint
#: may take all the time that they have to load
UNSEEN_S_DAY_MAX = REPLICAS_MAX * FIRST_ANSWER_S_MAX


class RepliesLate(Refused):
    """Another replica might compute unpaid for longer than a renter's may."""

    code = "replicas_unanswering"
    status = 409
    sentence = (
        "Too many of your replicas do not answer yet, or ran for long today without answering. "
        "Check that the program listens on its HTTP port, on all addresses (0.0.0.0); "
        "it is tried again."
    )


def check_unanswered(renter_id: int, now: datetime) -> None:
    """Accept a renter whose replicas answer soon.

    One that did not answer yet counts with all the time that it has for it. Call it where no other
    replica of this renter can begin meanwhile.

    :raises RepliesLate: when one more might be too much.
    """
    waiting = Replica.objects.filter(
        endpoint__renter_id=renter_id,
        over_at=None,
        placement__want=Want.RUN,
        placement__reachable_at=None,
    ).count()
    used_s = unseen_s(renter_id=renter_id, kind=PlacementKind.REPLICA, now=now)
    if used_s + (waiting + 1) * FIRST_ANSWER_S_MAX > UNSEEN_S_DAY_MAX:
        raise RepliesLate
