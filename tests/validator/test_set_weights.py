"""The real command and the unmodified SDK against a node on the loopback: what is sent and set."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from protocol import paths
from tests.fakechain.node import SUBMIT
from tests.validator.builders import ALICE, BOB, epoch, record
from tests.validator.marketplace_stub import Stub, serving
from tests.validator.subnet import COLDKEY, NETUID, RATE_LIMIT, RECORD, Operator, operating
from validator import sender_lock
from validator.models import WeightSubmission

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Operator]:
    with serving(Stub()) as stub, operating(monkeypatch, tmp_path, stub) as operator:
        yield operator


def newest() -> WeightSubmission:
    return WeightSubmission.objects.latest("pk")


def test_weights_are_set_by_uid_and_written_down(operator: Operator) -> None:
    code, told = operator.types()
    assert (code, told["outcome"], told["block"], told["extrinsic_id"]) == (0, "set", 3, "4-0001")
    assert {int(uid): weight for uid, weight in told["weights"].items()} == operator.weights()
    assert set(operator.weights()) == {1, 2}
    row = newest()
    assert (row.outcome, row.epoch, row.extrinsic_id) == ("set", told["epoch"], "4-0001")
    assert (row.network, row.netuid, row.hotkey) == (operator.node.url, NETUID, ALICE)
    assert row.settled_at is not None
    assert operator.chain.subnet("LastUpdate", NETUID) == [0, 4, 0]


def test_a_dry_run_shows_all_and_sends_nothing(operator: Operator) -> None:
    code, told = operator.types("--dry-run")
    assert (code, told["outcome"], told["detail"]) == (0, "dry_run", "nothing was sent.")
    assert set(told["weights"]) == {"1", "2"}
    assert SUBMIT not in operator.node.called
    assert not WeightSubmission.objects.exists()


def test_a_dry_run_says_what_would_hinder_it(operator: Operator) -> None:
    operator.types()
    code, told = operator.types("--dry-run")
    assert code == 0
    assert "It would end as too_soon" in told["detail"]


def test_weights_are_set_once_a_tempo_and_sooner_by_force(operator: Operator) -> None:
    operator.types()
    operator.chain.advance(RATE_LIMIT - 2)
    assert operator.types("--force")[1]["outcome"] == "too_soon"
    assert operator.node.called.count(SUBMIT) == 1
    operator.chain.advance(2)
    assert operator.types()[1]["outcome"] == "too_soon"
    assert operator.types("--force")[1]["outcome"] == "set"
    operator.chain.advance(360)
    assert operator.types()[1]["outcome"] == "set"
    assert operator.node.called.count(SUBMIT) == 3
    outcomes = WeightSubmission.objects.order_by("pk").values_list("outcome", flat=True)
    assert list(outcomes) == ["set", "too_soon", "too_soon", "set", "set"]


def test_with_commit_reveal_weights_are_committed_for_a_round(operator: Operator) -> None:
    operator.chain.set_subnet("CommitRevealWeightsEnabled", NETUID, True)
    code, told = operator.types()
    assert (code, told["outcome"]) == (0, "committed")
    ((hotkey, block, commit, reveal_round),) = operator.chain.subnet(
        "TimelockedWeightCommits", NETUID, 0
    )
    assert (hotkey, block, reveal_round) == (ALICE, 4, told["reveal_round"])
    assert len(commit) > 100
    assert newest().reveal_round == reveal_round
    assert operator.weights() == {}


@pytest.mark.parametrize("to", ["owner", "0"])
def test_the_burn_share_goes_to_the_owner_of_the_subnet(operator: Operator, to: str) -> None:
    operator.types(BERTH_VALIDATOR_BURN_SHARE_PPM="800000", BERTH_VALIDATOR_BURN_TO=to)
    weights = operator.weights()
    assert weights[0] / sum(weights.values()) == pytest.approx(0.8, abs=1e-4)


def test_nothing_is_burned_to_a_hotkey_that_is_not_there(operator: Operator) -> None:
    code, told = operator.types(BERTH_VALIDATOR_BURN_SHARE_PPM="1", BERTH_VALIDATOR_BURN_TO="5Gone")
    assert (code, told["outcome"]) == (3, "not_ready")
    assert "BERTH_VALIDATOR_BURN_TO" in told["detail"]
    assert SUBMIT not in operator.node.called


def test_a_miner_that_registered_anew_earns_by_its_new_uid(operator: Operator) -> None:
    operator.chain.register(NETUID, BOB, COLDKEY)
    operator.types()
    assert set(operator.weights()) == {1, 3}


def test_a_miner_that_left_is_named(operator: Operator) -> None:
    gone = epoch(record(1), record(2, miner_hotkey="5Gone"))
    operator.stub.answers[paths.VALIDATOR_EPOCH] = gone.model_dump_json().encode()
    code, told = operator.types()
    assert (code, told["missing"]) == (0, ["5Gone"])
    assert operator.weights() == {1: 65_535}
    assert newest().missing == ["5Gone"]


def test_where_nobody_scored_nothing_is_sent_unless_the_operator_burns(
    operator: Operator,
) -> None:
    operator.stub.answers[paths.VALIDATOR_EPOCH] = epoch().model_dump_json().encode()
    code, told = operator.types()
    assert (code, told["outcome"]) == (3, "not_ready")
    assert "older weights stand" in told["detail"]
    assert SUBMIT not in operator.node.called
    assert operator.types(BERTH_VALIDATOR_BURN_WHEN_NOBODY="1")[0] == 0
    assert operator.weights() == {0: 65_535}


def test_weights_wait_for_the_first_epoch_that_is_closed(operator: Operator) -> None:
    going_on = RECORD.model_copy(update={"as_of_ms": RECORD.ends_at_ms - 1})
    operator.stub.answers[paths.VALIDATOR_EPOCH] = going_on.model_dump_json().encode()
    code, told = operator.types()
    assert (code, told["outcome"]) == (0, "too_soon")
    assert "goes on" in told["detail"]
    assert operator.node.called == []
    assert operator.types("--dry-run")[1]["weights"]


def test_an_epoch_in_which_most_machines_fell_silent_is_not_set(operator: Operator) -> None:
    lost = {"verified_until_ms": RECORD.as_of_ms - 1, "has_valid_verdict": False}
    fleet = epoch(
        record(1, verified_until_ms=RECORD.as_of_ms), *(record(number, **lost) for number in (2, 3))
    )
    operator.stub.answers[paths.VALIDATOR_EPOCH] = fleet.model_dump_json().encode()
    code, told = operator.types(BERTH_VALIDATOR_BURN_WHEN_NOBODY="1")
    assert (code, told["outcome"]) == (3, "not_ready")
    assert "Nothing was set." in told["detail"]
    assert operator.node.called == []


def test_a_stranger_without_uid_is_not_ready(operator: Operator) -> None:
    code, told = operator.types(BERTH_VALIDATOR_HOTKEY_SEED="//Stranger")
    assert (code, told["outcome"]) == (3, "not_ready")
    assert "not registered" in told["detail"]


def test_a_validator_without_permit_sends_nothing(operator: Operator) -> None:
    code, told = operator.types(BERTH_VALIDATOR_HOTKEY_SEED="//Bob")
    assert (code, told["outcome"]) == (3, "not_ready")
    assert "permit" in told["detail"]
    assert SUBMIT not in operator.node.called


def test_the_owner_of_the_subnet_needs_no_permit(operator: Operator) -> None:
    assert operator.types(BERTH_VALIDATOR_HOTKEY_SEED="//Owner")[1]["outcome"] == "set"


def test_an_old_version_key_sends_nothing_and_a_new_one_does(operator: Operator) -> None:
    operator.chain.set_subnet("WeightsVersionKey", NETUID, 9)
    code, told = operator.types()
    assert (code, told["outcome"]) == (4, "rejected")
    assert "BERTH_VALIDATOR_VERSION_KEY" in told["detail"]
    assert SUBMIT not in operator.node.called
    assert operator.types("--version-key", "9")[1]["outcome"] == "set"


def test_a_network_that_is_none_is_named(operator: Operator) -> None:
    code, told = operator.types("--network", "nonsense")
    assert (code, told["outcome"]) == (3, "not_ready")
    assert "no such network" in told["detail"]


def test_a_second_run_at_the_same_time_sends_nothing(operator: Operator) -> None:
    with sender_lock.held(network=operator.node.url, netuid=NETUID, hotkey=ALICE) as mine:
        assert mine
        code, told = operator.types()
    assert (code, told["outcome"]) == (0, "too_soon")
    assert "Another set_weights" in told["detail"]
    assert operator.node.called == []
    assert operator.types()[1]["outcome"] == "set"


Change = Callable[[Operator], None]


def _another_set_weights(operator: Operator) -> None:
    operator.chain.set_subnet("LastUpdate", NETUID, [0, operator.chain.number, 0])


@pytest.mark.parametrize(
    ("change", "outcome", "name"),
    [
        (_another_set_weights, "too_soon", "SettingWeightsTooFast"),
        (
            lambda operator: operator.chain.set_subnet(
                "ValidatorPermit", NETUID, [False, False, False]
            ),
            "not_ready",
            "NeuronNoValidatorPermit",
        ),
        (
            lambda operator: operator.chain.without_stake.add(ALICE),
            "not_ready",
            "NotEnoughStakeToSetWeights",
        ),
        (
            lambda operator: operator.chain.set_subnet("WeightsVersionKey", NETUID, 1),
            "rejected",
            "IncorrectWeightVersionKey",
        ),
        (
            lambda operator: operator.chain.set_subnet("SubnetworkN", NETUID, 2),
            "rejected",
            "UidVecContainInvalidOne",
        ),
        (
            lambda operator: operator.chain.set_subnet("CommitRevealWeightsEnabled", NETUID, True),
            "rejected",
            "CommitRevealEnabled",
        ),
    ],
)
def test_the_runtime_has_the_last_word(
    operator: Operator, change: Change, outcome: str, name: str
) -> None:
    operator.node.faults.before_submit = lambda: change(operator)
    code, told = operator.types()
    assert told["outcome"] == outcome
    assert code == {"too_soon": 0, "not_ready": 3, "rejected": 4}[outcome]
    assert name in told["detail"]
    assert newest().outcome == outcome
    assert newest().settled_at is not None
    assert operator.weights() == {}


@pytest.mark.parametrize(
    ("says", "outcome"),
    [
        ("Custom error: 1", "not_ready"),
        ("Custom error: 6", "too_soon"),
        ("Inability to pay some fees (e.g. account balance too low)", "not_ready"),
        ("Transaction has a bad signature", "rejected"),
    ],
)
def test_the_pool_may_refuse(operator: Operator, says: str, outcome: str) -> None:
    operator.node.faults.pool_refuses = [says]
    assert operator.types()[1]["outcome"] == outcome
    assert newest().settled_at is not None
    assert operator.weights() == {}
