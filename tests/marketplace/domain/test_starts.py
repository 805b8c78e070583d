"""How quickly and how surely rentals begin."""

from marketplace.domain.starts import Starts, starts


def test_percentiles_are_waits_that_there_were() -> None:
    assert starts([400, 100, 200, 300], failed=1) == Starts(200, 400, came_up=4, failed=1)
    assert starts(range(1, 101), failed=0) == Starts(50, 95, came_up=100, failed=0)
    assert starts([700], failed=0) == Starts(700, 700, came_up=1, failed=0)


def test_where_none_came_up_there_is_no_time() -> None:
    assert starts([], failed=3) == Starts(None, None, came_up=0, failed=3)
