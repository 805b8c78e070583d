"""How quickly and how surely rentals begin."""

from datetime import UTC, datetime, timedelta

from marketplace.domain.starts import (
    ALL,
    EXPECTED_OF_MIN,
    Basis,
    Expected,
    Kinds,
    Starts,
    expected,
    known,
    starts,
)

ASKED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_percentiles_are_waits_that_there_were() -> None:
    assert starts([400, 100, 200, 300], failed=1) == Starts(200, 400, came_up=4, failed=1)
    assert starts(range(1, 101), failed=0) == Starts(50, 95, came_up=100, failed=0)
    assert starts([700], failed=0) == Starts(700, 700, came_up=1, failed=0)


def test_where_none_came_up_there_is_no_time() -> None:
    assert starts([], failed=3) == Starts(None, None, came_up=0, failed=3)


def figures(came_up: int, p50_ms: int | None = 20_000) -> Starts:
    p95_ms = None if p50_ms is None else 90_000
    return Starts(p50_ms, p95_ms, came_up=came_up, failed=2)


def test_what_begins_may_do_as_others_did() -> None:
    found = expected(figures(EXPECTED_OF_MIN), Basis.KIND, asked_at=ASKED)
    assert found == Expected(
        half_by=ASKED + timedelta(seconds=20),
        most_by=ASKED + timedelta(seconds=90),
        came_up=EXPECTED_OF_MIN,
        begun=EXPECTED_OF_MIN + 2,
        basis=Basis.KIND,
    )
    assert expected(figures(0, None), Basis.SITE, asked_at=ASKED) is None


def test_the_nearest_of_which_enough_is_known_tells_it() -> None:
    few, enough = figures(EXPECTED_OF_MIN - 1), figures(EXPECTED_OF_MIN)
    asked: list[int] = []

    def kinds(**found: Starts) -> Kinds:
        def ask() -> dict[str, Starts]:
            asked.append(1)
            return {ALL if name == "every" else name: starts for name, starts in found.items()}

        return ask

    assert known(enough, gpu_model="A", kinds=kinds()) == (enough, Basis.MACHINE)
    # What the machine itself says is enough: nobody is asked further.
    assert asked == []
    all_of = kinds(A=enough, every=figures(99))
    assert known(few, gpu_model="A", kinds=all_of) == (enough, Basis.KIND)
    assert asked == [1]
    assert known(few, gpu_model="B", kinds=all_of) == (figures(99), Basis.SITE)
    assert known(few, gpu_model="A", kinds=kinds(A=few, every=few)) is None
    assert known(few, gpu_model="A", kinds=kinds()) is None


def test_a_gpu_that_is_called_as_all_together_is_no_kind() -> None:
    every = figures(EXPECTED_OF_MIN)
    found = known(figures(0, None), gpu_model=ALL, kinds=lambda: {ALL: every})
    assert found == (every, Basis.SITE)
