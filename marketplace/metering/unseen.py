"""This will say how long a renter's runs went on of late without anybody seeing them answer.

Nobody pays for that, so it is limited: docs/decisions/0006-looks-from-outside.md.
"""

from datetime import datetime, timedelta

from django.db.models import BigIntegerField, F, Sum
from django.db.models.functions import Greatest

from marketplace.placements.models import PlacementEvent
from protocol.workload import PlacementKind

WITHIN = timedelta(days=1)
#: what is paid of a rental or replica forgives this part of it unseen: a program that takes long to
#: load and then works for long counts for nothing, and one that answers at its end does count
FORGIVEN_PART = 4


def unseen_s(*, renter_id: int, kind: PlacementKind, now: datetime) -> int:
    """Return the seconds of the last day, all the renter's placements of this kind together."""
    mine = PlacementEvent.objects.filter(
        placement__meter__hold__user_id=renter_id,
        placement__kind=kind,
        at__gt=now - WITHIN,
        unseen_s__gt=0,
    )
    forgiven_s = F("placement__meter__proven_ms") / (1000 * FORGIVEN_PART)
    by_placement = mine.values("placement_id", "placement__meter__proven_ms").annotate(
        unpaid_s=Greatest(Sum("unseen_s") - forgiven_s, 0, output_field=BigIntegerField())
    )
    return int(by_placement.aggregate(all_s=Sum("unpaid_s", default=0))["all_s"])
