"""This will be a host's machine that runs what it is told and signs it, with faults on demand.

It has a clock of its own that never steps, and remembers what truly ran: that is what the bills
are held against.
"""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocol.agent import (
    PAID_OUT,
    DesiredPlacement,
    ObservedPlacement,
    ObservedState,
    Problem,
    SyncReply,
    Want,
)
from protocol.receipts import (
    GENESIS,
    INTERVAL_MS_MAX,
    Interval,
    SignedInterval,
    digest,
    sign_interval,
)
from protocol.signing import public_key_of
from tests.marketplace.rentals.market import Agent
from tests.marketplace.scene import HOST_KEY

#: intervals of a placement that one sync takes along
SENT_MAX = 200
NOT_PAID = Problem(code=PAID_OUT, message="What was paid for ahead is used up.")


@dataclass(slots=True)
class Container:
    """What the machine has of one placement."""

    state: ObservedState = ObservedState.ACCEPTED
    run: int = 0
    #: by the machine's clock
    began_ms: int = 0
    #: the age up to which this run is signed
    signed_ms: int = 0
    #: it ends by itself then, by the machine's clock. None: nobody said when
    ends_ms: int | None = None
    #: it stops by itself then, as it is paid for no longer. None: it is
    stops_ms: int | None = None
    is_paid_out: bool = False
    #: what it truly ran, over all runs
    ran_ms: int = 0
    #: how long its files were truly kept while it was stopped
    stopped_ms: int = 0
    chain: list[SignedInterval] = field(default_factory=list)
    #: how much of the chain the marketplace has, as it said
    stored: int = 0


