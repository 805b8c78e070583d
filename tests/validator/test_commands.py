"""What an operator types; where SSH is in it, in a process of its own with validator.settings."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from protocol import paths
from protocol.validator import (
    EpochRecord,
    ScoreReport,
    SignedScoreReport,
    SignedVerdicts,
    VerdictState,
)
from tests.validator import builders
from tests.validator.builders import ALICE, BOB, cpu_record, record
from tests.validator.machine_door import Machine, new_machine, opened, private_key_text
from tests.validator.marketplace_stub import Stub, serving
from validator.domain.scoring import score
from validator.models import WeightSubmission

EPOCH = builders.epoch(record(1), cpu_record(2, miner_hotkey=BOB))


@pytest.fixture
def stub() -> Iterator[Stub]:
    with serving(Stub({paths.VALIDATOR_EPOCH: EPOCH.model_dump_json().encode()})) as stub:
        yield stub


def environment(folder: Path, url: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.getcwd(),
        "DJANGO_SETTINGS_MODULE": "validator.settings",
        "BERTH_MARKETPLACE_URL": url,
        "BERTH_VALIDATOR_HOTKEY_SEED": "//Alice",
        "BERTH_VALIDATOR_SSH_KEY": str(folder / "ssh_key"),
        "BERTH_MEMORY_CHAIN": str(folder / "chain.json"),
        "BERTH_VALIDATOR_DATABASE": str(folder / "validator.sqlite3"),
        "BERTH_VALIDATOR_ALLOW_PRIVATE": "1",
        "BERTH_VALIDATOR_PROOF_MEMORY_BYTES": str(4 * 1024 * 1024),
    }


@dataclass
class Operator:
    """Types commands in this process, with a folder and a marketplace of their own."""

    patch: pytest.MonkeyPatch
    folder: Path
    url: str

    def types(self, *words: str, **changes: str) -> tuple[int, str]:
        """Return the exit code and everything printed."""
        for name, value in {**environment(self.folder, self.url), **changes}.items():
            if name.startswith("BERTH_"):
                self.patch.setenv(name, value)
        out = StringIO()
        try:
            call_command(*words, stdout=out)
        except SystemExit as ended:
            return int(str(ended.code)), out.getvalue()
        except CommandError as error:
            return error.returncode, out.getvalue() + str(error)
        return 0, out.getvalue()


@pytest.fixture
def operator(stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Operator:
    return Operator(monkeypatch, tmp_path, stub.url)


async def start(*words: str, folder: Path, url: str, **changes: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "django", *words),
        env={**environment(folder, url), **changes},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def typed(*words: str, folder: Path, url: str, **changes: str) -> tuple[int, str, str]:
    process = await start(*words, folder=folder, url=url, **changes)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.mark.django_db
def test_set_weights_shows_then_sets_then_waits(operator: Operator) -> None:
    assert operator.types("register_neuron", ALICE) == (0, "0\n")
    assert operator.types("register_neuron", BOB) == (0, "1\n")
    code, out = operator.types("set_weights", "--dry-run", "--json")
    shown = json.loads(out)
    assert (code, shown["outcome"], shown["missing"]) == (0, "dry_run", [])
    assert shown["weights"]["0"] == 65_535
    assert set(shown["shares_ppm"]) == {"0", "1"}
    assert "Dry run: nothing was sent.\n" in operator.types("set_weights", "--dry-run")[1]
    assert not WeightSubmission.objects.exists()
    code, out = operator.types("set_weights")
    assert code == 0
    assert "uid    0" in out
    code, out = operator.types("set_weights")
    assert code == 0
    assert "Too soon" in out
    rows = WeightSubmission.objects.order_by("pk").values_list("outcome", "epoch", "settled_at")
    assert [row[:2] for row in rows] == [("set", EPOCH.epoch), ("too_soon", EPOCH.epoch)]
    assert None not in [row[2] for row in rows]


@pytest.mark.django_db
def test_set_weights_fails_loudly_when_nothing_can_be_set(operator: Operator) -> None:
    code, out = operator.types("set_weights")
    assert code == 3
    assert "Not ready: " in out
    assert f"scored: {ALICE}" in out


@pytest.mark.django_db
def test_set_weights_sets_nothing_when_the_fleet_failed_at_once(
    operator: Operator, stub: Stub
) -> None:
    lost = record(1, has_valid_verdict=False, verified_until_ms=builders.NOW_MS)
    failed = builders.epoch(lost, cpu_record(2))
    stub.answers[paths.VALIDATOR_EPOCH] = failed.model_dump_json().encode()
    code, out = operator.types("set_weights")
    assert code != 0
    assert "Most machines that were verified within a day are not now. Nothing was set." in out


@pytest.mark.django_db
def test_weights_follow_from_the_newest_closed_record(operator: Operator, stub: Stub) -> None:
    closed = builders.epoch(record(1, miner_hotkey=BOB))
    stub.answers[paths.SCORES.format(epoch="newest")] = b'{"epoch": 7}'
    stub.answers[paths.SCORES_RECORD.format(epoch=7)] = closed.model_dump_json().encode()
    operator.types("register_neuron", BOB)
    out = operator.types("set_weights", "--dry-run", "--json")[1]
    assert json.loads(out)["shares_ppm_by_hotkey"] == {BOB: 1_000_000}


@pytest.mark.django_db
def test_set_weights_without_marketplace_sets_nothing(operator: Operator) -> None:
    operator.url = "http://127.0.0.1:9"
    code, out = operator.types("set_weights")
    assert code == 5
    assert "Nothing was set." in out
    assert WeightSubmission.objects.get().outcome == "unreachable"


def test_set_weights_without_hotkey_says_what_to_do(operator: Operator) -> None:
    code, out = operator.types("set_weights", BERTH_VALIDATOR_HOTKEY_SEED="")
    assert code == 1
    assert "BERTH_VALIDATOR_HOTKEY_FILE" in out


@pytest.mark.parametrize("seed", ["//", "twelve words that are none"])
def test_a_wrong_hotkey_names_its_variable_and_not_its_value(operator: Operator, seed: str) -> None:
    code, out = operator.types("set_weights", BERTH_VALIDATOR_HOTKEY_SEED=seed)
    assert code == 1
    assert "BERTH_VALIDATOR_HOTKEY_SEED." in out
    assert "twelve words" not in out


@pytest.mark.parametrize("command", ["set_weights", "recompute_scores"])
def test_a_command_writes_no_line_about_each_call(stub: Stub, tmp_path: Path, command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "django", command],
        env=environment(tmp_path, stub.url),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout
    assert "HTTP" not in done.stderr


def test_recompute_scores_equals_the_published_report_or_fails(operator: Operator) -> None:
    record_file, report_file = operator.folder / "record.json", operator.folder / "report.json"
    record_file.write_text(EPOCH.model_dump_json())
    report = ScoreReport(validator_hotkey=BOB, epoch=EPOCH.epoch, scores=score(EPOCH))
    report_file.write_text(report.model_dump_json())
    words = ("recompute_scores", "--record", str(record_file), "--compare", str(report_file))
    code, out = operator.types(*words)
    assert code == 0
    assert ScoreReport.model_validate_json(out) == report
    off_by_one = report.scores[0].model_copy(
        update={"points_micro": report.scores[0].points_micro + 1}
    )
    forged = report.model_copy(update={"scores": (off_by_one, *report.scores[1:])})
    report_file.write_text(forged.model_dump_json())
    code, out = operator.types(*words)
    assert code == 1
    assert "differs" in out
    report_file.write_text("[")
    code, out = operator.types(*words)
    assert (code, out) == (1, f"{report_file} holds no score report.")
    record_file.unlink()
    assert operator.types(*words) == (
        1,
        f"{record_file} cannot be read: No such file or directory.",
    )


def test_recompute_scores_of_the_current_epoch_needs_no_file(operator: Operator) -> None:
    code, out = operator.types("recompute_scores")
    assert code == 0
    assert ScoreReport.model_validate_json(out).scores == score(EPOCH)


def is_well_or_slow(state: str, codes: Sequence[str]) -> bool:
    """Say whether a look found nothing wrong, but that other programs held the processors."""
    well = VerdictState.DEGRADED if codes else VerdictState.VERIFIED
    return state == well and set(codes) <= {"cpu_slow", "memory_slow"}


def _key_file(machine: Machine, folder: Path) -> None:
    (folder / "ssh_key").write_text(private_key_text(machine.validator_key))


async def test_one_pass_registers_looks_judges_and_scores(stub: Stub, tmp_path: Path) -> None:
    async with opened(new_machine()) as machine:
        _key_file(machine, tmp_path)
        target = builders.target(
            machine_key=machine.machine_key,
            control_port=machine.port,
            # small, for the test's own prover is plain Python on the test's own event loop
            memory_bytes_free=4 * 1024 * 1024,
        )
        stub.answers[paths.VALIDATOR_TARGETS] = f"[{target.model_dump_json()}]".encode()
        code, _, err = await typed("run_validator", "--once", folder=tmp_path, url=stub.url)
    assert code == 0, err
    told = dict(stub.told)
    assert next(iter(told)) == f"{paths.API}/validator/register"
    (signed,) = SignedVerdicts.model_validate_json(told[paths.VALIDATOR_VERDICTS]).verdicts
    verdict = signed.verdict
    assert is_well_or_slow(verdict.state, [reason.code for reason in verdict.reasons])
    report = SignedScoreReport.model_validate_json(told[paths.VALIDATOR_SCORES]).report
    assert report.scores == score(EPOCH)


async def test_the_validator_waits_for_the_marketplace_and_stops_when_told(tmp_path: Path) -> None:
    process = await start("run_validator", folder=tmp_path, url="http://127.0.0.1:9")
    assert process.stderr is not None
    line = await asyncio.wait_for(process.stderr.readline(), 30)
    assert b"Waiting for the marketplace" in line
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 30) == 0


async def test_a_marketplace_that_forgot_the_validator_s_key_is_told_again(
    stub: Stub, tmp_path: Path
) -> None:
    stub.answers[paths.VALIDATOR_TARGETS] = b"[]"
    process = await start(
        "run_validator", folder=tmp_path, url=stub.url, BERTH_VALIDATOR_INTERVAL_S="1"
    )
    try:
        async with asyncio.timeout(30):
            while [path for path, _ in stub.told].count(f"{paths.API}/validator/register") < 2:
                await asyncio.sleep(0.05)
    finally:
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 30) == 0


def test_the_record_of_these_tests_survives_its_own_wire_format() -> None:
    assert EpochRecord.model_validate_json(EPOCH.model_dump_json()) == EPOCH
