"""This will give the schedule the passes of placements that need a port."""

from datetime import datetime

from django.conf import settings

from marketplace.placements.actions.prove_reachable import prove_reachable
from marketplace.placements.reachability import SshProbe


def reach(*, now: datetime) -> int:
    """Look at the SSH doors of newly running placements from outside."""
    return prove_reachable(now=now, probe=SshProbe(public_only=not settings.PRIVATE_MACHINES))
