"""This will read Docker's frames of a container's log into its newest lines, within bounds."""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from protocol.container_log import LINE_CHARACTERS_MOST, LogLine, Stream

#: kind of stream, three empty bytes, length of what follows.
#: Source: Docker Engine API 1.41, ContainerAttach, "Stream format", read 2026-11-22.
HEADER_BYTES = 8
STREAMS = {1: Stream.STDOUT, 2: Stream.STDERR}
#: before each message where times are asked for
STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z) ")
#: at the end of a line that was longer than may be
CUT = " […]"


@dataclass(frozen=True, slots=True)
class End:
    """The newest lines, the oldest first, and whether there were more before them."""

    lines: tuple[LogLine, ...]
    is_cut: bool


@dataclass(slots=True)
class _Open:
    """A line of which the end has not come: Docker splits what is longer than 16 KiB."""

    at: str
    text: bytearray = field(default_factory=bytearray)


def newest(frames: bytes, *, lines_most: int, characters_most: int) -> End:
    """Return the end of the log that these frames hold; what is no frame of a log is left out."""
    kept: deque[LogLine] = deque()
    characters, is_cut = 0, False
    for line in _lines(frames):
        kept.append(line)
        characters += len(line.text)
        while len(kept) > lines_most or characters > characters_most:
            characters -= len(kept.popleft().text)
            is_cut = True
    return End(tuple(kept), is_cut)


def _lines(frames: bytes) -> Iterator[LogLine]:
    opened: dict[Stream, _Open] = {}
    for stream, message in _messages(frames):
        stamp = STAMP.match(message)
        if stamp is None:
            continue
        line = opened.setdefault(stream, _Open(stamp[1].decode()))
        said = message[stamp.end() :]
        # Of a longer one the rest is never shown, so it is not kept either: four bytes a letter.
        line.text += said[: max(0, LINE_CHARACTERS_MOST * 4 - len(line.text))]
        if said.endswith(b"\n"):
            yield _written(stream, opened.pop(stream))
    # The container has not ended its line, and may never: a question has no end either.
    unended = sorted(opened.items(), key=lambda one: one[1].at)
    yield from (_written(stream, line) for stream, line in unended)


def _messages(frames: bytes) -> Iterator[tuple[Stream, bytes]]:
    at = 0
    while at + HEADER_BYTES <= len(frames):
        stream = STREAMS.get(frames[at])
        begin = at + HEADER_BYTES
        at = begin + int.from_bytes(frames[at + 4 : begin], "big")
        if stream is not None:
            yield stream, frames[begin:at]


def _written(stream: Stream, line: _Open) -> LogLine:
    text = bytes(line.text).rstrip(b"\r\n").decode(errors="replace")
    text = text.replace("\0", "�").replace("\n", " ")
    if len(text) > LINE_CHARACTERS_MOST:
        text = text[: LINE_CHARACTERS_MOST - len(CUT)] + CUT
    return LogLine(at=line.at, stream=stream, text=text)
