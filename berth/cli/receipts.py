"""This will show a rental's receipts and check them on this computer."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from berth import receipts as proofs
from berth.cli import output, session
from berth.cli.options import AsJson, RentalId
from berth.client import RECEIPTS_BYTES_MAX
from berth.problem import Refused
from berth.shapes import Receipts
from berth.units import format_duration, format_usd

MachineKey = Annotated[
    str | None,
    typer.Option("--machine-key", metavar="HEX", help="The machine that must have signed."),
]


def receipts(
    *,
    rental_id: RentalId,
    verify: Annotated[bool, typer.Option("--verify", help="Check every signature here.")] = False,
    out: Annotated[Path | None, typer.Option(help="Keep them in this file.")] = None,
    machine_key: MachineKey = None,
    as_json: AsJson = False,
) -> None:
    """Show the intervals that the machine signed for a rental."""
    with session.client() as client:
        found = client.receipts(session.find(client, rental_id).id)
    if out is not None:
        _write(out, found)
    proof = proofs.check(found, machine_key=machine_key) if verify or machine_key else None
    if as_json:
        checked = {"proof": asdict(proof)} if proof else {}
        output.write_json({**found.model_dump(mode="json"), **checked})
        return
    if proof is None:
        _table(found)
    else:
        _show(proof)


def verify_receipt(
    *,
    file: Annotated[str, typer.Argument(metavar="FILE", help="From receipts --out; - is stdin.")],
    machine_key: MachineKey = None,
    as_json: AsJson = False,
) -> None:
    """Check saved receipts without asking anyone."""
    proof = proofs.check(proofs.read(_content(file)), machine_key=machine_key)
    if as_json:
        output.write_json(asdict(proof))
    else:
        _show(proof)


def _content(file: str) -> bytes:
    try:
        if file == "-":
            content = sys.stdin.buffer.read(RECEIPTS_BYTES_MAX + 1)
        else:
            with Path(file).open("rb") as opened:
                content = opened.read(RECEIPTS_BYTES_MAX + 1)
    except OSError as error:
        raise Refused("receipts_malformed", f"Cannot read {file}: {error.strerror}.") from error
    if len(content) > RECEIPTS_BYTES_MAX:
        raise Refused("receipts_malformed", f"{file} is larger than any receipts.")
    return content


def _write(out: Path, found: Receipts) -> None:
    try:
        out.write_text(json.dumps(found.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise Refused("cannot_write", f"Cannot write {out}: {error.strerror}.") from error


def _table(found: Receipts) -> None:
    rows = [
        (
            str(one.interval.sequence),
            str(one.interval.run),
            format_duration(one.interval.from_age_ms),
            format_duration(one.interval.to_age_ms),
            one.signature[:16] + "…",
        )
        for one in found.intervals
    ]
    columns = (">SEQUENCE", ">RUN", ">FROM", ">TO", "SIGNATURE")
    output.table(columns, rows, empty="The machine has signed nothing yet.")
    output.say(f"Billed {format_duration(found.billed_ms)}, {format_usd(found.cost_microusd)}")


def _show(proof: proofs.Proof) -> None:
    output.say("The receipts hold: every interval is signed, in order and without overlap.")
    output.pairs(
        {
            "Machine": proof.machine_key,
            "Placement": proof.placement_id or "-",
            "Intervals": str(proof.intervals),
            "Signed for": format_duration(proof.proven_ms),
            "Billed": f"{format_duration(proof.billed_ms)}, {format_usd(proof.cost_microusd)}",
        }
    )
