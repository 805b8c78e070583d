"""The rules by which a subnet takes weights, in the order of subtensor's weights.rs.

Source: research bittensor.md 3 and 6; twelve outcomes were seen alike from the real runtime.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fakechain.runtime import PALLET

if TYPE_CHECKING:
    from tests.fakechain.chain import FakeChain

U16_MAX = 65_535
COMMIT_REVEAL_VERSION = 4


class DispatchFailed(Exception):
    """The runtime refused the call; the message is its error's name."""


class Pallet:
    """One call of one account, in one block."""

    def __init__(self, chain: FakeChain, *, who: str, block: int) -> None:
        self._chain = chain
        self._who = who
        self._block = block

    def apply(self, function: str, arguments: dict[str, Any]) -> list[Any]:
        """Change the chain's state and return the events.

        :raises DispatchFailed: with the name of the first rule that is broken.
        """
        calls = {
            "set_mechanism_weights": self._set,
            "commit_timelocked_mechanism_weights": self._commit,
        }
        _demand(function in calls, "CallDisabled")
        return calls[function](**arguments)

    def _set(
        self, netuid: int, mecid: int, dests: list[int], weights: list[int], version_key: int
    ) -> list[Any]:
        read = self._chain.subnet
        _demand(mecid == 0, "MechanismDoesNotExist")
        _demand(not read("CommitRevealWeightsEnabled", netuid), "CommitRevealEnabled")
        _demand(len(dests) == len(weights), "WeightVecNotEqualSize")
        _demand(read("NetworksAdded", netuid), "MechanismDoesNotExist")
        neurons = read("SubnetworkN", netuid)
        _demand(len(dests) <= neurons, "UidsLengthExceedUidsInSubNet")
        uid = self._registered(netuid)
        self._has_stake()
        wanted = read("WeightsVersionKey", netuid)
        _demand(wanted == 0 or version_key >= wanted, "IncorrectWeightVersionKey")
        self._is_slow_enough(netuid, uid, "SettingWeightsTooFast")
        is_self_weight = dests == [uid]
        permitted = read("ValidatorPermit", netuid)[uid]
        owns = self._who == read("SubnetOwnerHotkey", netuid)
        _demand(is_self_weight or permitted or owns, "NeuronNoValidatorPermit")
        _demand(len(set(dests)) == len(dests), "DuplicateUids")
        _demand(all(target < neurons for target in dests), "UidVecContainInvalidOne")
        fewest = min(neurons, read("MinAllowedWeights", netuid))
        _demand(is_self_weight or len(dests) >= fewest, "WeightVecLengthIsLow")
        self._chain.set(PALLET, "Weights", [netuid, uid], _upscaled(dests, weights))
        self._has_updated(netuid, uid)
        return [{PALLET: {"WeightsSet": (netuid, uid)}}]

    def _commit(
        self,
        netuid: int,
        mecid: int,
        commit: Any,
        reveal_round: int,
        commit_reveal_version: int,
    ) -> list[Any]:
        read = self._chain.subnet
        _demand(mecid == 0, "MechanismDoesNotExist")
        _demand(read("CommitRevealWeightsEnabled", netuid), "CommitRevealDisabled")
        version_known = commit_reveal_version == COMMIT_REVEAL_VERSION
        _demand(version_known, "IncorrectCommitRevealVersion")
        uid = self._registered(netuid)
        self._has_stake()
        self._is_slow_enough(netuid, uid, "CommittingWeightsTooFast")
        keys = [netuid, read("SubnetEpochIndex", netuid)]
        waiting = read("TimelockedWeightCommits", *keys)
        entry = (self._who, self._block, commit, reveal_round)
        self._chain.set(PALLET, "TimelockedWeightCommits", keys, [*waiting, entry])
        self._has_updated(netuid, uid)
        return []

    def _registered(self, netuid: int) -> int:
        uid: int | None = self._chain.subnet("Uids", netuid, self._who)
        if uid is None:
            raise DispatchFailed("HotKeyNotRegisteredInSubNet")
        return uid

    def _has_stake(self) -> None:
        # Tests name the poor: the true sum over coldkeys and prices is no rule of weights.
        _demand(self._who not in self._chain.without_stake, "NotEnoughStakeToSetWeights")

    def _is_slow_enough(self, netuid: int, uid: int, error: str) -> None:
        last = self._chain.subnet("LastUpdate", netuid)[uid]
        limit = self._chain.subnet("WeightsSetRateLimit", netuid)
        _demand(last == 0 or self._block - last >= limit, error)

    def _has_updated(self, netuid: int, uid: int) -> None:
        updates = self._chain.subnet("LastUpdate", netuid)
        updates[uid] = self._block
        self._chain.set_subnet("LastUpdate", netuid, updates)


def _demand(holds: Any, error: str) -> None:
    if not holds:
        raise DispatchFailed(error)


def _upscaled(dests: list[int], weights: list[int]) -> list[tuple[int, int]]:
    largest = max(weights, default=0)
    scale = U16_MAX / largest if largest else 1
    return [(uid, int(weight * scale)) for uid, weight in zip(dests, weights, strict=True)]
