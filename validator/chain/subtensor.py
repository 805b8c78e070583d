"""This will set weights on a Bittensor subnet.

The only module that imports bittensor, and only inside functions: the SDK costs about 2 s of CPU
and 60 MB, and a client made before a fork hangs in the child. Run it in a short-lived process.
Source: research bittensor.md 1 and 3.6; the SDK is the extra ``chain``.
"""

import asyncio
from typing import Any

from validator.chain.interface import Outcome, Report, Submission
from validator.domain.weights import NothingToSet, WeightPlan, plan

#: the SDK never gives up on a silent subscription by itself
SUBMIT_S_MAX = 180.0
#: refusals of which one cannot know whether the transaction still lands
_UNSURE_NAMES = frozenset({"FinalityTimeout", "Retracted", "Usurped", "Dropped"})
_UNSURE_TEXT = "may already be"


class SubtensorChain:
    """One subnet of a Bittensor network."""

    def __init__(
        self,
        network: str,
        netuid: int,
        *,
        timeout_s: float = SUBMIT_S_MAX,
        substrate: object | None = None,
    ) -> None:
        self._network = network
        self._netuid = netuid
        self._timeout_s = timeout_s
        #: an SDK transport to use instead of the network's, the SDK's own seam for tests
        self._substrate = substrate

    def submit(self, submission: Submission) -> Report:
        """Set (or plan) the weights and say how it ended."""
        try:
            return asyncio.run(self._within_deadline(submission))
        except TimeoutError:
            return Report(Outcome.UNKNOWN, f"No answer in {self._timeout_s:g} s.")
        except ModuleNotFoundError as error:
            if error.name != "bittensor":
                raise
            return Report(
                Outcome.NOT_READY,
                "The bittensor SDK is missing: pip install '.[chain]' in Berth's source tree.",
            )

    async def _within_deadline(self, submission: Submission) -> Report:
        async with asyncio.timeout(self._timeout_s):
            return await self._submit(submission)

    async def _submit(self, submission: Submission) -> Report:
        import bittensor

        policy = bittensor.Policy(max_spend_tao=0, allowed_netuids=[self._netuid])
        options: dict[str, Any] = {} if self._substrate is None else {"substrate": self._substrate}
        sent = False
        try:
            async with bittensor.Subtensor(self._network, policy=policy, **options) as client:
                snapshot = await client.at()
                planned = await self._plan(snapshot, submission)
                if submission.dry_run:
                    return Report(Outcome.DRY_RUN, "nothing was sent.", snapshot.block, planned)
                intent = bittensor.SetWeights(
                    netuid=self._netuid,
                    weights={uid: float(share) for uid, share in planned.share_by_uid.items()},
                    version_key=submission.version_key,
                )
                sent = True
                result = await client.execute(intent, submission.keypair, retries=2)
        except NothingToSet as error:
            return Report(Outcome.REJECTED, str(error))
        except bittensor.RpcConnectionError as error:
            unsure = sent and _UNSURE_TEXT in str(error)
            return Report(Outcome.UNKNOWN if unsure else Outcome.UNREACHABLE, str(error))
        except bittensor.ChainError as error:
            return Report(_outcome_of(error), f"{error.code.value}: {error}")
        except (bittensor.BittensorError, ValueError) as error:
            return Report(Outcome.REJECTED, str(error))
        return _report(result, snapshot.block, planned)

    async def _plan(self, snapshot: Any, submission: Submission) -> WeightPlan:
        import bittensor

        rows = await snapshot.query_map(bittensor.storage.SubtensorModule.Uids, [self._netuid])
        return plan(
            share_by_hotkey=submission.share_by_hotkey,
            uid_by_hotkey={str(hotkey): int(uid) for hotkey, uid in rows},
            burn=submission.burn,
        )


def _report(result: Any, block: int, planned: WeightPlan) -> Report:
    if result.success:
        committed = "reveal_round" in result.data
        outcome = Outcome.COMMITTED if committed else Outcome.SET
        return Report(outcome, result.extrinsic_id or "", block, planned)
    name = (result.error.name if result.error else "") or ""
    if _UNSURE_TEXT in result.message or name in _UNSURE_NAMES:
        return Report(Outcome.UNKNOWN, f"{name}: {result.message}", block, planned)
    outcome = _outcome_of(result.error) if result.error else Outcome.REJECTED
    return Report(outcome, f"{name}: {result.message}", block, planned)


def _outcome_of(error: Any) -> Outcome:
    """Branch on the SDK's code, not its text. Source: research bittensor.md 6, the table."""
    from bittensor import ErrorCode

    outcomes = {
        ErrorCode.RATE_LIMITED: Outcome.TOO_SOON,
        ErrorCode.NOT_REGISTERED: Outcome.NOT_READY,
        ErrorCode.NOT_AUTHORIZED: Outcome.NOT_READY,
        ErrorCode.INSUFFICIENT_BALANCE: Outcome.NOT_READY,
        ErrorCode.LIMIT_EXCEEDED: Outcome.NOT_READY,
    }
    return outcomes.get(error.code, Outcome.REJECTED)
