"""This will be what a host's machine does in the stateful test, and what time does to it."""

from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from marketplace.domain.pricing import PriceType
from marketplace.machines.actions.mark_offline import mark_offline
from marketplace.metering.actions.audit_money import audit_daily
from marketplace.metering.actions.charge import charge_all
from marketplace.papers.actions.issue_invoices import issue_invoices
from marketplace.papers.actions.issue_receipts import issue_receipts
from marketplace.placements.actions.sweep import sweep
from marketplace.rentals.actions import ask_proof, end_proof
from marketplace.rentals.actions.count_proof import count_proofs
from protocol import hotkey as hotkeys
from protocol.message import canonical_bytes
from protocol.rental_proof import ProofOutcome, RentalProofReport, SignedRentalProofReport
from protocol.validator import Measurement
from scripts.stripe_stand_in.connect import Refusal
from tests.marketplace.money.metered import PPM
from tests.marketplace.money.world import PASSES, World
from tests.marketplace.rentals.proving import LISTED

PICK = st.integers(0, 99)
SECONDS = st.integers(1, 290)
EVERY = st.sampled_from(PASSES)
BROKE = Refusal(400, "balance_insufficient", "You have insufficient available funds.")
#: more than a charge of all that runs makes
WRITES_MAX = 30
WEEK = timedelta(days=7)


