"""What happened to a rental has a sentence each, and its mark stands in an address."""

from datetime import UTC, datetime

import pytest

from marketplace.domain.history import SENTENCES, Mark, MarkInvalid, Source, sentence
from marketplace.domain.placement import Event, PlacementState

AT = datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)


def test_every_event_of_the_table_has_a_sentence() -> None:
    assert set(Event) <= set(SENTENCES)
    assert sentence("unheard of", old_state="running") == ""


def test_what_was_paid_for_and_is_over_is_nobodys_fault() -> None:
    late = {
        state: sentence(Event.LATE, old_state=state)
        for state in (PlacementState.RUNNING, PlacementState.PREPARING)
    }
    assert late[PlacementState.RUNNING] == "Its paid time was over."
    assert late[PlacementState.PREPARING] == SENTENCES[Event.LATE]


@pytest.mark.parametrize("source", Source)
def test_a_mark_reads_as_it_was_written(source: Source) -> None:
    mark = Mark(AT, source, 42)
    assert Mark.decode(mark.encode()) == mark


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "1-2", "1-9-1", "-1-0-1", "1-0-²"),
        *("1-0-9999999999999999999", "9999999999999999999-0-1"),
    ],
)
def test_what_is_no_mark_is_refused(text: str) -> None:
    with pytest.raises(MarkInvalid):
        Mark.decode(text)
