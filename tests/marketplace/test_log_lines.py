"""A stranger's words cannot write lines of their own, move a terminal or fill the disk."""

import logging

from marketplace.log_lines import VALUE_CHARS_MAX, IdsFormatter


def line(problem: object) -> str:
    record = logging.makeLogRecord({"msg": "Door closed", "problem": problem, "a_first": 7})
    return IdsFormatter("%(message)s").format(record)


def test_ids_follow_the_message_in_a_stable_order() -> None:
    assert line("shut") == "Door closed a_first='7' problem='shut'"


def test_a_value_stays_one_line_without_control_characters() -> None:
    written = line("\x1b]0;pwned\x07\x1b[2J\r\n2026-01-01 ERROR forged \u202e")
    assert written.isprintable()


def test_a_value_is_cut() -> None:
    assert len(line("A" * 10_000)) < VALUE_CHARS_MAX + 100