class Hosts(RuleBasedStateMachine):
    """The machine signs, is silent, starts anew; clocks step, passes die, and Fridays come."""

    world: World

    @rule(seconds=SECONDS)
    def works(self, seconds: int) -> None:
        self.world.site.work(seconds)

    @rule(seconds=SECONDS, twice=st.booleans())
    def is_heard(self, seconds: int, twice: bool) -> None:
        self.world.site.pass_time(seconds)
        self.world.site.hear(twice=twice)
        self.world.tally["intervals came twice"] += twice

    @rule(seconds=SECONDS, lost=st.integers(1, 2))
    def loses_intervals(self, seconds: int, lost: int) -> None:
        """Have some of what it signed not arrive; it signs on from what is stored."""
        self.world.running(lost)
        for _ in range(3):
            self.world.site.pass_time(seconds)
            self.world.site.box.sign()
        self.world.site.hear(lost=lost)
        self.world.tally["intervals were lost"] += 1
        self.world.site.hear()

    @rule(minutes=st.integers(1, 90))
    def is_silent(self, minutes: int) -> None:
        """Have it say nothing for so long, and then all at once."""
        for _ in range(3):
            self.world.site.pass_time(minutes * 20)
            self.world.site.run_passes((mark_offline, sweep, charge_all))
        self.world.site.hear()
        self.world.tally["a machine was silent"] += 1

    @rule(pick=PICK)
    def starts_anew(self, pick: int) -> None:
        """Have it boot again: what it signed before comes after it."""
        self.world.running(pick)
        self.world.site.pass_time(30)
        self.world.site.box.reboot()
        self.world.site.pass_time(30)
        self.world.site.hear()
        self.world.tally["a machine booted"] += 1

    @rule(pick=PICK)
    def signs_with_another_key(self, pick: int) -> None:
        self.world.running(pick)
        private = Ed25519PrivateKey.generate()
        self.world.tally["a signature was forged"] += self.world.site.box.forge(
            self.world.now, private
        )

    @rule(pick=PICK, is_open=st.booleans())
    def door_is_looked_at(self, pick: int, is_open: bool) -> None:
        found = self.world.running(pick)
        if found is not None and not is_open:
            self.world.site.shut.add(found.placement_id)
            self.world.tally["a door was shut"] += 1
        self.world.site.look_at_doors()
        self.world.site.shut.clear()

    @rule(pick=PICK, percent=st.integers(10, 100), is_borne_out=st.booleans())
    def is_proven(self, pick: int, percent: int, is_borne_out: bool) -> None:
        """Have a rental, idle for a minute and more, show so much; a validator sees it, or not."""
        world = self.world
        found = world.running(pick, price_type=PriceType.ON_DEMAND)
        if found is None:
            return
        for _ in range(10):
            world.read_usage(found)
            world.site.pass_time(10)
        world.site.work(1)
        world.site.verify(percent if is_borne_out else 100)
        proof = world.do(ask_proof.ask, rental_id=found.id, renter_id=found.renter_id)
        if proof is None:
            return
        judge = world.site.judge.keypair
        world.do(ask_proof.take, proof_id=proof.id, hotkey=judge.ss58_address)
        machine, cpus = found.placement.machine, found.placement.cpus
        report = RentalProofReport(
            validator_hotkey=judge.ss58_address,
            proof_id=proof.id,
            machine_id=machine.id,
            machine_key=machine.machine_key,
            outcome=ProofOutcome.PASSED,
            measurement=Measurement(cpus=cpus, cpu_hash_rate=LISTED * cpus * percent // 100),
            checked_at_ms=1,
        )
        signature = hotkeys.sign(judge, canonical_bytes(report))
        signed = SignedRentalProofReport(report=report, signature=signature)
        # What is delivered, and half where it is less: no proof lowers more.
        rate = LISTED * percent // 100
        share = max(PPM // 2, rate * PPM // found.listed["hash_rate"])
        world.site.agreed[found.placement_id].shares.add(share)
        world.do(end_proof.record, signed=signed, hotkey=judge.ss58_address)
        world.site.run_passes((count_proofs,))

    @rule(seconds=st.sampled_from([-900, -40, -5, 5, 300, 3000]))
    def clock_steps(self, seconds: int) -> None:
        self.world.site.step_clock(seconds)
        self.world.tally["the clock stepped " + ("back" if seconds < 0 else "forward")] += 1

    @rule(before_write=st.integers(0, 12))
    def what_comes_next_dies(self, before_write: int) -> None:
        self.world.site.dies_at = before_write

    @rule(entry=EVERY, back_s=st.sampled_from([0, 0, 1, 600]))
    def a_pass_runs(self, entry: Any, back_s: int) -> None:
        """Run one, maybe where the clock is behind."""
        self.world.site.run_passes((entry,), back_s=back_s)

    @rule(pick=PICK)
    def a_charge_dies(self, pick: int) -> None:
        """Have there be something to charge, and the process end before each write of it."""
        self.world.running(pick)
        for seconds in (60, 60):
            self.world.site.pass_time(seconds)
            self.world.site.hear()
        self.world.site.look_at_doors()
        self.world.site.hear()
        for before_write in range(WRITES_MAX):
            died = self.world.site.died
            self.world.site.run_passes((charge_all,), dies_at=before_write)
            if self.world.site.died == died:
                break
            self.world.tally["a charge died half-way"] += 1
        self.world.site.run_passes((charge_all,))

    @rule()
    def everything_runs(self) -> None:
        self.world.site.run_passes(PASSES)
        self.world.banks.cards.at = self.world.now.timestamp()
        self.world.banks.run_passes(self.world.now)

    @rule(fault=st.sampled_from(["", "refused", "down", "lost", "returned"]))
    def a_week_goes_by(self, fault: str) -> None:
        """Have the market earn, and pay its host on Friday; the bank may have a fault."""
        world, hosts = self.world, self.world.banks.hosts
        world.rent(0, cpus=3, lease_s=7200)
        world.run()
        for _ in range(3):
            world.site.work(280)
        world.let_time_pass(WEEK.total_seconds())
        hosts.down, hosts.lose_answers = fault == "down", int(fault == "lost")
        hosts.refusals = [BROKE] * (fault == "refused")
        world.banks.run_passes(world.now)
        world.check()
        hosts.down, hosts.lose_answers = False, 0
        for _ in range(3):
            world.let_time_pass(7200)
            world.banks.run_passes(world.now)
            for reference in hosts.accounts:
                is_returned = fault == "returned"
                hosts.pay_out(reference, status="failed" if is_returned else "paid")
        if fault == "returned":
            for _ in range(2):
                world.let_time_pass(15 * 86_400)
                world.banks.run_passes(world.now)

    @rule()
    def a_night_comes(self) -> None:
        """Write papers and audit everything."""
        now = self.world.now
        issue_invoices(now=now)
        issue_receipts(now=now)
        assert audit_daily(now=now) == 0
        self.world.tally["a night came"] += 1
