"""This will draw what each miner earned for a dollar of cost, as an SVG of its own making."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 960, 440
LEFT, RIGHT, TOP, BOTTOM = 60, 350, 48, 48
#: so far apart at least, that names beside the lines can be read
NAMES_APART = 20
#: Okabe and Ito's colours, which people tell apart whatever they see; dark enough on white
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#a0529a", "#3c7fb1", "#9a6a00", "#555555", "#b03060")
STYLE = """\
text { font: 13px sans-serif; fill: #24323a; }
.title { font-size: 15px; font-weight: 600; }
.grid { stroke: #d9dfdc; }
.line { fill: none; stroke-width: 2; }
.first { stroke-width: 3.5; }"""


def svg(daily: Mapping[str, Sequence[float]]) -> str:
    """Return the chart: one line a miner, one point a day; the first miner's is the thickest."""
    days = max(len(values) for values in daily.values())
    most = max(max(values) for values in daily.values())
    top = int(most) + 1
    colours = dict(zip(daily, COLOURS, strict=False))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        "<title>What each kind of miner earned for a dollar of cost, over thirty days</title>",
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="26" class="title">Earned so far for a dollar of hardware and fees,'
        " USD</text>",
        *(_level(value, top) for value in range(top + 1)),
        *(_day(day, days) for day in range(0, days + 1, 5)),
    ]
    for number, (name, values) in enumerate(daily.items()):
        points = " ".join(
            f"{_x(day, days):.1f},{_y(value, top):.1f}" for day, value in enumerate(values, start=1)
        )
        kind = "line first" if number == 0 else "line"
        parts.append(f'<polyline class="{kind}" stroke="{colours[name]}" points="{points}"/>')
    parts += _names(daily, colours, top)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _names(daily: Mapping[str, Sequence[float]], colours: Mapping[str, str], top: int) -> list[str]:
    """Return each line's name beside its end, pushed down where another stands there."""
    ordered = sorted(daily, key=lambda name: -round(daily[name][-1], 2))
    found, lowest = [], 0.0
    room = HEIGHT - BOTTOM + NAMES_APART
    for number, name in enumerate(ordered):
        left = len(ordered) - number - 1
        y = max(_y(daily[name][-1], top) + 4, lowest + NAMES_APART)
        lowest = y = min(y, room - left * NAMES_APART)
        label = f"{daily[name][-1]:.2f}  {escape(name)}"
        x = WIDTH - RIGHT + 8
        found.append(f'<text x="{x}" y="{y:.1f}" style="fill: {colours[name]}">{label}</text>')
    return found


def _level(value: int, top: int) -> str:
    y = _y(value, top)
    line = f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
    return f'{line}<text x="{LEFT - 10}" y="{y + 4:.1f}" text-anchor="end">{value}</text>'


def _day(day: int, days: int) -> str:
    word = f"day {day}" if day == 0 else str(day)
    return f'<text x="{_x(day, days):.1f}" y="{HEIGHT - 22}" text-anchor="middle">{word}</text>'


def _x(day: int, days: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * day / days


def _y(value: float, top: int) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top
