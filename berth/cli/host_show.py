"""This will enrol a host's machine, show what to mend of it, and appeal against its verdict."""

from collections.abc import Sequence
from typing import Annotated

import typer

from berth.cli import output, session
from berth.cli.hotkey import MachineId, find_machine
from berth.cli.options import AsJson
from berth.standing import Appeal, MachineFacts
from berth.units import format_points

#: in the order that the page of a machine has them
FACTORS = ("capacity", "efficiency", "uptime", "use", "refusal")
Words = Annotated[
    str | None,
    typer.Argument(metavar="[TEXT]", help="What the operator should know; lists them if left out."),
]


def token(*, as_json: AsJson = False) -> None:
    """Make the line that installs the agent on a bare machine and enrols it; run it there."""
    with session.client() as client:
        made = client.standing.enrolment_token()
    if as_json:
        output.write_json(made)
        return
    output.say(made.command)
    output.note(f"Good once, until {output.moment(made.expires_at)} UTC; whoever has it enrols.")


def show(*, machine: MachineId, as_json: AsJson = False) -> None:
    """Show a machine's verdict and score, what to mend, and what would raise the score."""
    with session.client() as client:
        found = client.standing.find(find_machine(client, machine).id)
    if as_json:
        output.write_json(found)
        return
    output.pairs(_lines(found))
    for one in found.remedies:
        output.say(f"- {' '.join(part for part in (one.text, one.remedy) if part)} [{one.source}]")
    if found.advice:
        output.say(found.advice)


def appeal(*, machine: MachineId, text: Words = None, as_json: AsJson = False) -> None:
    """Appeal for your suspended or banned machine, or list your appeals for it."""
    with session.client() as client:
        machine_id = find_machine(client, machine).id
        made = client.standing.appeal(machine_id, text) if text else None
        found = client.standing.appeals(machine_id) if made is None else (made,)
    if as_json:
        output.write_json(made or {"items": found})
    elif made is not None:
        output.say("Your appeal waits for the operator's answer.")
    else:
        _list(found)


def _list(found: Sequence[Appeal]) -> None:
    rows = [(output.moment(one.made_at), _outcome(one), one.answer or one.text) for one in found]
    output.table(("MADE (UTC)", "OUTCOME", "~WORDS"), rows, empty="You made no appeal for it.")


def _outcome(one: Appeal) -> str:
    if one.answered_at is None:
        return "waits"
    return "granted" if one.granted else "refused"


def _lines(found: MachineFacts) -> dict[str, str]:
    gpus = f"{found.gpus} x {found.gpu_model}, " if found.gpus else ""
    lines = {
        "Machine": f"{output.short(found.machine_id)}, {gpus}{found.cpus} CPUs",
        "Status": "online" if found.online else "offline",
        "Verdict": f"{found.state}: {found.meaning}" if found.meaning else found.state,
        "Since": f"{output.moment(found.since)} UTC" if found.since else "it is new, or just now",
        "Proof passed": f"{output.moment(found.proven_at)} UTC" if found.proven_at else "never",
        "Reliability": f"{found.uptime_ppm / 1_000_000:.4f} of 30 days",
    }
    score = found.score
    if score is None:
        return lines | {"Score": "not scored yet"}
    parts = [
        _factor(name, score.factors_ppm[name]) for name in FACTORS if name in score.factors_ppm
    ]
    points = f"{format_points(score.points_micro)} points in epoch {score.epoch}"
    return lines | {"Score": points, "Made of": ", ".join(parts)}


def _factor(name: str, ppm: int) -> str:
    return f"{name} {format_points(ppm)}" if name == "capacity" else f"{name} {ppm / 10_000:.3g} %"
