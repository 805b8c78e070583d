"""``inspect_machine`` as an operator types it: at a machine, by the marketplace, and wrongly."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol import paths
from protocol.hardware import Hardware
from protocol.validator import Target
from tests.validator import builders
from tests.validator.machine_door import Machine, new_machine, opened, private_key_text
from tests.validator.marketplace_stub import Stub, serving
from tests.validator.test_commands import Operator, is_well_or_slow, typed
from validator.management.commands.inspect_machine import Command

SMALL = ("--memory-bytes", str(4 * 1024 * 1024))


@pytest.fixture
def stub() -> Iterator[Stub]:
    with serving(Stub()) as stub:
        yield stub


@pytest.fixture
def operator(stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Operator:
    return Operator(monkeypatch, tmp_path, stub.url)


def listed(*targets: Target) -> bytes:
    return f"[{','.join(each.model_dump_json() for each in targets)}]".encode()


def target_of(machine: Machine, number: int = 1) -> Target:
    return builders.target(
        number, machine_key=machine.machine_key, control_port=machine.port, proven_at_ms=None
    )


async def test_a_machine_is_looked_at_by_its_address_and_its_verdict_told_in_json(
    tmp_path: Path,
) -> None:
    async with opened(new_machine()) as machine:
        (tmp_path / "ssh_key").write_text(private_key_text(machine.validator_key))
        where = ("inspect_machine", "127.0.0.1", str(machine.port), machine.machine_key, *SMALL)
        code, out, err = await typed(*where, "--json", folder=tmp_path, url="")
    told = json.loads(out)
    assert is_well_or_slow(told["state"], [reason["code"] for reason in told["reasons"]])
    assert code == (1 if told["reasons"] else 0), err
    assert Hardware.model_validate(told["hardware"]) == builders.hardware()


async def test_a_machine_is_looked_at_by_its_address_on_the_marketplace_and_told_in_words(
    stub: Stub, tmp_path: Path
) -> None:
    async with opened(new_machine()) as machine:
        (tmp_path / "ssh_key").write_text(private_key_text(machine.validator_key))
        stub.answers[paths.VALIDATOR_TARGETS] = listed(target_of(machine))
        code, out, err = await typed(
            "inspect_machine", "127.0.0.1", "--short", folder=tmp_path, url=stub.url
        )
    # a busy machine's processors are slow, and that is told
    slow = "hash iterations/s" in out or "steps/s" in out
    assert (code, err) == (int(slow), "")
    assert out.startswith(("DEGRADED" if slow else "VERIFIED") + "  127.0.0.1 port ")
    assert "\x1b" not in out
    assert f"machine {builders.target(1).machine_id}" in out
    assert len(out.splitlines()) <= 10


def test_a_machine_that_answers_nothing_is_not_verified(operator: Operator) -> None:
    code, out = operator.types("inspect_machine", "127.0.0.1", "9", "ab" * 32, "--json")
    assert code == 1
    assert json.loads(out)["reasons"][0]["code"] == "machine_silent"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("127.0.0.1", "9"), "Give the machine's key after its port, or the host alone."),
        (("127.0.0.1", "0", "ab" * 32), "The port must be from 1 to 65535, not '0'."),
        (("127.0.0.1", "ssh", "ab" * 32), "The port must be from 1 to 65535, not 'ssh'."),
        (("127.0.0.1", "9", "zz"), "The machine's key must be 64 hexadecimal digits or an"),
        (("127.0.0.1", "9", "ssh-rsa AAAA"), "The machine's key must be 64 hexadecimal"),
        (("10.0.0.9",), "lists no machine '10.0.0.9' to look at. Give its id or address"),
        (("127.0.0.1",), "For 127.0.0.1 there are several machines. Give an id: 00000000-"),
        (("00000000",), "For 00000000 there are several machines. Give an id: 00000000-"),
        (("0000000",), "lists no machine '0000000' to look at."),
    ],
)
def test_what_names_no_machine_is_refused_in_one_sentence(
    operator: Operator, stub: Stub, words: tuple[str, ...], sentence: str
) -> None:
    stub.answers[paths.VALIDATOR_TARGETS] = listed(*map(builders.target, (1, 2, 3, 4, 5)))
    code, out = operator.types("inspect_machine", *words)
    assert code == 2
    assert sentence in out
    assert "Traceback" not in out


def test_a_marketplace_that_is_away_or_refuses_is_told_with_the_way_around_it(
    operator: Operator, stub: Stub
) -> None:
    code, out = operator.types("inspect_machine", "127.0.0.1")
    assert (code, "To look without it, give address, port and key." in out) == (2, True)
    operator.url = "http://127.0.0.1:9"
    code, out = operator.types("inspect_machine", "127.0.0.1")
    assert (code, "No marketplace answers at http://127.0.0.1:9." in out) == (2, True)


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

        def write(self, text: str) -> None: ...

    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    command = Command(stdout=Terminal())  # type: ignore[arg-type]
    assert command._has_colour({})
    assert not command._has_colour({"no_color": True})
    monkeypatch.setenv("TERM", "dumb")
    assert not command._has_colour({})
    assert command._has_colour({"force_color": True})
    monkeypatch.setenv("NO_COLOR", "1")
    assert not command._has_colour({"force_color": True})
