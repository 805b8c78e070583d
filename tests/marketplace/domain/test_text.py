"""Names and notes that others read hold nothing that cannot be seen."""

import pytest

from marketplace.domain.team import name_fault
from marketplace.domain.text import TextRefused, lines, one_line, seen

#: NUL, escape, delete, C1, override, isolate, mark, blank of no width, joiner, line and paragraph
#: separators, surrogate, private use, tag
UNSEEN = "\0\x1b\x7f\x9b\u202e\u2066\u200f\u200b\ufeff\u2028\u2029\ud800\ue000\U000e0041\n\t"
#: fillers of Hangul, a blank of Braille, a joiner that joins nothing
BLANK = "\u3164\u115f\u1160\uffa0\u2800\u034f"


@pytest.mark.parametrize("one", UNSEEN + BLANK)
def test_a_name_holds_nothing_unseen_and_is_one_line(one: str) -> None:
    with pytest.raises(TextRefused) as refused:
        one_line(f"lap{one}top")
    assert refused.value.detail.startswith("Write it on one line")
    assert seen(f" lap{one}top{one} ") == "laptop"
    assert name_fault(f"lap{one}top")


@pytest.mark.parametrize(
    "name", ["", "Ada's laptop", "Büro 2", "仕事用", "🚀 rig ❤️", "o\u0301", "x" * 500]
)
def test_an_honest_name_is_kept_as_it_is(name: str) -> None:
    assert one_line(f"  {name}\n") == seen(name) == name


@pytest.mark.parametrize("one", "\u00a0\u2007\u202f")
def test_a_name_with_a_space_that_looks_as_another_is_the_same_name(one: str) -> None:
    assert one_line(f"{one}big{one}rig{one}") == seen(f"{one}big{one}rig{one}") == "big rig"


@pytest.mark.parametrize(
    "one",
    "\u200b\u200e\u200f\u061c\0\x1b\x7f\x9b\r\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
)
def test_a_note_holds_nothing_that_writes_over_or_turns_what_is_read(one: str) -> None:
    with pytest.raises(TextRefused) as refused:
        lines(f"one{one}two")
    assert refused.value.detail.startswith("Leave out control characters")


def test_a_note_has_lines_tabs_and_what_joins_letters_of_honest_words() -> None:
    assert lines(" a\r\nb\tc\n") == "a\nb\tc"
    assert lines("👩\u200d💻 می\u200cخواهم א") == "👩\u200d💻 می\u200cخواهم א"
