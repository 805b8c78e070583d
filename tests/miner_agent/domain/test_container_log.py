"""A container's log is read in Docker's frames, whatever is in it and however long it is."""

from hypothesis import given
from hypothesis import strategies as st

from miner_agent.domain.container_log import CUT, newest
from protocol.container_log import (
    CHARACTERS_MOST,
    LINE_CHARACTERS_MOST,
    LINES_MOST,
    LogReport,
    Stream,
)

OUT, ERR = 1, 2


def stamp(number: int) -> str:
    return f"2026-11-22T16:00:00.{number:09}Z"


def frame(text: bytes, number: int = 1, kind: int = OUT) -> bytes:
    """Return one message as Docker frames it, with its time."""
    message = stamp(number).encode() + b" " + text
    return bytes([kind, 0, 0, 0]) + len(message).to_bytes(4, "big") + message


def texts(frames: bytes, *, lines_most: int = 10, characters_most: int = 100) -> list[str]:
    end = newest(frames, lines_most=lines_most, characters_most=characters_most)
    return [line.text for line in end.lines]


def test_lines_have_their_time_and_their_stream() -> None:
    said = frame(b"ready\r\n", 1) + frame(b"wrong\n", 2, ERR)
    end = newest(said, lines_most=10, characters_most=100)
    assert [(line.at, line.stream, line.text) for line in end.lines] == [
        (stamp(1), Stream.STDOUT, "ready"),
        (stamp(2), Stream.STDERR, "wrong"),
    ]
    assert end.is_cut is False


def test_a_line_that_docker_split_is_whole_again_though_the_other_stream_spoke_between() -> None:
    said = frame(b"one ", 1) + frame(b"other\n", 2, ERR) + frame(b"line\n", 1)
    assert texts(said) == ["other", "one line"]


def test_a_line_that_has_no_end_yet_is_told_last() -> None:
    assert texts(frame(b"done\n", 1) + frame(b"password: ", 2)) == ["done", "password: "]


def test_the_newest_lines_are_kept_and_the_others_are_said_to_be_missing() -> None:
    said = b"".join(frame(b"line %d\n" % number, number) for number in range(5))
    assert texts(said, lines_most=2) == ["line 3", "line 4"]
    assert texts(said, characters_most=13) == ["line 3", "line 4"]
    assert newest(said, lines_most=2, characters_most=100).is_cut is True
    assert newest(said, lines_most=5, characters_most=30).is_cut is False


def test_a_line_that_is_too_long_says_that_it_goes_on() -> None:
    said = frame(b"x" * 16_000) + frame(b"x" * 16_000) + frame(b"x\n") + frame(b"next\n", 2)
    long, after = texts(said, characters_most=CHARACTERS_MOST)
    assert (len(long), long.endswith(CUT), after) == (LINE_CHARACTERS_MOST, True, "next")


def test_what_is_no_text_is_told_as_far_as_it_can_be() -> None:
    assert texts(frame(b"a\x00b\xff\x1b[31mc\n")) == ["a\ufffdb\ufffd\x1b[31mc"]


def test_what_is_no_message_is_left_out() -> None:
    strange = bytes([7, 0, 0, 0, 0, 0, 0, 2]) + b"hi"
    unstamped = bytes([1, 0, 0, 0, 0, 0, 0, 3]) + b"hi\n"
    assert texts(strange + unstamped + frame(b"ready\n") + b"\x01\x00") == ["ready"]


pieces = st.lists(
    st.builds(frame, st.binary(max_size=40), st.integers(0, 9), st.sampled_from([0, 1, 2, 3]))
    | st.binary(max_size=20),
    max_size=20,
)


@given(pieces=pieces)
def test_whatever_comes_can_be_sent(pieces: list[bytes]) -> None:
    end = newest(b"".join(pieces), lines_most=LINES_MOST, characters_most=CHARACTERS_MOST)
    report = LogReport(lines=end.lines, is_cut=end.is_cut)
    assert LogReport.model_validate_json(report.model_dump_json()) == report
