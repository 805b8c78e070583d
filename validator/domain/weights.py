"""This will turn points into the shares and weights that go on chain."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from protocol.validator import EpochRecord, MachineScore
from validator.domain.scoring import capacity, counts_as_verified

PPM = 1_000_000
#: the largest weight on chain. Source: research bittensor.md 5, normalize()
U16_MAX = 65_535
#: the hotkey that owns the subnet, looked up at each use
OWNER = "owner"


class NothingToSet(ValueError):
    """No miner on the subnet scored and nothing may be burned: all-zero weights are never set."""


class BurnTargetUnknown(ValueError):
    """The one who gets the burn share is not on the subnet."""


class FleetFailed(NothingToSet):
    """So much failed at once that it says more about us or the network than about the machines."""


#: machines whose last good verdict ended within this were there lately
LATELY_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Burn:
    """The share that goes to the subnet's owner, who gets no emission for it, or to another."""

    #: ``OWNER``, a uid in digits, or a hotkey
    to: str = OWNER
    share_ppm: int = 0
    #: burn everything when nobody scored; False: then nothing is set and older weights stand
    when_nobody: bool = False


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


def check_fleet(epoch: EpochRecord) -> None:
    """Accept a record in which at least half of what was verified lately still is, by capacity.

    :raises FleetFailed: else: the weights on chain are better than what follows from it.
    """
    lately = [
        machine
        for machine in epoch.machines
        if machine.verified_until_ms > epoch.as_of_ms - LATELY_MS
    ]
    capacities = [(one, capacity(one, epoch.as_of_ms)) for one in lately]
    there = sum(points for one, points in capacities if counts_as_verified(one, epoch.as_of_ms))
    if 2 * there < sum(points for _, points in capacities):
        raise FleetFailed("Most machines that were verified within a day are not now.")


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
    *,
    share_by_hotkey: Mapping[str, Fraction],
    uid_by_hotkey: Mapping[str, int],
    burn: Burn,
    owner_hotkey: str = "",
) -> WeightPlan:
    """Return the shares by uid of the miners registered now, with the burn share added.

    Uids are looked up at every use: one is given to somebody else after a deregistration.

    :raises NothingToSet: when no registered miner scored and not everything is to be burned.
    :raises BurnTargetUnknown: when something is to be burned and who gets it is not there.
    """
    missing = tuple(sorted(hotkey for hotkey in share_by_hotkey if hotkey not in uid_by_hotkey))
    known = {
        uid_by_hotkey[hotkey]: share
        for hotkey, share in share_by_hotkey.items()
        if hotkey in uid_by_hotkey and share > 0
    }
    total = sum(known.values(), Fraction(0))
    if total == 0 and not burn.when_nobody:
        raise NothingToSet(
            "No miner on the subnet has points, so nothing is set and older weights stand."
        )
    burned = Fraction(min(max(burn.share_ppm, 0), PPM), PPM) if total else Fraction(1)
    shares = {uid: (1 - burned) * share / total for uid, share in known.items()}
    if burned > 0:
        uid = _burn_uid(burn, uid_by_hotkey, owner_hotkey)
        shares[uid] = shares.get(uid, Fraction(0)) + burned
    return WeightPlan({uid: share for uid, share in shares.items() if share > 0}, missing)


def _burn_uid(burn: Burn, uid_by_hotkey: Mapping[str, int], owner_hotkey: str) -> int:
    hotkey = owner_hotkey if burn.to == OWNER else burn.to
    if hotkey.isdecimal() and int(hotkey) in uid_by_hotkey.values():
        return int(hotkey)
    if hotkey in uid_by_hotkey:
        return uid_by_hotkey[hotkey]
    raise BurnTargetUnknown(
        f"The burn share is for {burn.to}, who has no uid on the subnet: set"
        " BERTH_VALIDATOR_BURN_TO to a uid or hotkey that is there."
    )
