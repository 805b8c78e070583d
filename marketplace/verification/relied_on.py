"""This will say whose single word is relied on where no quorum is formed.

States are decided by stake (decision 27). What was measured, that a proof passed, and what hardware
showed itself are taken from one validator alone: so not from one whose stake is small. Else it
could call a machine proven that nobody can prove, make rivals slow, and keep machines at proofs.
"""

from datetime import datetime, timedelta

from django.db.models import F, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from marketplace.verification.models import Validator

#: the greatest stake is at most so many times as much
TIMES = 2
#: Whoever said nothing for so long keeps nobody else's word from counting.
HEARD_WITHIN = timedelta(days=1)


def validators(now: datetime) -> QuerySet[Validator]:
    """Return the admitted validators with at least half of the greatest stake that speaks now."""
    admitted = Validator.objects.filter(admitted=True, stake__gt=0)
    speaking = admitted.filter(spoke_at__gt=now - HEARD_WITHIN)
    greatest = Subquery(speaking.order_by("-stake").values("stake")[:1])
    return admitted.annotate(weight=F("stake") * TIMES).filter(weight__gte=Coalesce(greatest, 0))


def verdicts(now: datetime) -> Q:
    """Return what chooses the verdicts that they signed."""
    return Q(validator__in=validators(now).values("id"))
