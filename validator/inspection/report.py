"""This will tell a person what one look at a machine found: claims, measurements, findings, why.

Plain aligned text of one width; colours are added around words only, so that it reads the same
without them.
"""

import textwrap
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from protocol.facts import Facts
from protocol.hardware import Gpu
from protocol.validator import (
    Finding,
    FindingState,
    GpuMeasurement,
    Measurement,
    Target,
    Verdict,
    VerdictState,
)
from validator.domain import gpu_specs
from validator.domain.verdict import RULES, Look
from validator.domain.words import counted, duration, listed, rate, size

WIDTH = 100
#: of the names at the left
LABEL = 16
MEGABYTE = 1_000_000


class Ink(Enum):
    """What a terminal is told to make words stand out."""

    BOLD = "1"
    DIM = "2"
    GOOD = "1;32"
    WARN = "1;33"
    BAD = "1;31"

    def __call__(self, text: str, *, colour: bool) -> str:
        """Return the text in this ink, or as it is."""
        return f"\x1b[{self.value}m{text}\x1b[0m" if colour and text else text


_OF_STATE = {
    VerdictState.VERIFIED: Ink.GOOD,
    VerdictState.DEGRADED: Ink.WARN,
}
#: worst first, each with its sign
_SIGNS = {
    FindingState.CONTRADICTION: ("✗", Ink.BAD),
    FindingState.ODD: ("!", Ink.WARN),
    FindingState.OK: ("✓", Ink.GOOD),
    FindingState.UNKNOWN: ("·", Ink.DIM),
}
_WORDS = {
    FindingState.ODD: "odd",
    FindingState.OK: "well",
    FindingState.UNKNOWN: "not comparable",
}


@dataclass(frozen=True, slots=True)
class Report:
    """One look, and what was made of it."""

    target: Target
    look: Look
    verdict: Verdict
    #: all of them, also those that are well
    findings: tuple[Finding, ...]
    took_ms: int


def text(report: Report, *, colour: bool = False, short: bool = False, width: int = WIDTH) -> str:
    """Return the whole report, or with ``short`` what fits into a few lines."""
    page = _Page(colour=colour, width=width)
    return "\n".join(_short(report, page) if short else _whole(report, page)) + "\n"


@dataclass(frozen=True, slots=True)
class _Page:
    colour: bool
    width: int

    def ink(self, ink: Ink, words: str) -> str:
        return ink(words, colour=self.colour)

    def heading(self, title: str, remark: str) -> str:
        title = f"{title:<{LABEL + 2}}" if remark else title
        return f"\n{self.ink(Ink.BOLD, title)}{self.ink(Ink.DIM, remark)}"

    def row(self, label: str, words: str, *, sign: str = " ", ink: Ink = Ink.DIM) -> Iterator[str]:
        """Yield a label at the left and its words, wrapped beside it."""
        lines = textwrap.wrap(words, max(20, self.width - LABEL - 5)) or [""]
        yield f"{self.ink(ink, sign)} {label:<{LABEL}} {lines[0]}"
        for line in lines[1:]:
            yield f"{'':<{LABEL + 3}}{line}"


def _whole(report: Report, page: _Page) -> Iterator[str]:
    yield from _head(report, page)
    if report.look.facts is not None:
        yield page.heading("Claimed", "what the machine says of itself: none of it proves anything")
        yield from _claims(report.look.facts, page)
    yield page.heading("Measured", "what it did on demand, timed on this validator's clock")
    yield from _measured(report, page)
    if report.findings:
        yield page.heading("Compared", _tally(report.findings))
        yield from _compared(report.findings, page)
    yield page.heading("Verdict", "")
    yield from _verdict(report, page)


def _short(report: Report, page: _Page) -> Iterator[str]:
    yield from _head(report, page)
    if report.look.facts is not None:
        yield from page.row("claimed", _claimed_shortly(report.look.facts))
    yield from page.row("measured", _measured_shortly(report.look.measurement))
    if report.findings:
        yield from page.row("compared", _tally(report.findings))
        bad = [one for one in report.findings if one.state in (_ODD, _CONTRADICTION)]
        yield from _compared(bad, page)
    told = {one.code for one in report.findings if one.state is _CONTRADICTION}
    yield from _reasons(report.verdict, page, but=told)


