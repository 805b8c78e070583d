"""This will turn points into the shares and weights that go on chain."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from protocol.validator import MachineScore

PPM = 1_000_000
#: the largest weight on chain. Source: research bittensor.md 5, normalize()
U16_MAX = 65_535


class NothingToSet(ValueError):
    """No miner scored and there is no uid to burn to: all-zero weights are never set."""


@dataclass(frozen=True, slots=True)
class Burn:
    """The share that goes back to the subnet's owner."""

    #: None: nothing is burned, not even when nobody scored
    uid: int | None = None
    share_ppm: int = 0


@dataclass(frozen=True, slots=True)
class WeightPlan:
    """What would be set, by uid."""

    share_by_uid: Mapping[int, Fraction]
    #: hotkeys that scored and are not on the subnet now
    missing: tuple[str, ...] = ()

    @property
    def weight_by_uid(self) -> dict[int, int]:
        """The shares as the chain stores them: the largest becomes 65535, zeros are left out."""
        largest = max(self.share_by_uid.values())
        rounded = {
            uid: int(share * U16_MAX / largest + Fraction(1, 2))
            for uid, share in sorted(self.share_by_uid.items())
        }
        return {uid: weight for uid, weight in rounded.items() if weight > 0}


def share_by_hotkey(scores: Iterable[MachineScore]) -> dict[str, Fraction]:
    """Return each miner's share of all points, sum 1; empty when nobody on chain has any."""
    points: dict[str, int] = {}
    for machine in scores:
        if machine.miner_hotkey and machine.points_micro > 0:
            points[machine.miner_hotkey] = (
                points.get(machine.miner_hotkey, 0) + machine.points_micro
            )
    total = sum(points.values())
    return {hotkey: Fraction(points[hotkey], total) for hotkey in sorted(points)}


def plan(
    *, share_by_hotkey: Mapping[str, Fraction], uid_by_hotkey: Mapping[str, int], burn: Burn
) -> WeightPlan:
    """Return the shares by uid of the miners registered now, with the burn share added.

    Uids are looked up at every use: one is given to somebody else after a deregistration.

    :raises NothingToSet: when no registered miner scored and ``burn.uid`` is None.
    """
    missing = tuple(sorted(hotkey for hotkey in share_by_hotkey if hotkey not in uid_by_hotkey))
    known = {
        uid_by_hotkey[hotkey]: share
        for hotkey, share in share_by_hotkey.items()
        if hotkey in uid_by_hotkey and share > 0
    }
    total = sum(known.values(), Fraction(0))
    if burn.uid is None:
        if total == 0:
            raise NothingToSet("No miner on the subnet has points and no burn uid is set.")
        return WeightPlan({uid: share / total for uid, share in known.items()}, missing)
    burned = Fraction(min(max(burn.share_ppm, 0), PPM), PPM) if total else Fraction(1)
    shares = {uid: (1 - burned) * share / total for uid, share in known.items()}
    shares[burn.uid] = shares.get(burn.uid, Fraction(0)) + burned
    return WeightPlan({uid: share for uid, share in shares.items() if share > 0}, missing)
