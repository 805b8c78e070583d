import bittensor_core
import pytest
from django.core.management import CommandError, call_command

from marketplace.domain.standing import StandingState
from marketplace.machines.actions.describe import describe
from marketplace.machines.models import Machine
from marketplace.machines.queries import revision
from marketplace.metering.hosting import hosted_machines
from marketplace.placements import queries as placements
from marketplace.placements.models import Placement
from marketplace.verification import queries
from marketplace.verification.actions.admit_validator import expel
from marketplace.verification.actions.record_verdict import (
    VerdictMachineUnknown,
    VerdictOutOfTime,
    VerdictUnsigned,
    record,
)
from marketplace.verification.actions.register_key import ValidatorKeyMalformed, register_key
from marketplace.verification.authenticate import ValidatorNotAdmitted
from marketplace.verification.models import Validator, VerdictRecord
from protocol.hardware import Hardware
from protocol.validator import VerdictState
from tests.marketplace.scene import NOW, Judge, after, machine, placement

pytestmark = pytest.mark.django_db
NOW_MS = int(NOW.timestamp() * 1000)
LINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43


def test_a_machine_is_verified_while_the_verdict_stands() -> None:
    on, judge = machine(), Judge().admitted()
    assert not queries.is_verified(on.id, NOW)
    record(signed=judge.verdict(on), now=NOW)
    assert queries.is_verified(on.id, after(3599))
    assert not queries.is_verified(on.id, after(3600))


def test_the_newest_verdict_decides() -> None:
    on, judge = machine(), Judge().admitted()
    record(signed=judge.verdict(on), now=NOW)
    bad = judge.verdict(on, state=VerdictState.SUSPENDED, checked_at_ms=NOW_MS + 1000)
    record(signed=bad, now=after(1))
    assert not queries.is_verified(on.id, after(2))
    standing = queries.standings(Machine.objects.all(), after(2))[on.id]
    assert standing.state is StandingState.SUSPENDED


def test_the_same_verdict_twice_is_kept_once() -> None:
    on, judge = machine(), Judge().admitted()
    assert record(signed=judge.verdict(on), now=NOW) == record(signed=judge.verdict(on), now=NOW)
    assert VerdictRecord.objects.count() == 1


def test_a_changed_verdict_is_refused() -> None:
    on, judge = machine(), Judge().admitted()
    signed = judge.verdict(on, state=VerdictState.SUSPENDED)
    forged = signed.verdict.model_copy(update={"state": VerdictState.VERIFIED})
    with pytest.raises(VerdictUnsigned):
        record(signed=signed.model_copy(update={"verdict": forged}), now=NOW)


def test_the_word_of_a_hotkey_that_is_not_admitted_is_refused() -> None:
    with pytest.raises(ValidatorNotAdmitted):
        record(signed=Judge().verdict(machine()), now=NOW)


def test_an_expelled_validators_word_counts_no_more() -> None:
    on, judge = machine(), Judge().admitted()
    record(signed=judge.verdict(on), now=NOW)
    register_key(hotkey=judge.keypair.ss58_address, ssh_public_key=LINE)
    expel(hotkey=judge.keypair.ss58_address)
    assert not queries.is_verified(on.id, NOW)
    assert queries.validator_keys() == ()


@pytest.mark.parametrize(
    "times",
    [
        {"checked_at_ms": NOW_MS - 600_001},
        {"checked_at_ms": NOW_MS + 60_001},
        {"expires_at_ms": NOW_MS},
        {"expires_at_ms": NOW_MS + 86_400_001},
        {"checked_at_ms": 1 << 42},
    ],
)
def test_a_stale_future_expired_or_everlasting_verdict_is_refused(times: dict[str, int]) -> None:
    on, judge = machine(), Judge().admitted()
    with pytest.raises(VerdictOutOfTime):
        record(signed=judge.verdict(on, **times), now=NOW)


def test_a_verdict_about_another_key_than_the_machines_is_refused() -> None:
    on, judge = machine(), Judge().admitted()
    with pytest.raises(VerdictMachineUnknown):
        record(signed=judge.verdict(on, machine_key="0" * 64), now=NOW)


def test_a_validators_key_reaches_machines_without_options_or_comment() -> None:
    judge = Judge().admitted()
    hotkey = judge.keypair.ss58_address
    register_key(hotkey=hotkey, ssh_public_key=f"{LINE} me@home")
    assert queries.validator_keys() == (LINE,)
    with pytest.raises(ValidatorKeyMalformed):
        register_key(hotkey=hotkey, ssh_public_key=f'command="sh" {LINE}')


def test_the_machine_whose_verdict_ends_first_is_looked_at_first() -> None:
    fresh, unknown, judge = machine(), machine(), Judge().admitted()
    record(signed=judge.verdict(fresh), now=NOW)
    assert [target.machine_id for target in queries.targets(NOW)] == [unknown.id, fresh.id]