_ODD, _CONTRADICTION = FindingState.ODD, FindingState.CONTRADICTION


def _head(report: Report, page: _Page) -> Iterator[str]:
    target, state = report.target, report.verdict.state
    word = page.ink(_OF_STATE.get(state, Ink.BAD), state.value.upper())
    when = datetime.fromtimestamp(report.verdict.checked_at_ms // 1000, UTC)
    yield (
        f"{word}  {target.address} port {target.control_port}, looked at"
        f" {when:%Y-%m-%d %H:%M:%S} UTC for {duration(report.took_ms)}"
    )
    name = "" if target.machine_id.int == 0 else f"machine {target.machine_id}, "
    yield page.ink(Ink.DIM, f"{name}key {target.machine_key[:16]}...")


def _claims(facts: Facts, page: _Page) -> Iterator[str]:
    told = facts.hardware
    yield from page.row("system", f"{told.os}, kernel {told.kernel}, {_up(facts)}")
    where = facts.surroundings
    kind = "container" if where.container else "virtual machine" if where.hypervisor else ""
    maker = " ".join((where.vendor, where.product)).strip()
    if kind or maker:
        yield from page.row("board", ", ".join(one for one in (maker, kind) if one))
    yield from page.row("CPU", f"{told.cpus} of {facts.processors.listed}: {told.cpu_model}")
    memory = f"{size(told.memory_bytes)} of {size(facts.processors.memory_bytes)}"
    yield from page.row("memory", memory)
    yield from page.row("disk", f"{size(told.disk_bytes)} for placements")
    docker = f"{told.docker_version} on {told.storage_driver}"
    runtimes = ", ".join(facts.engine.runtimes)
    yield from page.row("Docker", f"{docker}{f', runtimes {runtimes}' if runtimes else ''}")
    for words in _cards(told.gpus):
        yield from page.row("GPU", words)


def _up(facts: Facts) -> str:
    return f"up {duration(facts.surroundings.uptime_ms)}"


def _cards(gpus: Sequence[Gpu]) -> Iterator[str]:
    kinds = Counter((gpu.model, gpu.vram_bytes, gpu.driver) for gpu in gpus)
    for (model, vram_bytes, driver), number in kinds.items():
        yield f"{number} x {model}, {size(vram_bytes)}, driver {driver}"


def _measured(report: Report, page: _Page) -> Iterator[str]:
    measured = report.look.measurement
    if measured is None:
        yield from page.row("nothing", report.look.detail or "No work was demanded at this look.")
        return
    hashes = f"{counted(measured.cpus, 'core')}: {rate(measured.cpu_hash_rate, ' hashes')}"
    least = rate(RULES.hash_rate_per_cpu_min * measured.cpus, " hashes")
    yield from page.row("CPU", f"{hashes}; at least {least}")
    steps, least = (
        rate(number, " steps")
        for number in (measured.memory_step_rate, RULES.step_rate_per_cpu_min * measured.cpus)
    )
    held = size(measured.memory_bytes_proven)
    yield from page.row("memory", f"{held} held, {steps}; at least {least}")
    if measured.gpus:
        yield from _gpus(measured.gpus, page)
    if measured.disk_write_mb_s:
        yield from page.row("disk", _disk(measured))
    if measured.network_down_mb_s:
        yield from page.row("network", _network(measured))
    yield from page.row("proof took", duration(measured.proof_ms))


def _gpus(gpus: Sequence[GpuMeasurement], page: _Page) -> Iterator[str]:
    """Yield one line a GPU in columns, and below those of a model what it must reach."""
    yield page.ink(Ink.DIM, _columns("GPU", ("filled", "bandwidth", "int8", "SHA-256/s", "took")))
    for name in dict.fromkeys(gpu.name for gpu in gpus):
        alike = [gpu for gpu in gpus if gpu.name == name]
        for gpu in alike:
            took = duration(gpu.proof_ms) if gpu.proof_ms else "-"
            hashes = rate(gpu.hash_mega_s * MEGABYTE, "")
            figures = size(gpu.vram_bytes_proven), rate(gpu.bandwidth_mb_s * MEGABYTE, "B")
            tops = f"{gpu.int8_gops // 1000:,} TOPS"
            yield _columns(f"{gpu.index}", (*figures, tops, hashes, took)) + f"  {name}"
        needed = gpu_specs.required(name, vram_bytes=alike[0].vram_bytes)
        least = size(needed.filled_bytes), rate(needed.bandwidth_bytes_s, "B")
        tops = f"{needed.int8_ops_s // 10**12:,} TOPS"
        yield page.ink(Ink.DIM, _columns("at least", (*least, tops)))


def _columns(label: str, cells: Sequence[str]) -> str:
    return f"  {label:<{LABEL}} " + "  ".join(f"{cell:>9}" for cell in cells)


def _disk(measured: Measurement) -> str:
    written = rate(measured.disk_write_mb_s * MEGABYTE, "B")
    reads = f", {measured.disk_reads_s:,} random reads/s" if measured.disk_reads_s else ""
    return f"{written} written to stay{reads}"


def _network(measured: Measurement) -> str:
    down, up = (
        rate(speed * MEGABYTE, "B")
        for speed in (measured.network_down_mb_s, measured.network_up_mb_s)
    )
    return f"{down} to it, {up} from it, or more"


def _tally(findings: Sequence[Finding]) -> str:
    found = Counter(one.state for one in findings)
    parts = [f"{found[state]} {word}" for state, word in _WORDS.items() if found[state]]
    if found[_CONTRADICTION]:
        parts.insert(0, counted(found[_CONTRADICTION], "contradiction"))
    return f"{counted(len(findings), 'check')}: {listed(parts)}"


def _compared(findings: Sequence[Finding], page: _Page) -> Iterator[str]:
    """Yield the findings, worst first; what could not be compared in one line."""
    for state in (_CONTRADICTION, _ODD, FindingState.OK):
        sign, ink = _SIGNS[state]
        for one in findings:
            if one.state is state:
                yield from page.row(one.code, one.message, sign=sign, ink=ink)
                if one.remedy:
                    yield from page.row("", f"→ {one.remedy}")
    unknown = [one.code for one in findings if one.state is FindingState.UNKNOWN]
    if unknown:
        sign, ink = _SIGNS[FindingState.UNKNOWN]
        yield from page.row("not comparable", ", ".join(unknown), sign=sign, ink=ink)


def _verdict(report: Report, page: _Page) -> Iterator[str]:
    verdict = report.verdict
    stands = duration(verdict.expires_at_ms - verdict.checked_at_ms)
    word = verdict.state.value
    ink = _OF_STATE.get(verdict.state, Ink.BAD)
    yield from page.row(word, f"for {stands}: {_meaning(report)}", ink=ink)
    yield from _reasons(verdict, page)


def _reasons(verdict: Verdict, page: _Page, but: Collection[str] = ()) -> Iterator[str]:
    good = verdict.state is VerdictState.VERIFIED
    sign, ink = ("·", Ink.DIM) if good else ("✗", Ink.BAD)
    for reason in verdict.reasons:
        if reason.code not in but:
            yield from page.row(reason.code, reason.message, sign=sign, ink=ink)


def _meaning(report: Report) -> str:
    if report.verdict.state is VerdictState.VERIFIED:
        shown = "it did what was demanded" if report.look.measurement else "nothing speaks against"
        return f"{shown}, and may be listed."
    if report.verdict.state is VerdictState.DEGRADED:
        return "rentals go on, new ones do not begin."
    return "no new rental begins until this is put right."


def _claimed_shortly(facts: Facts) -> str:
    told = facts.hardware
    parts = [f"{told.cpus} x {told.cpu_model}", size(told.memory_bytes), *_cards(told.gpus)]
    return ", ".join(parts)


def _measured_shortly(measured: Measurement | None) -> str:
    if measured is None:
        return "nothing"
    parts = [
        f"{rate(measured.cpu_hash_rate, ' hashes')} on {counted(measured.cpus, 'core')}",
        f"{size(measured.memory_bytes_proven)} of memory held",
    ]
    if measured.gpus:
        parts.append(counted(len(measured.gpus), "GPU"))
    if measured.disk_write_mb_s:
        parts.append(f"disk {rate(measured.disk_write_mb_s * MEGABYTE, 'B')}")
    if measured.network_down_mb_s:
        parts.append(f"line {rate(measured.network_down_mb_s * MEGABYTE, 'B')} or more")
    return f"{', '.join(parts)}, in {duration(measured.proof_ms)}"
