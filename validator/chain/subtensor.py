"""This will read and set weights on a Bittensor subnet.

The only module that imports bittensor, and only inside functions: the SDK costs about 2 s of CPU
and 60 MB, and a client made before a fork hangs in the child. Run it in a short-lived process.
Source: research bittensor.md 1 and 3.6; the SDK is the extra ``chain``.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from fractions import Fraction
from typing import Any

import bittensor_core

from validator.chain.interface import ChainSilent, ChainUnusable, Sent
from validator.domain.submission import MORTAL_BLOCKS, Outcome, Standing

#: the SDK never gives up on a silent subscription by itself
TIMEOUT_S = 180.0
#: what is left for saying goodbye, whatever became of the deadline
CLOSE_S_MAX = 1.0
#: ends of which one cannot know whether the transaction still lands
_UNSURE_NAMES = frozenset({"FinalityTimeout", "Retracted", "Usurped", "Dropped", "Invalid"})
_UNSURE_TEXT = "may already be"
_RETRIES = 2
#: a node may answer with a book
DETAIL_CHARACTERS_MAX = 500


class SubtensorChain:
    """One subnet of a Bittensor network."""

    def __init__(self, network: str, netuid: int, *, timeout_s: float = TIMEOUT_S) -> None:
        self._network = network
        self._netuid = netuid
        self._timeout_s = timeout_s

    @contextmanager
    def session(self) -> Iterator["SubtensorSession"]:
        """Yield a connection; its deadline starts now and is for everything together."""
        try:
            import bittensor
        except ModuleNotFoundError as error:
            if error.name != "bittensor":
                raise
            raise ChainUnusable(
                "The bittensor SDK is missing: pip install '.[chain]' in Berth's source tree."
            ) from error
        # One loop for the whole session: between two calls it rests, so that rows are written
        # outside of it, and the connection stays.
        with asyncio.Runner() as runner:
            deadline = runner.get_loop().time() + self._timeout_s
            policy = bittensor.Policy(max_spend_tao=0, allowed_netuids=[self._netuid])
            try:
                client = bittensor.Client(self._network, policy=policy)
            except ValueError as error:
                raise ChainUnusable(f"There is no such network: {_words(error)}") from error
            session = SubtensorSession(runner, client, self._netuid, deadline)
            try:
                session.connect()
                yield session
            finally:
                runner.run(_close(client))


class SubtensorSession:
    """One connection to a node."""

    def __init__(self, runner: asyncio.Runner, client: Any, netuid: int, deadline: float) -> None:
        self._runner = runner
        self._client = client
        self._netuid = netuid
        self._deadline = deadline

    def connect(self) -> None:
        """Connect and learn the runtime's types.

        :raises ChainSilent: when that fails.
        """
        self._runner.run(self._reading(self._client.connect()))

    def look(self, hotkey: str) -> Standing:
        """Return how the subnet stands, everything at one block."""
        standing: Standing = self._runner.run(self._reading(self._look(hotkey)))
        return standing

    def send(
        self,
        *,
        keypair: bittensor_core.Keypair,
        share_by_uid: Mapping[int, Fraction],
        version_key: int,
    ) -> Sent:
        """Set or commit weights and say how it ended."""
        signer = _Signer(keypair)
        return self._runner.run(self._send(signer, share_by_uid, version_key))

    async def _reading(self, question: Any) -> Any:
        try:
            async with asyncio.timeout_at(self._deadline):
                return await question
        except TimeoutError as error:
            raise ChainSilent("The chain did not answer in time.") from error
        # A node may say anything, and the SDK then fails in as many ways: none of them has sent.
        except Exception as error:
            raise ChainSilent(f"The chain cannot be read: {_words(error)}") from error

    async def _look(self, hotkey: str) -> Standing:
        from bittensor import storage

        pallet = storage.SubtensorModule
        view = await self._client.at()
        per_subnet = (
            pallet.LastUpdate,
            pallet.ValidatorPermit,
            pallet.WeightsSetRateLimit,
            pallet.Tempo,
            pallet.CommitRevealWeightsEnabled,
            pallet.WeightsVersionKey,
            pallet.SubnetOwnerHotkey,
        )
        rows, *values = await asyncio.gather(
            view.query_map(pallet.Uids, [self._netuid]),
            *(view.query(item, [self._netuid]) for item in per_subnet),
        )
        updates, permits, limit, tempo, reveals, version_key, owner = values
        uid_by_hotkey = {str(name): int(uid) for name, uid in rows}
        uid = uid_by_hotkey.get(hotkey)
        weights = [] if uid is None else await view.query(pallet.Weights, [self._netuid, uid])
        return Standing(
            block=int(view.block),
            uid_by_hotkey=uid_by_hotkey,
            uid=uid,
            last_update=0 if uid is None else int(updates[uid]),
            rate_limit_blocks=int(limit or 0),
            tempo_blocks=int(tempo or 0),
            commit_reveal=bool(reveals),
            version_key=int(version_key or 0),
            # The subnet's owner may set weights without a permit.
            permitted=uid is not None and (bool(permits[uid]) or hotkey == str(owner)),
            owner_hotkey=str(owner or ""),
            weights={int(target): int(weight) for target, weight in weights or []},
        )

    async def _send(
        self, signer: "_Signer", share_by_uid: Mapping[int, Fraction], version_key: int
    ) -> Sent:
        import bittensor

        intent = bittensor.SetWeights(
            netuid=self._netuid,
            weights={uid: float(share) for uid, share in share_by_uid.items()},
            version_key=version_key,
        )
        try:
            async with asyncio.timeout_at(self._deadline):
                result = await self._client.execute(
                    intent, signer, period=MORTAL_BLOCKS, retries=_RETRIES
                )
        except TimeoutError:
            return signer.broken_off("The chain did not answer in time.")
        except bittensor.ChainError as error:
            if signer.has_signed:
                return signer.broken_off(_words(error))
            # The SDK looked before it signed.
            return Sent(_outcome_of(error), _words(error))
        except bittensor.PolicyError as error:
            return Sent(Outcome.REJECTED, _words(error))
        except Exception as error:
            return signer.broken_off(_words(error))
        return _sent(result)


class _Signer:
    """The hotkey, and whether it has signed: what it never signed was never sent."""

    def __init__(self, keypair: bittensor_core.Keypair) -> None:
        self._keypair = keypair
        self.ss58_address = keypair.ss58_address
        self.public_key = keypair.public_key
        self.crypto_type = keypair.crypto_type
        self.has_signed = False

    def sign(self, content: Any) -> Any:
        self.has_signed = True
        return self._keypair.sign(content)

    def broken_off(self, detail: str) -> Sent:
        """Return how an attempt ended that broke off."""
        return Sent(Outcome.UNKNOWN if self.has_signed else Outcome.UNREACHABLE, detail)


async def _close(client: Any) -> None:
    # A goodbye that fails or lingers changes nothing.
    with suppress(Exception):
        async with asyncio.timeout(CLOSE_S_MAX):
            await client.close()


def _sent(result: Any) -> Sent:
    extrinsic_id = result.extrinsic_id or ""
    if result.success:
        reveal_round = result.data.get("reveal_round")
        if reveal_round is None:
            return Sent(Outcome.SET, extrinsic_id=extrinsic_id)
        return Sent(Outcome.COMMITTED, "", extrinsic_id, int(reveal_round))
    name = (result.error.name if result.error else "") or ""
    detail = _plain(f"{name}: {result.message}" if name else result.message)
    if _UNSURE_TEXT in result.message or name in _UNSURE_NAMES:
        return Sent(Outcome.UNKNOWN, detail, extrinsic_id)
    outcome = _outcome_of(result.error) if result.error else Outcome.REJECTED
    return Sent(outcome, detail, extrinsic_id)


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


def _words(error: BaseException) -> str:
    return _plain(str(error) or type(error).__name__)


def _plain(text: str) -> str:
    """Return one line without control characters: a stranger's node wrote part of it."""
    line = " ".join(text.split())[:DETAIL_CHARACTERS_MAX]
    return "".join(character for character in line if character.isprintable())