def test_a_target_says_what_no_placement_holds() -> None:
    on = machine()
    placement(on, cpus=3)
    (target,) = queries.targets(NOW)
    assert (target.busy, target.cpus_free, target.machine_key) == (True, 1, on.machine_key)


def test_one_target_is_read_by_its_machine() -> None:
    one, _ = machine(), machine()
    assert [each.machine_id for each in queries.targets(NOW, machine_ids=[one.id])] == [one.id]


def test_an_offline_machine_is_no_target() -> None:
    on = machine()
    on.__class__.objects.update(online=False)
    assert queries.targets(NOW) == ()


def test_an_operator_admits_a_validator_by_its_hotkey() -> None:
    hotkey = bittensor_core.Keypair.create_from_uri("//Judge").ss58_address
    call_command("add_validator", hotkey, name="First")
    call_command("add_validator", hotkey, name="Renamed")
    assert Validator.objects.get().name == "Renamed"
    with pytest.raises(CommandError, match="ss58"):
        call_command("add_validator", "nonsense", name="x")


def test_an_operator_expels_a_validator_by_its_hotkey() -> None:
    on, judge = machine(), Judge().admitted()
    record(signed=judge.verdict(on), now=NOW)
    call_command("expel_validator", judge.keypair.ss58_address)
    assert not queries.is_verified(on.id, NOW)
    assert revision(on.id) == on.desired_revision + 1
    with pytest.raises(CommandError, match="ever admitted"):
        call_command("expel_validator", "nonsense")


def test_a_machine_that_claims_more_than_was_looked_at_waits_for_the_next_look() -> None:
    on, judge = machine(), Judge().admitted()
    looked_at = Hardware.model_validate(on.hardware)
    record(signed=judge.verdict(on, hardware=looked_at), now=NOW)
    assert queries.is_verified(on.id, after(1))
    describe(machine_id=on.id, hardware=looked_at.model_copy(update={"cpus": looked_at.cpus + 60}))
    assert not queries.is_verified(on.id, after(2))


def test_a_changed_claim_is_told_to_the_host_as_the_reason() -> None:
    on, judge = machine(), Judge().admitted()
    looked_at = Hardware.model_validate(on.hardware)
    record(signed=judge.verdict(on, hardware=looked_at), now=NOW)
    describe(machine_id=on.id, hardware=looked_at.model_copy(update={"cpus": 64}))
    (told,) = hosted_machines(on.host_id, now=after(1)).items
    assert told.verdict == "degraded"
    assert [code for code, _ in told.reasons] == ["claim_changed"]


def busy_looks(judge: Judge, on: Machine, looks: int) -> None:
    for second in range(1, looks + 1):
        at_ms = NOW_MS + 1000 * second
        unproven = judge.verdict(on, measurement=None, checked_at_ms=at_ms)
        record(signed=unproven, now=after(second))


def test_looks_that_measured_nothing_leave_the_measured_rate_alone() -> None:
    on, judge = machine(), Judge().admitted()
    record(signed=judge.verdict(on), now=NOW)
    busy_looks(judge, on, 12)
    standing = queries.standings(Machine.objects.all(), after(13), rates_max=10)[on.id]
    assert standing.rates_per_cpu == (2_000_000,)


def test_a_target_says_when_a_proof_of_it_passed_last() -> None:
    on, judge = machine(), Judge().admitted()
    assert [target.proven_at_ms for target in queries.targets(NOW)] == [None]
    record(signed=judge.verdict(on), now=NOW)
    busy_looks(judge, on, 3)
    weak = judge.verdict(on, state=VerdictState.DEGRADED, checked_at_ms=NOW_MS + 9000)
    record(signed=weak, now=after(9))
    assert [target.proven_at_ms for target in queries.targets(after(10))] == [NOW_MS]


def test_what_an_expelled_validator_measured_and_first_verified_counts_no_more() -> None:
    on, judge = machine(), Judge().admitted()
    record(signed=judge.verdict(on), now=NOW)
    expel(hotkey=judge.keypair.ss58_address)
    standing = queries.standings(Machine.objects.all(), after(1), rates_max=10)[on.id]
    assert (standing.first_verified_at, standing.proven_at) == (None, None)
    assert standing.rates_per_cpu == ()


def test_a_target_says_when_the_newest_rental_on_it_began() -> None:
    on, idle = machine(), machine()
    for second in (5, 9):
        rented = placement(on)
        Placement.objects.filter(id=rented.id).update(running_at=after(second))
    job = placement(on)
    Placement.objects.filter(id=job.id).update(running_at=after(20), kind="job")
    began = placements.rented_at()
    assert began == placements.rented_at([on.id]) == {on.id: after(9)}
    found = {each.machine_id: each for each in queries.targets(after(10), rented_at=began)}
    assert found[on.id].rented_at_ms == NOW_MS + 9000
    assert found[idle.id].rented_at_ms is None
