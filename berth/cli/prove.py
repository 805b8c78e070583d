"""This will have a validator measure what a rental really is, from the inside."""

import os
import shlex
import subprocess

import typer

from berth.cli import output, session
from berth.cli.options import AsJson, RentalId
from berth.cli.ssh import Identity, command
from berth.client import Client
from berth.problem import Refused
from berth.proofs import Proof, carry
from berth.shapes import Rental
from berth.ssh import ssh_program
from berth.units import format_size, format_usd
from prover import bundle

#: what a shell says of a program that is not there
MISSING = 127
#: what ssh says where it cannot log in, or is ended or cut off
SSH_FAILED = 255
#: for ssh, whose program has ended
LEAVE_S = 5.0
END_WAIT_S = 20.0
END_LOOK_S = 0.2


def prove(*, rental_id: RentalId, identity: Identity = None, as_json: AsJson = False) -> None:
    """Have a validator prove a rental from inside, over your own SSH; it takes seconds.

    A prover runs in the rental meanwhile, as root and without a trace. It needs python3 there.
    What you run at the same time lowers the figures. Ends with 1 unless the proof has passed.
    """
    with session.client() as client:
        rental = session.find(client, rental_id)
        if rental.ssh is None:
            again = "" if rental.over else " Try again soon."
            raise Refused("not_ready", f"Rental {rental.id} is {rental.state}.{again}")
        argv = command(rental.id, rental.ssh, identity, [_remote(rental)])
        argv[0] = ssh_program(os.environ.get("PATH"))
        proof = client.proofs.ask(rental.id)
        if not as_json:
            output.note("A validator is asked to prove this rental; it may take a minute.")
        status, began = _run(client, rental, proof, argv)
        proof = _ended(client, rental, proof, status, began=began)
    if as_json:
        output.write_json(proof)
    else:
        _show(rental, proof)
    if proof.state != "passed":
        raise typer.Exit(1)


def _remote(rental: Rental) -> str:
    """Return the line for the rental's shell that starts the prover; its text follows as input."""
    asked = rental.resources
    limits = [f"--memory-bytes={asked.ram.capacity}"] if asked else []
    gpus = ["--gpus"] if asked and asked.gpu.count else []
    return "exec " + shlex.join(["python3", "-I", "-S", "-c", bundle.boot(), *limits, *gpus])


def _run(client: Client, rental: Rental, proof: Proof, argv: list[str]) -> tuple[int, bool]:
    """Carry the proof to its end; return ssh's exit status, and whether the prover said a line."""
    began = False
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as prover:
        try:
            if prover.stdin is not None:
                prover.stdin.write(bundle.line())
                prover.stdin.flush()
            began = carry(client.proofs, rental_id=rental.id, proof_id=proof.id, prover=prover) > 0
        except BrokenPipeError:
            # Its exit status says why it reads no more.
            pass
        except BaseException:
            client.proofs.give_up(rental.id, proof.id)
            raise
        try:
            return prover.wait(timeout=LEAVE_S), began
        except subprocess.TimeoutExpired:
            prover.terminate()
            return prover.wait(), began


def _ended(client: Client, rental: Rental, proof: Proof, status: int, *, began: bool) -> Proof:
    """Return the proof as it ended; its validator says so a moment after the prover is done."""
    if status == MISSING:
        client.proofs.give_up(rental.id, proof.id)
        sentence = f"Rental {rental.id} has no python3, which the prover needs. Install it there."
        raise Refused("python_missing", sentence)
    clock = session.CLOCK
    # ssh ends so, too, where the proof is over and it is told to leave.
    cut_off = status == SSH_FAILED
    until = clock.monotonic() + (0 if cut_off and not began else END_WAIT_S)
    while True:
        found = next((one for one in client.proofs.list(rental.id) if one.id == proof.id), proof)
        if found.over:
            return found
        if clock.monotonic() >= until:
            break
        clock.sleep(END_LOOK_S)
    if not cut_off:
        return found
    client.proofs.give_up(rental.id, proof.id)
    if began:
        raise Refused(
            "ssh_failed", f"ssh lost its connection to rental {rental.id}. Prove it again."
        )
    raise Refused(
        "ssh_failed", f"ssh could not log in to rental {rental.id}: name the key with -i."
    )


def _show(rental: Rental, proof: Proof) -> None:
    output.say(f"The proof {proof.state}. {proof.detail or ''}".strip())
    found = proof.measurement
    if found is None:
        return
    asked = rental.resources
    rows = {
        "CPUs": f"{found.cpus} proven" + (f" of {asked.cpu.count} rented" if asked else ""),
        "hashes": f"{found.cpu_hash_rate:,} a second",
        "memory": f"{format_size(found.memory_bytes_proven)} filled at once",
        "memory steps": f"{found.memory_step_rate:,} a second",
    }
    for gpu in found.gpus:
        rows[f"GPU {gpu.index}"] = (
            f"{gpu.name}, {format_size(gpu.vram_bytes_proven)} filled,"
            f" {gpu.bandwidth_mb_s:,} MB/s, {gpu.int8_gops:,} int8 Gop/s"
        )
    rows["validator"] = proof.validator or ""
    output.pairs(rows)
    if proof.sentence:
        back = proof.returned_microusd
        output.say(f"{proof.sentence} {f'{format_usd(back)} came back.' if back else ''}".strip())
