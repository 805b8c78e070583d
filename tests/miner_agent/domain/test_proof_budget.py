"""Proofs have so much of a day, and no validator more than its part of that."""

from miner_agent.domain.proof_budget import HOUR_MS, HOURS, add, read, refusal, total_ms, write

NOW = 1_700_000_000_000
DAY_S = 100


def said(spent: object, key: str, *, now_ms: int = NOW) -> str:
    return refusal(spent, key=key, now_ms=now_ms, seconds_a_day=DAY_S)  # type: ignore[arg-type]


def test_nobody_is_refused_before_anything_was_spent() -> None:
    assert said(read(""), "alice") == ""


def test_a_validator_has_its_part_and_the_others_theirs() -> None:
    spent = add({}, key="alice", lasted_ms=49_999, now_ms=NOW)
    assert said(spent, "alice") == ""
    spent = add(spent, key="alice", lasted_ms=1, now_ms=NOW)
    assert said(spent, "alice").startswith("This validator's proofs have had their 50 s")
    assert said(spent, "bob") == ""


def test_all_together_have_the_day_s_time() -> None:
    spent = {}
    for key in ("alice", "bob", "carol"):
        spent = add(spent, key=key, lasted_ms=34_000, now_ms=NOW)
    assert said(spent, "dave").startswith("Proofs have had their 100 s")


def test_what_was_spent_is_forgotten_after_a_day() -> None:
    spent = add({}, key="alice", lasted_ms=100_000, now_ms=NOW)
    assert said(spent, "bob", now_ms=NOW + (HOURS - 1) * HOUR_MS)
    later = NOW + HOURS * HOUR_MS
    assert said(spent, "bob", now_ms=later) == ""
    assert total_ms(spent, now_ms=later) == 0
    assert add(spent, key="bob", lasted_ms=5, now_ms=later) == {(later // HOUR_MS, "bob"): 5}


def test_the_count_is_read_as_it_was_written() -> None:
    spent = add(add({}, key="a", lasted_ms=1, now_ms=NOW), key="b", lasted_ms=2, now_ms=NOW)
    assert read(write(spent)) == spent
    assert total_ms(spent, now_ms=NOW) == 3


def test_a_host_who_gives_none_gives_none() -> None:
    assert refusal({}, key="alice", now_ms=NOW, seconds_a_day=0)
