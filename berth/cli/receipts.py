"""This will show a rental's receipts and check them on this computer."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, TextIO

import typer

from berth import receipts as proofs
from berth.bills import Receipts
from berth.cli import output, session
from berth.cli.options import AsJson, RentalId
from berth.problem import Refused
from berth.shapes import Rental
from berth.units import format_duration, format_usd

#: saved receipts of a month in ten-second intervals stay below this
FILE_BYTES_MAX = 256 << 20
MachineKey = Annotated[
    str | None,
    typer.Option("--machine-key", metavar="HEX", help="The machine that must have signed."),
]


def receipts(
    *,
    rental_id: RentalId,
    verify: Annotated[bool, typer.Option("--verify", help="Check every signature here.")] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep them in this file.")
    ] = None,
    machine_key: MachineKey = None,
    as_json: AsJson = False,
) -> None:
    """Show the intervals that the machine signed for a rental."""
    shown: list[Receipts] = []
    with session.client() as client, _saved(out) as save:
        rental = session.find(client, rental_id)
        check = _check(rental, machine_key) if verify or machine_key else None
        for page in client.receipts(rental.id):
            save(page)
            if check is not None:
                check.add(page)
            if check is None or as_json:
                shown.append(page)
    proof = check.proof() if check else None
    if as_json:
        checked = {"proof": asdict(proof)} if proof else {}
        output.write_json({**_joined(shown).model_dump(mode="json"), **checked})
    elif proof is None:
        _table(_joined(shown))
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


def _check(rental: Rental, machine_key: str | None) -> proofs.Check:
    return proofs.Check(
        machine_key=machine_key,
        placement_id=rental.placement_id,
        wall_ms=proofs.wall_ms(rental),
    )


def _content(file: str) -> bytes:
    try:
        if file == "-":
            content = sys.stdin.buffer.read(FILE_BYTES_MAX + 1)
        else:
            with Path(file).open("rb") as opened:
                content = opened.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise Refused("receipts_malformed", f"Cannot read {file}: {error.strerror}.") from error
    if len(content) > FILE_BYTES_MAX:
        raise Refused("receipts_malformed", f"{file} is larger than any receipts.")
    return content


@contextmanager
def _saved(out: Path | None) -> Iterator[Callable[[Receipts], None]]:
    """Yield what writes page after page into one file, or nowhere."""
    if out is None:
        yield lambda page: None
        return
    try:
        with out.open("w", encoding="utf-8") as file:
            yield (writer := _Writer(file)).add
            writer.end()
    except OSError as error:
        raise Refused("cannot_write", f"Cannot write {out}: {error.strerror}.") from error


class _Writer:
    """Writes one JSON document, of which no more than a page is in memory."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._newest: Receipts | None = None
        self._file.write('{"intervals": [')

    def add(self, page: Receipts) -> None:
        for number, signed in enumerate(page.intervals):
            first = self._newest is None and number == 0
            self._file.write(("\n" if first else ",\n") + signed.model_dump_json())
        self._newest = page

    def end(self) -> None:
        if self._newest is not None:
            about = self._newest.model_dump(mode="json", exclude={"intervals", "next_cursor"})
            self._file.write("\n], " + json.dumps(about)[1:] + "\n")


def _joined(pages: Sequence[Receipts]) -> Receipts:
    intervals = tuple(signed for page in pages for signed in page.intervals)
    return pages[-1].model_copy(update={"intervals": intervals})


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
    output.say(
        "The receipts hold: every interval is signed, in order and without overlap,"
        " and what was charged is each price times its time."
    )
    output.pairs(
        {
            "Machine": _signer(proof),
            "Placement": proof.placement_id or "-",
            "Intervals": str(proof.intervals),
            "Signed for": format_duration(proof.proven_ms),
            "Billed": f"{format_duration(proof.billed_ms)}, {format_usd(proof.cost_microusd)}",
        }
    )


def _signer(proof: proofs.Proof) -> str:
    if proof.key_vouched:
        return proof.machine_key
    return (
        f"signed by key {proof.machine_key}, which nobody vouched for: name the one that must have"
        " signed with --machine-key"
    )
