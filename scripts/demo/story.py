"""This will tell the story: a machine comes, is verified, is rented, is paid, gets its weight."""

import json
import secrets
import time
from typing import Any

from protocol import hotkey as hotkeys
from scripts.demo import image, programs, tour
from scripts.demo.door import Door
from scripts.demo.processes import Processes
from scripts.demo.programs import Place
from scripts.demo.site import Person, answers
from scripts.step import say, step, until

#: what the host asks for one CPU and one GPU, micro-USD an hour
PRICES = {"price_cpu_hour_microusd": 36_000, "price_gpu_hour_microusd": 500_000, "listed": True}
#: of the machine's key, in the labels of what the agent makes
AGENT_NAME_CHARACTERS = 12
#: what the agent's check calls the limits of disks
DISKS = "disk-limits"
#: what a visitor may wonder about, of all that it finds
SHOWN = ("runc", "enrolled")
VERIFIED_S_MAX = 120
ACTIVE_S_MAX = 90


class Story:
    """One run through the whole of Berth."""

    def __init__(self, *, place: Place, processes: Processes, began: float) -> None:
        self.place = place
        self.processes = processes
        self.began = began
        self.host = self._person("host")
        self.renter = self._person("renter")
        self.operator = self._person("operator")
        #: the agent's name on Docker's objects; empty before it has enrolled
        self.agent = ""
        #: without root they are not, and the agent says so
        self.disks_limited = False

    def tell_all(self) -> None:
        """Go through every step; the first that fails ends the story.

        :raises StepFailed: naming that step.
        """
        self._start_site()
        self._enrol_machine()
        self._verify_machine()
        self._sign_up_renter()
        rental = self._rent()
        self._use(rental)
        shown = tour.Tour(renter=self.renter, berth=self._berth, door=self._door, until=self._until)
        shown.serve_a_page(rental)
        rental = shown.stop_and_start(rental)
        shown.change_and_reset(rental)
        shown.run_a_job(rental)
        shown.keep_an_endpoint()
        self._end(rental)
        shown.delete_volume()
        self._show_money(rental)
        self._show_weights()

    def invite_operator(self) -> None:
        """Make the account of somebody who may look at everything in the operator's pages.

        :raises StepFailed: when the site does not make it.
        """
        with step("Make the operator's account"):
            words = programs.manage("create_account", self.operator.email, "--operator")
            self.processes.run(*words, content=self.operator.password)

    def close(self) -> None:
        """Close what the story opened."""
        for person in self.people().values():
            person.close()

    def people(self) -> dict[str, Person]:
        """Return everybody who can log in."""
        return {"renter": self.renter, "host": self.host, "operator": self.operator}

    def _person(self, name: str) -> Person:
        password = secrets.token_urlsafe(12)
        return Person(url=self.place.url, email=f"{name}@demo.berth.example", password=password)

    def _start_site(self) -> None:
        with step("Make the base image from this machine's busybox") as tell:
            tell(f"{image.NAME} {'imported' if image.make() else 'is there already'}")
        with step("Make the database"):
            self.processes.run(*programs.manage("migrate", "--verbosity", "0"), within_s=120)
        with step("Start the web site, the scheduler and the gateway"):
            self.processes.start("web", programs.web(self.place))
            self.processes.start("scheduler", programs.manage("run_scheduler"))
            self.processes.start("gateway", programs.gateway(self.place))
            self._until(lambda: answers(self.place.url), 60, "the sign-up page")

    def _enrol_machine(self) -> None:
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
            self.host.call("PATCH", f"{path}/offer", PRICES)
            self._agree_to_earn(path, machine["machine_key"])

    def _agree_to_earn(self, path: str, machine_key: str) -> None:
        """Name the hotkey that earns the machine's emission, with its signed consent."""
        miner = programs.keypair(programs.MINER_SEED)
        consent = hotkeys.sign(miner, f"berth-hotkey/1\n{machine_key}".encode())
        body = {"hotkey": str(miner.ss58_address), "signature": consent}
        self.host.call("POST", f"{path}/hotkey", body)

    def _verify_machine(self) -> None:
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
        with step("Verify the machine over SSH: facts, then a proof of its CPU") as tell:
            machine = self._until(
                lambda: self._machine(verdict="verified"), VERIFIED_S_MAX, "a verdict"
            )
            tell(f"{machine['cpu_model']}, {machine['cpus']} CPUs: verified")

    def _sign_up_renter(self) -> None:
        with step("Sign up the renter, with a fresh SSH key and test credit"):
            self.renter.sign_up()
            identity = self.place.cli_folder / "id_ed25519"
            words = ("-q", "-t", "ed25519", "-N", "", "-C", "demo", "-f", str(identity))
            self.processes.run("ssh-keygen", *words)
            login = ("login", "--email", self.renter.email, "--password-stdin")
            self._berth(*login, "--url", self.place.url, content=f"{self.renter.password}\n")
            self._berth("keys", "add", f"{identity}.pub")
            self._berth("topup", "5.00")

    def _rent(self) -> dict[str, Any]:
        with step("Rent 1 CPU, 1 GiB of memory, 2 GiB of disk, a port, a volume") as tell:
            clicked = time.monotonic()
            asked = ("--cheapest", "--image", image.NAME, "--cpus", "1", "--lease", "1h")
            sizes = ("--ram", "1GiB", "--disk", "2GiB")
            rental: dict[str, Any] = self._berth("up", *asked, *sizes, *tour.ASKED)
            tell(f"rental {rental['id']}, at most ${rental['worst_total_microusd'] / 1e6:.4f}")
        with step("Wait for its SSH banner") as tell:
            active: dict[str, Any] = self._until(
                lambda: self._rental(rental["id"], "active"), ACTIVE_S_MAX, "the SSH door"
            )
            banner = self._until(self._door(active).banner, 10, "the SSH banner")
            tell(f"{banner}, {time.monotonic() - clicked:.1f} s after the click")
        say(f"rented in {time.monotonic() - self.began:.1f} s")
        return active

    def _use(self, rental: dict[str, Any]) -> None:
        door = self._door(rental)
        with step("Log in with OpenSSH and look at the limits from inside") as tell:
            for line in door.check_limits(disk=self.disks_limited):
                tell(line)
        with step("Copy a file in and out with scp") as tell:
            tell(door.copy_in_and_out())

    def _end(self, rental: dict[str, Any]) -> None:
        with step("End the rental") as tell:
            self._berth("end", rental["id"])
            ended = self._until(lambda: self._rental(rental["id"], "ended"), 60, "its end")
            tell(f"billed {ended['billed_ms'] / 1000:.1f} s: ${ended['cost_microusd'] / 1e6:.6f}")

    def _show_money(self, rental: dict[str, Any]) -> None:
        with step("Read the ledger: it sums to zero") as tell:
            for person in (self.renter, self.host):
                for line in self._manage("statement", person.email).splitlines():
                    tell(line)
            tell(self._manage("ledger_audit").strip())
        with step("Verify the machine's signed receipts without asking anyone") as tell:
            file = self.place.cli_folder / "receipts.json"
            self._berth("receipts", rental["id"], "--out", str(file))
            proof = self._berth("verify-receipt", str(file), "--machine-key", self._machine_key())
            if not proof["intervals"]:
                raise ValueError("there is no signed interval")
            tell(
                f"{proof['intervals']} signed intervals prove {proof['proven_ms']} ms;"
                f" billed {proof['billed_ms']} ms"
            )

    def _show_weights(self) -> None:
        with step("Score the machine and show the weights it would get") as tell:
            scored = self._until(
                lambda: self._machine(scored=True), VERIFIED_S_MAX, "the validator's score"
            )
            tell(f"{scored['points_micro'] / 1e6:.6f} points from {scored['factors_ppm']}")
            for line in self._manage("set_weights", "--dry-run").splitlines():
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

    def _machine_key(self) -> str:
        return str(self.host.call("GET", "/host/machines")["items"][0]["machine_key"])

    def _rental(self, rental_id: str, state: str) -> dict[str, Any] | None:
        """Return the rental once it is in ``state``.

        :raises ValueError: when it ended instead.
        """
        rental: dict[str, Any] = self.renter.call("GET", f"/rentals/{rental_id}")
        if rental["state"] == state:
            return rental
        if rental["state"] in ("ended", "failed"):
            raise ValueError(f"the rental {rental['state']}: {rental['reason']}")
        return None

    def _door(self, rental: dict[str, Any]) -> Door:
        return Door(
            ssh=rental["ssh"],
            identity=self.place.cli_folder / "id_ed25519",
            folder=self.place.cli_folder,
            processes=self.processes,
        )

    def _berth(self, *words: str, content: str | None = None) -> Any:
        """Run the renter's terminal and return its JSON."""
        # What comes after -- is not for berth.
        end = words.index("--") if "--" in words else len(words)
        command = programs.python("berth", *words[:end], "--json", *words[end:])
        written = self.processes.run(*command, content=content)
        return json.loads(written) if written.strip() else None

    def _manage(self, *words: str) -> str:
        return self.processes.run(*programs.manage(*words))

    def _until(self, check: Any, within_s: float, waiting_for: str) -> Any:
        """Wait, and notice when one of the programs has ended instead."""

        def checked() -> Any:
            self.processes.check()
            return check()

        return until(checked, within_s=within_s, waiting_for=waiting_for)
