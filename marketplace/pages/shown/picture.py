"""This will draw rows of numbers as rectangles, each picture with its words and its table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

HEIGHT = 120
COLUMN_WIDTH, COLUMN_GAP = 20, 4
#: of a strip, and of the picture in which ticks stand
WIDTH = 600
TICK_WIDTH = 3
#: so that what is there at all is seen
SEEN_MIN = 2
#: how high a tick stands, beside its colour, as not everybody tells colours apart
HEIGHTS = {"good": HEIGHT, "warn": HEIGHT * 2 // 3, "bad": HEIGHT // 3, "idle": HEIGHT // 6}


@dataclass(frozen=True, slots=True)
class Shape:
    x: int
    y: int
    width: int
    height: int
    #: good, warn, bad, idle, ground, main or soft
    tone: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """What a person sees, what one who sees nothing is told, and the numbers as a table."""

    #: within the page
    name: str
    title: str
    #: one sentence that says what the picture shows
    words: str
    width: int
    height: int
    shapes: tuple[Shape, ...]
    #: below its left and its right end
    first: str = ""
    last: str = ""
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()

    @property
    def lines(self) -> tuple[tuple[tuple[str, str], ...], ...]:
        """Return the rows, each cell with its head."""
        return tuple(tuple(zip(self.heads, row, strict=True)) for row in self.rows)


def columns(heights_ppm: Sequence[tuple[int | None, str, str]]) -> tuple[Shape, ...]:
    """Return a column for each (height in millionths, tone, title); None: nothing stands there."""
    found: list[Shape] = []
    for number, (ppm, tone, title) in enumerate(heights_ppm):
        x, width = number * COLUMN_WIDTH, COLUMN_WIDTH - COLUMN_GAP
        if ppm is None:
            continue
        height = max(SEEN_MIN, ppm * HEIGHT // 1_000_000) if ppm else 0
        found += [
            Shape(x, 0, width, HEIGHT, "ground", title),
            Shape(x, HEIGHT - height, width, height, tone, title),
        ]
    return tuple(found)


def columns_width(number: int) -> int:
    """Return how wide so many columns are."""
    return max(1, number) * COLUMN_WIDTH


def ticks(
    marks: Sequence[tuple[datetime, str, str]], *, since: datetime, until: datetime
) -> tuple[Shape, ...]:
    """Return a tick for each (moment, tone, title), where it lies between the two moments."""
    span = max(timedelta(seconds=1), until - since)
    ground = Shape(0, HEIGHT - 1, WIDTH, 1, "ground")
    return (
        ground,
        *(
            Shape(
                int((WIDTH - TICK_WIDTH) * max(0.0, min(1.0, (at - since) / span))),
                HEIGHT - HEIGHTS[tone],
                TICK_WIDTH,
                HEIGHTS[tone],
                tone,
                title,
            )
            for at, tone, title in marks
        ),
    )


def strip(share_ppm: int, tone: str, title: str, *, y: int = 0, height: int = 16) -> list[Shape]:
    """Return a bar along a ground; ``share_ppm`` of its whole width, in millionths."""
    share = max(0, min(1_000_000, share_ppm))
    width = max(SEEN_MIN, share * WIDTH // 1_000_000) if share else 0
    return [
        Shape(0, y, WIDTH, height, "ground", title),
        Shape(0, y, width, height, tone, title),
    ]


def day(on: date) -> str:
    """Return ``1 Mar 2026``."""
    return f"{on:%-d %b %Y}"