@dataclass(slots=True)
class Box:
    """One machine; ``elapsed_ms`` is its clock."""

    agent: Agent
    elapsed_ms: int = 0
    containers: dict[UUID, Container] = field(default_factory=dict)
    #: of which nothing is left, and which nobody asks about any more
    over: dict[UUID, Container] = field(default_factory=dict)
    #: signatures of all that it ever signed
    signed: set[str] = field(default_factory=set)
    boots: int = 1

    def of(self, placement_id: UUID) -> Container:
        """Return what the machine has, or had, of a placement."""
        return self.containers.get(placement_id) or self.over.get(placement_id) or Container()

    def pass_time(self, ms: int) -> None:
        """Let so much time go by."""
        for placement_id, one in self.containers.items():
            left_ms = ms if one.ends_ms is None else min(ms, one.ends_ms - self.elapsed_ms)
            if one.state is ObservedState.RUNNING:
                self._run(placement_id, left_ms)
            elif one.state is ObservedState.STOPPED:
                one.stopped_ms += left_ms
            if left_ms < ms and one.state is not ObservedState.GONE:
                # Nobody told it otherwise: its paid time is over.
                self._sign(placement_id, self.elapsed_ms + left_ms)
                one.state = ObservedState.GONE
        self.elapsed_ms += ms

    def _run(self, placement_id: UUID, ms: int) -> None:
        """Let it run for so long, or for as long as it is paid for."""
        one = self.containers[placement_id]
        ran_ms = ms if one.stops_ms is None else min(ms, max(0, one.stops_ms - self.elapsed_ms))
        one.ran_ms += ran_ms
        if ran_ms < ms:
            self._sign(placement_id, self.elapsed_ms + ran_ms)
            one.state, one.is_paid_out = ObservedState.STOPPED, True
            one.stopped_ms += ms - ran_ms

    def sync(self, now: datetime, *, twice: bool = False, lost: int = 0) -> None:
        """Sign what ran, tell it, and do what comes back.

        ``twice``: what is told is told again. ``lost``: so many of the oldest intervals do not
        arrive.

        :raises Refused: when the marketplace does not take it.
        """
        self.sign()
        told = [self._observed(one).model_dump(mode="json") for one in self.containers]
        unsent = [
            signed.model_dump(mode="json")
            for one in self.containers.values()
            for signed in one.chain[one.stored :][lost : lost + SENT_MAX]
        ]
        for _ in range(1 + twice):
            boot_id = f"boot-{self.boots}"
            reply = self.agent.sync(now, boot_id=boot_id, placements=told, intervals=unsent)
        self._follow(reply)

    def reboot(self) -> None:
        """Start anew what runs; what it signed before is sent yet."""
        self.boots += 1
        for placement_id, one in self.containers.items():
            if one.state is ObservedState.RUNNING:
                self._sign(placement_id, self.elapsed_ms)
                one.run, one.began_ms, one.signed_ms = one.run + 1, self.elapsed_ms, 0

    def forge(self, now: datetime, private: Ed25519PrivateKey) -> int:
        """Send in its name ten minutes of whatever runs, signed by this key; return how many."""
        forged = [
            sign_interval(
                private,
                Interval(
                    machine_key=public_key_of(self.agent.private),
                    placement_id=placement_id,
                    sequence=one.stored,
                    previous=digest(one.chain[one.stored - 1].interval) if one.stored else GENESIS,
                    run=one.run,
                    from_age_ms=0,
                    to_age_ms=INTERVAL_MS_MAX,
                    nonce=self.agent.nonce,
                ),
            ).model_dump(mode="json")
            for placement_id, one in self.containers.items()
            if one.state is ObservedState.RUNNING
        ]
        self._follow(self.agent.sync(now, intervals=forged))
        return len(forged)

    def sign(self) -> None:
        """Sign what ran until now."""
        for placement_id in self.containers:
            self._sign(placement_id, self.elapsed_ms)

    def _sign(self, placement_id: UUID, at_ms: int) -> None:
        """Sign up to a moment, in intervals that are not too long."""
        one = self.containers[placement_id]
        if one.state is not ObservedState.RUNNING:
            return
        age_ms = at_ms - one.began_ms
        while one.signed_ms < age_ms:
            until_ms = min(age_ms, one.signed_ms + INTERVAL_MS_MAX)
            interval = Interval(
                machine_key=public_key_of(self.agent.private),
                placement_id=placement_id,
                sequence=len(one.chain),
                previous=digest(one.chain[-1].interval) if one.chain else GENESIS,
                run=one.run,
                from_age_ms=one.signed_ms,
                to_age_ms=until_ms,
                nonce=self.agent.nonce,
            )
            one.chain.append(sign_interval(self.agent.private, interval))
            self.signed.add(one.chain[-1].signature)
            one.signed_ms = until_ms

    def _observed(self, placement_id: UUID) -> ObservedPlacement:
        one = self.containers[placement_id]
        return ObservedPlacement(
            placement_id=placement_id,
            state=one.state,
            run=one.run,
            age_ms=self.elapsed_ms - one.began_ms if one.run else None,
            ssh_port=20000 + one.run,
            ssh_host_key=HOST_KEY,
            problem=NOT_PAID if one.is_paid_out else None,
        )

    def _follow(self, reply: SyncReply) -> None:
        desired = {one.placement_id: one for one in reply.desired}
        for placement_id in self.containers.keys() - desired.keys():
            self.over[placement_id] = self.containers.pop(placement_id)
        for placement_id, wanted in desired.items():
            one = self.containers.setdefault(placement_id, Container())
            one.stored = wanted.next_sequence
            if wanted.run_for_ms is not None:
                one.ends_ms = self.elapsed_ms + wanted.run_for_ms
            paid_ms = wanted.stop_after_ms
            one.stops_ms = None if paid_ms is None else self.elapsed_ms + paid_ms
            one.is_paid_out = wanted.want is Want.RUN and paid_ms == 0
            if wanted.refused is not None:
                self._go_on(one, wanted)
            self._become(one, wanted)

    def _go_on(self, one: Container, wanted: DesiredPlacement) -> None:
        """Forget what cannot be stored, and sign on from what is."""
        del one.chain[wanted.next_sequence :]
        last = one.chain[-1].interval if one.chain else None
        one.signed_ms = last.to_age_ms if last is not None and last.run == one.run else 0

    def _become(self, one: Container, wanted: DesiredPlacement) -> None:
        runs = one.state is ObservedState.RUNNING
        if one.state is ObservedState.GONE:
            return
        if one.is_paid_out:
            one.state = ObservedState.STOPPED
        elif wanted.want is Want.RUN and not runs:
            one.state, one.run = ObservedState.RUNNING, one.run + 1
            one.began_ms, one.signed_ms = self.elapsed_ms, 0
        elif wanted.want is Want.STOP:
            one.state = ObservedState.STOPPED
        elif wanted.want is Want.END:
            one.state = ObservedState.GONE
