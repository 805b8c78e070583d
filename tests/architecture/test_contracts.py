"""The import contracts hold, and each of them really catches what it forbids."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.architecture.sources import TREE

PACKAGES = ("berth", "marketplace", "miner_agent", "protocol", "prover", "validator")
#: contract, file that is planted, the line in it that must not be
PLANTED = [
    ("programs", "validator/planted.py", "import marketplace.env"),
    ("programs", "berth/planted.py", "import miner_agent.clock"),
    ("protocol", "protocol/planted.py", "import django"),
    ("protocol", "protocol/planted.py", "import marketplace.env"),
    ("prover", "prover/planted.py", "import protocol.message"),
    ("verdict", "validator/planted.py", "import prover.cpu"),
    *(
        ("domain", f"{program}/domain/planted.py", f"import {module}")
        for program in ("marketplace", "miner_agent", "validator")
        for module in ("django", "os", "time", "random")
    ),
    *(
        ("domain", "marketplace/domain/planted.py", f"import {module}")
        for module in ("socket", "subprocess", "logging", "asyncio", "threading")
    ),
    ("layers", "marketplace/ledger/planted.py", "import marketplace.rentals"),
    ("layers", "marketplace/machines/planted.py", "import marketplace.placements"),
    ("layers", "marketplace/domain/planted.py", "import marketplace.env"),
    ("layers", "marketplace/helpers.py", "HELPS = True"),
    ("docker", "validator/planted.py", "import docker"),
    ("docker", "miner_agent/planted.py", "from docker import errors"),
    ("asyncssh", "marketplace/planted.py", "import asyncssh"),
    ("asyncssh", "validator/planted.py", "import asyncssh"),
    ("paramiko", "validator/planted.py", "import paramiko"),
    ("paramiko", "marketplace/rentals/planted.py", "import paramiko"),
    ("prometheus", "miner_agent/planted.py", "import prometheus_client"),
    ("stripe", "marketplace/payments/planted.py", "import stripe"),
    ("bittensor", "validator/planted.py", "import bittensor"),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the sources that may be spoilt."""
    folder = tmp_path_factory.mktemp("contracts")
    ignore = shutil.ignore_patterns("__pycache__", "migrations")
    for package in PACKAGES:
        shutil.copytree(TREE / package, folder / package, ignore=ignore)
    shutil.copy(TREE / "pyproject.toml", folder)
    return folder


def broken_contracts(folder: Path, *contracts: str) -> str:
    """Return the report of import-linter where a contract is broken, else nothing."""
    program = Path(sys.executable).parent / "lint-imports"
    only = [word for contract in contracts for word in ("--contract", contract)]
    done = subprocess.run(
        [str(program), "--config", "pyproject.toml", "--cache-dir", str(folder / "cache"), *only],
        cwd=folder,
        # The copy must be read, not the tree that is installed.
        env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode in (0, 1), done.stderr
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_every_contract_is_kept(copy: Path) -> None:
    assert broken_contracts(copy) == ""


@pytest.mark.parametrize(("contract", "path", "line"), PLANTED)
def test_a_planted_violation_breaks_its_contract(
    copy: Path, contract: str, path: str, line: str
) -> None:
    planted = copy / path
    planted.write_text(f'"""Planted."""\n\n{line}\n')
    try:
        report = broken_contracts(copy, contract)
    finally:
        planted.unlink()

    assert "BROKEN" in report, report
    assert "planted" in report or "helpers" in report


def test_no_contract_is_without_a_planted_violation() -> None:
    text = (TREE / "pyproject.toml").read_text()
    contracts = {line.split('"')[1] for line in text.splitlines() if line.startswith("id = ")}

    assert contracts == {contract for contract, _, _ in PLANTED}


def test_the_architecture_names_exactly_the_layers_that_there_are() -> None:
    text = (TREE / "docs/architecture.md").read_text()
    told = text.partition("a lower one only:")[2].partition(".\n")[0]
    contracts = tomllib.loads((TREE / "pyproject.toml").read_text())["tool"]["importlinter"]
    (layers,) = (one["layers"] for one in contracts["contracts"] if one["id"] == "layers")
    named = [[name.strip(" ()") for name in layer.split("|")] for layer in layers]
    there = [[name for name in layer if is_there(name)] for layer in named]
    assert [re.split(r",\s+", one.strip(" `\n")) for one in told.split(">")] == [
        layer for layer in there if layer
    ]


def is_there(name: str) -> bool:
    """Say whether the marketplace has the app or module; a layer may name a later one."""
    place = TREE / "marketplace"
    return (place / f"{name}.py").exists() or (place / name / "__init__.py").exists()
