"""This will tell the story: a machine comes, is verified, is rented, is paid, gets its weight."""

import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

from berth.units import format_usd
from scripts.demo import auction, image, programs, purse, tour
from scripts.demo.door import Door
from scripts.demo.hosting import Hosting
from scripts.demo.payday import Payday
from scripts.demo.processes import Processes
from scripts.demo.programs import Place
from scripts.demo.purse import Purse
from scripts.demo.site import Person, answers
from scripts.step import say, step, until

ACTIVE_S_MAX = 90
ENDED_S_MAX = 90
#: it pays for a few minutes of any machine
RIVALS_MICROUSD = 50_000_000


class Story:
    """One run through the whole of Berth."""

    def __init__(self, *, place: Place, processes: Processes, began: float) -> None:
        self.place = place
        self.processes = processes
        self.began = began
        self.host = self._person("host")
        self.renter = self._person("renter")
        self.rival = self._person("rival")
        self.operator = self._person("operator")
        self.hosting = Hosting(host=self.host, place=place, processes=processes, until=self._until)
        self.purse = Purse(
            renter=self.renter, folder=place.cli_folder, berth=self._berth, until=self._until
        )
        self.payday = Payday(host=self.host, until=self._until)

    def tell_all(self) -> None:
        """Go through every step; the first that fails ends the story.

        :raises StepFailed: naming that step.
        """
        self._start_site()
        self.hosting.enrol()
        self.hosting.start_validator()
        # It takes its time beside this.
        self.payday.connect_bank()
        self.hosting.wait_until_verified()
        self._sign_up_renter()
        self.hosting.read_report()
        offer_id = self.renter.call("GET", "/offers")["items"][0]["id"]
        self.purse.ask_prices(offer_id, tour.resources())
        rental = self._rent()
        self._use(rental)
        shown = tour.Tour(renter=self.renter, berth=self._berth, door=self._door, until=self._until)
        shown.serve_a_page(rental)
        rental = shown.stop_and_start(rental)
        self._be_outbid(rental, shown)
        shown.run_a_job(rental)
        shown.keep_an_endpoint()
        shown.read_usage(rental)
        ended = self._end(rental)
        shown.delete_volume()
        self._show_money(ended)
        self.hosting.show_weights()

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
        return {
            "renter": self.renter,
            "rival": self.rival,
            "host": self.host,
            "operator": self.operator,
        }

    def _person(self, name: str) -> Person:
        password = secrets.token_urlsafe(12)
        return Person(url=self.place.url, email=f"{name}@demo.berth.example", password=password)

    def _start_site(self) -> None:
        with step("Make the base image from this machine's busybox") as tell:
            tell(f"{image.NAME} {'imported' if image.make() else 'is there already'}")
        with step("Make the database"):
            self.processes.run(*programs.manage("migrate", "--verbosity", "0"), within_s=600)
        with step("Start site, scheduler, gateway and a stand-in of Stripe"):
            self.processes.start("stripe", programs.stripe(self.place))
            self.processes.start("web", programs.web(self.place))
            self.processes.start("scheduler", programs.manage("run_scheduler"))
            self.processes.start("gateway", programs.gateway(self.place))
            self._until(lambda: answers(self.place.url), 60, "the sign-up page")

    def _sign_up_renter(self) -> None:
        with step("Sign up the renter, with a fresh SSH key, and a rival"):
            self.renter.sign_up()
            self.rival.sign_up()
            grant = ("grant_credit", self.renter.email, purse.CREDIT, "--days", "30")
            granting = self.processes.begin(*programs.manage(*grant, "--note", "Welcome"))
            identity = self.place.cli_folder / "id_ed25519"
            words = ("-q", "-t", "ed25519", "-N", "", "-C", "demo", "-f", str(identity))
            self.processes.run("ssh-keygen", *words)
            login = ("login", "--email", self.renter.email, "--password-stdin")
            self._berth(*login, "--url", self.place.url, content=f"{self.renter.password}\n")
            self._berth("keys", "add", f"{identity}.pub")
            key = identity.with_suffix(".pub").read_text()
            self.rival.call("POST", "/ssh-keys", {"name": "demo", "public_key": key})
            purse.save_card(self.rival)
            self.rival.call("POST", "/top-ups", {"amount_microusd": RIVALS_MICROUSD})
        self.purse.pay_in()
        self.processes.finish(granting)
        self.purse.see_credit()

    def _rent(self) -> dict[str, Any]:
        with step("Rent 1 CPU, 1 GiB of memory, 2 GiB of disk, a port, a volume") as tell:
            clicked = time.monotonic()
            asked = ("--cheapest", "--image", image.NAME, "--cpus", "1", "--lease", "1h")
            sizes = ("--ram", "1GiB", "--disk", "2GiB")
            rental: dict[str, Any] = self._berth("up", *asked, *sizes, *tour.ASKED)
            worst = format_usd(rental["worst_total_microusd"])
            tell(f"rental {rental['id']}: {worst}, the most it can cost, is set aside")
        with step("Wait for its SSH banner") as tell:
            active: dict[str, Any] = self._until(
                lambda: self._rental(rental["id"], "active"), ACTIVE_S_MAX, "the SSH door"
            )
            banner = self._until(self._door(active).banner, 60, "the SSH banner")
            tell(f"{banner}, {time.monotonic() - clicked:.1f} s after the click")
            burn = active["burn_hour_microusd"]
            second = f"${burn / 3600 / 1e6:.6f} a second"
            hour = format_usd(burn)
            tell(f"it costs {hour} an hour: {hour} / 3600 s = {second}")
        say(f"rented in {time.monotonic() - self.began:.1f} s")
        return active

    def _use(self, rental: dict[str, Any]) -> None:
        door = self._door(rental)
        with step("Log in with OpenSSH and look at the limits from inside") as tell:
            for line in door.check_limits(disk=self.hosting.disks_limited):
                tell(line)
        with step("Copy a file in and out with scp") as tell:
            tell(door.copy_in_and_out())

    def _be_outbid(self, rental: dict[str, Any], shown: tour.Tour) -> None:
        bids = auction.Auction(
            renter=self.renter,
            rival=self.rival,
            berth=self._berth,
            door=self._door,
            until=self._until,
        )
        bids.rent(rental["offer_id"])
        bids.outbid()
        # While its notice runs, the other one goes on.
        shown.change_and_reset(rental)
        self.purse.pass_a_limit(rental)
        bids.come_back()
        bids.end()

    def _end(self, rental: dict[str, Any]) -> dict[str, Any]:
        with step("End the rental") as tell:
            self._berth("end", rental["id"])
            ended: dict[str, Any] = self._until(
                lambda: self._rental(rental["id"], "ended"), ENDED_S_MAX, "its end"
            )
            billed_s, cost = ended["billed_ms"] / 1000, format_usd(ended["cost_microusd"])
            tell(f"billed {billed_s:.1f} s: {cost}; what was set aside beyond it is back")
        return ended

    def _show_money(self, rental: dict[str, Any]) -> None:
        self.purse.read_bill(rental)
        with step("Verify the machine's signed receipts without asking anyone") as tell:
            file = self.place.cli_folder / "receipts.json"
            self._berth("receipts", rental["id"], "--out", str(file))
            proof = self._berth("verify-receipt", str(file), "--machine-key", self.hosting.key())
            if not proof["intervals"]:
                raise ValueError("there is no signed interval")
            cost = format_usd(proof["cost_microusd"])
            tell(
                f"{proof['intervals']} signed intervals prove {proof['proven_ms']} ms;"
                f" billed {proof['billed_ms']} ms, {cost}"
            )
        self.purse.settle()
        self.payday.read_earnings()
        with step("Let Friday and the month's end come: a payout, an invoice") as tell:
            when = json.loads(self.processes.run(*programs.python("scripts.demo.later")))
            tell(self.payday.see_payout(when))
            for line in (*self.purse.keep_paper("invoice"), *self.purse.keep_paper("receipt")):
                tell(line)
        with step("Audit the books: each account against its transfers") as tell:
            tell(self.processes.run(*programs.manage("ledger_audit")).strip())

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

    def _door(self, rental: Mapping[str, Any]) -> Door:
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

    def _until(self, check: Any, within_s: float, waiting_for: str) -> Any:
        """Wait, and notice when one of the programs has ended instead."""

        def checked() -> Any:
            self.processes.check()
            return check()

        return until(checked, within_s=within_s, waiting_for=waiting_for)
