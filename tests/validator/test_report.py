"""The report of an inspection, to the letter; and what colours and a narrow terminal change."""

import re
from pathlib import Path

from protocol.facts import Facts
from protocol.validator import Measurement, Target
from tests.validator import builders, gpu_machine
from validator.domain.checks import CHECKS
from validator.domain.verdict import Look, Outcome, compare, decide
from validator.inspection.report import LABEL, Report, text

GOLDEN = Path(__file__).with_name("report.txt")
DAY_MS = builders.DAY_MS
SPEEDS = {
    "cpus": 2,
    "cpu_hash_rate": 8_800_000,
    "memory_bytes_proven": 64 << 20,
    "memory_step_rate": 590_000,
    "proof_ms": 14_100,
    "disk_write_mb_s": 2400,
    "disk_reads_s": 34_965,
    "network_down_mb_s": 49,
    "network_up_mb_s": 111,
}
VIRTUAL = {
    "hypervisor": True,
    "vendor": "QEMU",
    "product": "Standard PC",
    "clock_ms": builders.NOW_MS,
    "uptime_ms": 9 * DAY_MS,
}


def proven(facts: Facts) -> Report:
    measured = gpu_machine.measured(proof_ms=13_800).model_copy(update=SPEEDS)
    look = Look(
        Outcome.SEEN,
        hardware=facts.hardware,
        measurement=measured,
        facts=facts,
        cuda=gpu_machine.cuda(),
    )
    return report_of(builders.target(claimed=facts.hardware), look)


def report_of(target: Target, look: Look) -> Report:
    verdict = decide(hotkey=builders.ALICE, target=target, look=look, now_ms=builders.NOW_MS)
    return Report(target, look, verdict, compare(target, look, builders.NOW_MS), 16_400)


def forged() -> Report:
    """Two cards, a mount over what the kernel shows, in a virtual machine."""
    mount = {"path": "/proc/driver/nvidia/gpus", "kind": "ext4"}
    engine = {"runtimes": ["nvidia", "runc"]}
    return proven(gpu_machine.facts(surroundings=VIRTUAL, mounts=[mount], engine=engine))


def test_the_whole_and_the_short_report_are_these_to_the_letter() -> None:
    told = f"{text(forged())}\n{'-' * 100}\n{text(forged(), short=True)}"
    assert told == GOLDEN.read_text(), told


def test_colours_are_added_around_words_and_change_nothing_else() -> None:
    for short in (False, True):
        coloured = text(forged(), colour=True, short=short)
        assert "\x1b[1;31m" in coloured
        assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == text(forged(), short=short)


def test_no_line_is_wider_than_the_page_and_every_code_fits_its_column() -> None:
    assert max(map(len, text(forged()).splitlines())) <= 100
    assert max(len(check.code) for check in CHECKS) <= LABEL


def test_a_machine_that_does_not_answer_gets_a_report_with_what_to_do() -> None:
    told = report_of(builders.target(), Look(Outcome.SILENT, "Nothing answers at port 2222."))
    for short in (False, True):
        assert "DEGRADED" in text(told, short=short)
        assert "port is open to the internet." in text(told, short=short)
    assert "Claimed" not in text(told)


def test_a_machine_without_gpu_that_is_well_is_told_in_good_words() -> None:
    facts = builders.facts()
    strong = Measurement(cpus=1, cpu_hash_rate=10_000_000, memory_step_rate=10_000_000)
    look = Look(Outcome.SEEN, hardware=facts.hardware, measurement=strong, facts=facts)
    told = text(report_of(builders.target(claimed=facts.hardware), look))
    assert told.startswith("VERIFIED")
    assert "10 checks: 8 well and 2 not comparable" in told
    assert "it did what was demanded, and may be listed." in told
