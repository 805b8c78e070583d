"""Messages: what is unknown is refused, and each has exactly one spelling in bytes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from protocol.agent import EnrolReply, Problem, SyncReply, SyncRequest
from protocol.hardware import Resources
from protocol.message import FloatRefused, Message, canonical_bytes

WHOLE = st.none() | st.booleans() | st.integers() | st.text()
CONTENT = st.dictionaries(
    st.text(),
    st.recursive(
        WHOLE, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
    ),
)


@given(content=CONTENT)
def test_canonical_bytes_read_back_as_the_same_content(content: dict[str, Any]) -> None:
    assert json.loads(canonical_bytes(content)) == content


@given(content=CONTENT, order=st.randoms(use_true_random=False))
def test_the_order_of_fields_does_not_change_the_bytes(content: dict[str, Any], order: Any) -> None:
    names = list(content)
    order.shuffle(names)

    assert canonical_bytes({name: content[name] for name in names}) == canonical_bytes(content)


@given(left=CONTENT, right=CONTENT)
def test_different_content_has_different_bytes(left: dict[str, Any], right: dict[str, Any]) -> None:
    same = json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)

    assert (canonical_bytes(left) == canonical_bytes(right)) == same


@pytest.mark.parametrize(
    "content", [{"a": 1.0}, {"a": [1, 2.5]}, {"a": {"b": [{"c": float("nan")}]}}, {"a": (0.1,)}]
)
def test_a_float_is_refused_wherever_it_hides(content: dict[str, object]) -> None:
    with pytest.raises(FloatRefused, match="integer"):
        canonical_bytes(content)


def test_canonical_bytes_have_no_blanks_and_keep_letters_as_they_are() -> None:
    assert canonical_bytes({"b": "Kölle", "a": [1, None]}) == '{"a":[1,null],"b":"Kölle"}'.encode()


def test_a_message_and_its_fields_have_the_same_bytes() -> None:
    problem = Problem(code="no_capacity", message="There is no room.")

    assert canonical_bytes(problem) == canonical_bytes(problem.model_dump(mode="json"))


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (Problem, {"code": "no_capacity", "message": "x"}),
        (SyncReply, {"nonce": "n", "server_time_ms": 1, "revision": 0}),
        (SyncRequest, {"agent_version": "1", "boot_id": "b"}),
        (EnrolReply, {"machine_id": "00000000-0000-0000-0000-000000000000"}),
    ],
)
def test_an_unknown_field_is_refused(kind: type[Message], content: dict[str, object]) -> None:
    kind.model_validate(content)

    with pytest.raises(ValidationError, match="planted"):
        kind.model_validate(content | {"planted": 1})


@pytest.mark.parametrize("version", [0, 2, "1.0"])
def test_another_version_is_refused(version: object) -> None:
    with pytest.raises(ValidationError):
        SyncRequest.model_validate({"version": version, "agent_version": "1", "boot_id": "b"})


@pytest.mark.parametrize("code", ["", "No", "no capacity", "9lives", "a" * 65])
def test_a_problem_code_is_one_lower_case_word(code: str) -> None:
    with pytest.raises(ValidationError):
        Problem(code=code, message="x")


@pytest.mark.parametrize("hold_s", [-1, 26])
def test_a_sync_is_held_for_a_bounded_time(hold_s: int) -> None:
    with pytest.raises(ValidationError):
        SyncRequest(agent_version="1", boot_id="b", hold_s=hold_s)


def test_a_message_cannot_be_changed() -> None:
    problem = Problem(code="no_capacity", message="x")

    with pytest.raises(ValidationError):
        problem.message = "y"  # type: ignore[misc]


def test_resources_keep_the_shape_of_the_field() -> None:
    resources = Resources.of(cpus=1, ram_bytes=1 << 30, disk_bytes=10 << 30, gpus=1)

    assert resources.model_dump() == {
        "cpu": {"count": 1},
        "gpu": {"count": 1},
        "hard_disk": {"capacity": 10_737_418_240},
        "ram": {"capacity": 1_073_741_824},
    }


@pytest.mark.parametrize("count", [-1, 4097])
def test_counts_are_bounded(count: int) -> None:
    with pytest.raises(ValidationError):
        Resources.of(cpus=count, ram_bytes=1, disk_bytes=1)
