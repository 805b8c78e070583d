"""What a hostile host wrote never steers the terminal that shows it."""

import json

import pytest

from berth.cli.output import note, say, write_json, write_problem

HOSTILE = "x\x9b2J\x9d0;pwned\x9c\u202e\x1b[2J"


def test_json_is_ascii_and_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    write_json({"reason": HOSTILE})
    write_problem("failed", HOSTILE, 409, as_json=True)
    out, err = capsys.readouterr()
    assert (out + err).isascii()
    assert "\x1b" not in out + err
    assert json.loads(out)["reason"] == json.loads(err)["detail"] == HOSTILE


def test_lines_for_people_hold_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    say(HOSTILE)
    note(HOSTILE)
    write_problem("failed", HOSTILE, 409, as_json=False)
    out, err = capsys.readouterr()
    assert all(letter.isprintable() for letter in (out + err).replace("\n", ""))
