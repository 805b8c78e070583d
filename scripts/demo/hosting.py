"""This will show a machine's way into the market: enrolled, offered, verified, scored."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

from protocol import hotkey as hotkeys
from scripts.demo import programs
from scripts.demo.processes import Processes
from scripts.demo.programs import Place
from scripts.demo.site import Person
from scripts.step import step

#: what an hour of one CPU costs: a tenth of a cent a second, so that a short rental costs cents
PRICE_CPU = 3_600_000
#: what reservations take off, and the longest of them
DISCOUNTS = [{"days": 7, "discount_ppm": 50_000}, {"days": 30, "discount_ppm": 200_000}]
LONGEST_S = 31 * 86_400
#: of the machine's key, in the labels of what the agent makes
AGENT_NAME_CHARACTERS = 12
#: what the agent's check calls the limits of disks
DISKS = "disk-limits"
#: what a visitor may wonder about, of all that it finds
SHOWN = ("runc", "enrolled")
VERIFIED_S_MAX = 240
#: of this machine, on the marketplace
ADDRESS = "127.0.0.1"
#: exit statuses of ``inspect_machine`` that come with a report
LOOKED_AT = (0, 1)


class Hosting:
    """The host's machine, from nothing to its weight."""

    def __init__(
        self,
        *,
        host: Person,
        place: Place,
        processes: Processes,
        until: Callable[[Callable[[], Any], float, str], Any],
    ) -> None:
        self.host, self.place, self.processes, self._until = host, place, processes, until
        #: the agent's name on Docker's objects; empty before it has enrolled
        self.agent = ""
        #: without root they are not, and the agent says so
        self.disks_limited = False
        self._looking: subprocess.Popen[str] | None = None

    def enrol(self) -> None:
        """Sign up the host, enrol this machine and offer it."""
        with step("Sign up the host and enrol this machine") as tell:
            self.host.sign_up()
            token = self.host.call("POST", "/host/enrolment-tokens")["token"]
            agent = programs.python("miner_agent")
            tell(self.processes.run(*agent, "enroll", content=token).strip())
            checked = json.loads(self.processes.run(*agent, "check", "--json"))
            for one in checked:
                # How fast or lasting this machine is matters to a host, and not to a demo.
                if not one["passed"] and (one["isolates"] or one["id"] in SHOWN):
                    tell(one["sentence"])
            self.disks_limited = any(one["id"] == DISKS and one["passed"] for one in checked)
        with step("Start the agent and list the machine"):
            self.processes.start("agent", [*agent, "run", "--ephemeral"])
            machine = self._until(lambda: self._machine(online=True), 60, "the machine")
            self.agent = machine["machine_key"][:AGENT_NAME_CHARACTERS]
            path = f"/host/machines/{machine['id']}"
            self.host.call("PATCH", f"{path}/offer", _terms(machine))
            self._agree_to_earn(f"{path}/hotkey")

    def _agree_to_earn(self, path: str) -> None:
        """Name the hotkey that earns the machine's emission, with its signed consent."""
        miner = programs.keypair(programs.MINER_SEED)
        address = str(miner.ss58_address)
        consent = self.host.call("GET", f"{path}?hotkey={address}")
        signed = {
            "hotkey": address,
            "signed_at": consent["signed_at"],
            "signature": hotkeys.sign(miner, consent["text"].encode()),
        }
        self.host.call("POST", path, signed)

    def start_validator(self) -> None:
        """Start a validator, which looks at the machine at once."""
        with step("Start a validator"):
            validator = str(programs.keypair(programs.VALIDATOR_SEED).ss58_address)
            miner = str(programs.keypair(programs.MINER_SEED).ss58_address)
            for words in (
                ("add_validator", validator, "--name", "demo"),
                ("register_neuron", validator),
                ("register_neuron", miner),
            ):
                self.processes.run(*programs.manage(*words))
            self.processes.start("validator", programs.manage("run_validator"))

    def wait_until_verified(self) -> None:
        """Wait for the validator's verdict, and begin another inspection by hand."""
        with step("Verify the machine over SSH: facts, then a proof of its CPU") as tell:
            machine = self._until(
                lambda: self._machine(verdict="verified"), VERIFIED_S_MAX, "a verdict"
            )
            tell(f"{machine['cpu_model']}, {machine['cpus']} CPUs: verified")
        # It takes its time beside the next steps, as looks at other machines do.
        look = programs.manage("inspect_machine", ADDRESS, "--short")
        self._looking = self.processes.begin(*look)

    def read_report(self) -> None:
        """Read what the inspection by hand found."""
        with step("Read the report of a second inspection, made by hand") as tell:
            assert self._looking is not None
            written = self.processes.finish(self._looking, within_s=VERIFIED_S_MAX, well=LOOKED_AT)
            for line in written.splitlines():
                tell(line)
            machine_id = self.host.call("GET", "/host/machines")["items"][0]["id"]
            tell(f"Anyone reads it at {self.place.url}/machines/{machine_id}/verification/")
            tell("What each line means: docs/verification.md")

    def show_weights(self) -> None:
        """Show the machine's score and what it would be worth on the chain."""
        with step("Score the machine and show the weights it would get") as tell:
            scored = self._until(
                lambda: self._machine(scored=True), VERIFIED_S_MAX, "the validator's score"
            )
            tell(f"{scored['points_micro'] / 1e6:.6f} points (docs/validating.md says how)")
            factors = scored["factors_ppm"].items()
            tell(", ".join(f"{name} {ppm / 10_000:.2f} %" for name, ppm in factors))
            weights = self.processes.run(*programs.manage("set_weights", "--dry-run"))
            for line in weights.splitlines():
                tell(line)

    def _machine(
        self, *, online: bool = False, verdict: str = "", scored: bool = False
    ) -> dict[str, Any] | None:
        """Return the host's machine once it is so far."""
        for machine in self.host.call("GET", "/host/machines")["items"]:
            fits = (not online or machine["online"]) and verdict in ("", machine["verdict"])
            if fits and (not scored or machine["points_micro"] is not None):
                found: dict[str, Any] = machine
                return found
        return None

    def key(self) -> str:
        """Return the machine's public key."""
        return str(self.host.call("GET", "/host/machines")["items"][0]["machine_key"])


def _terms(machine: dict[str, Any]) -> dict[str, Any]:
    """Return what the host asks: one CPU costs PRICE_CPU an hour, with GPUs beside it or not."""
    unit = PRICE_CPU * machine["cpus"] // max(1, machine["gpus"])
    return {
        "price_cpu_hour_microusd": PRICE_CPU,
        "price_gpu_hour_microusd": unit,
        "bid_floor_microusd": (unit if machine["gpus"] else PRICE_CPU) // 10,
        "discounts": DISCOUNTS,
        "longest_term_s": LONGEST_S,
        "listed": True,
    }
