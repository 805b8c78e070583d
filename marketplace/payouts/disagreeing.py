"""This will say whose payouts wait, as the newest audit found something wrong with their books."""

import re
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from marketplace.ledger.audit import PROBLEMS_MAX
from marketplace.ledger.models import Account, AuditRun
from marketplace.metering.models import Meter

#: the databases write ids in two ways
ID = re.compile("[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Disagreeing:
    """Whose payouts wait."""

    host_ids: frozenset[int] = frozenset()
    #: a disagreement names nobody, or there are more than the audit names
    everybody: bool = False

    def holds_back(self, host_id: int) -> bool:
        """Say whether this host's payouts wait."""
        return self.everybody or host_id in self.host_ids


def disagreeing() -> Disagreeing:
    """Return whose payouts wait: until an audit agrees, or an operator cleared what it says."""
    problems = _problems()
    named = [ID.findall(one) for one in problems]
    if not all(named) or len(problems) >= PROBLEMS_MAX:
        return Disagreeing(everybody=True)
    ids = {UUID(one) for found in named for one in found}
    if not ids:
        return Disagreeing()
    accounts = Account.objects.filter(id__in=ids, user__isnull=False)
    meters = Meter.objects.filter(Q(id__in=ids) | Q(hold_id__in=ids) | Q(hold__account_id__in=ids))
    return Disagreeing(
        frozenset(
            (
                *accounts.order_by("id").values_list("user_id", flat=True),
                *meters.order_by("id").values_list("host_id", flat=True),
            )
        )
    )


def _problems() -> list[str]:
    runs = AuditRun.objects.order_by("-at", "-id")
    newest, cleared = runs.first(), runs.exclude(cleared_at=None).first()
    known = set() if cleared is None else set(cleared.problems)
    return [] if newest is None else [one for one in newest.problems if one not in known]
