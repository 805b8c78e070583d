"""This will give the schedule the passes of placements that need a port."""

from datetime import datetime
from random import SystemRandom

from django.conf import settings

from marketplace.placements.actions.look_again import look_again
from marketplace.placements.actions.prove_reachable import prove_reachable
from marketplace.placements.reachability import SshProbe


def reach(*, now: datetime) -> int:
    """Look at the SSH doors of newly running placements from outside."""
    return prove_reachable(now=now, probe=_probe())


def look(*, now: datetime) -> int:
    """Look again at the SSH doors that were open before."""
    return look_again(now=now, probe=_probe(), chance=SystemRandom())


def _probe() -> SshProbe:
    return SshProbe(public_only=not settings.PRIVATE_MACHINES)
