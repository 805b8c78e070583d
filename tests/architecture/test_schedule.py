"""Every pass of the schedule leads to a function that takes ``now``."""

import inspect

import pytest
from django.utils.module_loading import import_string

from marketplace.schedule import PASSES, Pass


@pytest.mark.parametrize("entry", PASSES, ids=lambda entry: entry.name)
def test_a_scheduled_pass_resolves_and_takes_now(entry: Pass) -> None:
    parameters = inspect.signature(import_string(entry.path)).parameters

    assert "now" in parameters
    required = [each for each in parameters.values() if each.default is each.empty]
    assert [each.name for each in required] == ["now"]


@pytest.mark.parametrize("entry", PASSES, ids=lambda entry: entry.name)
def test_a_scheduled_pass_has_a_period_and_a_limit(entry: Pass) -> None:
    assert entry.every_s > 0
    assert entry.limit_s > 0


def test_the_names_of_the_passes_differ() -> None:
    assert len({entry.name for entry in PASSES}) == len(PASSES)
    assert len({entry.path for entry in PASSES}) == len(PASSES)


def test_a_planted_path_to_nowhere_is_noticed() -> None:
    with pytest.raises(ImportError):
        import_string("marketplace.nowhere.nothing")
