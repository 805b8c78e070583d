"""This will show what a machine does beside plain rentals: pages, files that stay, jobs."""

from collections.abc import Callable, Mapping
from typing import Any

import httpx

from scripts.demo import image
from scripts.demo.door import Door
from scripts.demo.processes import Ended
from scripts.demo.site import Person
from scripts.step import step

PORT_INSIDE = 8080
VOLUME = ENDPOINT = "demo"
#: what ``berth up`` is told beside the sizes
ASKED = ("--port", str(PORT_INSIDE), "--volume", f"{VOLUME}:/data:64MiB")
PAGE = "served from a volume"
WORDS = b"a job has no network\n"
#: reads its input, leaves an output, and exits as nothing else would
COMMAND = ("sh", "-c", "tr a-z A-Z </input/words.txt >/output/loud.txt; echo done; exit 7")
EXIT_CODE = 7
GREETING = "GREETING=ahoy"
FILES = "cd /; ls data/index.html root/copy.bin 2>/dev/null; true"
ANSWER = "answered by a replica"
SERVER = f"mkdir /www; echo {ANSWER} >/www/index.html; exec httpd -f -p {PORT_INSIDE} -h /www"
STEP_S_MAX = 90


class NotAsPromised(Exception):
    """Something came back otherwise than it should have."""


class Tour:
    """What a renter does with a rental that has a port and a volume, and with a job."""

    def __init__(
        self,
        *,
        renter: Person,
        berth: Callable[..., Any],
        door: Callable[[dict[str, Any]], Door],
        until: Callable[[Callable[[], Any], float, str], Any],
    ) -> None:
        self._renter = renter
        self._berth = berth
        self._door = door
        self._until = until

    def serve_a_page(self, rental: dict[str, Any]) -> None:
        """Serve a page from the rental's volume and read it from outside."""
        with step("Serve a page from its volume on its published port") as tell:
            self._door(rental).run(f"echo '{PAGE}' >/data/index.html; httpd -p 8080 -h /data")
            url = self._page(rental)
            tell(f"{url} says: {self._until(lambda: _read(url), STEP_S_MAX, 'the page')}")

    def stop_and_start(self, rental: dict[str, Any]) -> dict[str, Any]:
        """Stop the rental, start it again, and find its files; return it as it is then."""
        with step("Stop it, start it again: its files, ports and keys are the same") as tell:
            before = self._door(rental).run("sha256sum /root/copy.bin /data/index.html")
            self._berth("stop", str(rental["id"]), "--wait")
            started: dict[str, Any] = self._berth("start", str(rental["id"]), "--wait")
            if started["ssh"] != rental["ssh"] or self._page(started) != self._page(rental):
                raise NotAsPromised("its ports or its host key changed")
            after = self._door(started).run("sha256sum /root/copy.bin /data/index.html")
            if before != after:
                raise NotAsPromised("its files changed")
            tell(after.replace("  ", " ").replace("\n", ", "))
        return started

    def change_and_reset(self, rental: dict[str, Any]) -> None:
        """Give the rental another environment, and throw its files away."""
        name = str(rental["id"])
        with step("Change its environment: a new container, the same files") as tell:
            self._berth("change", name, "--env", GREETING, "--wait")
            said = self._until(
                lambda: self._try(rental, f"env | grep ^GREETING=; {FILES}"),
                STEP_S_MAX,
                "the change",
            )
            if said.split() != [GREETING, "data/index.html", "root/copy.bin"]:
                raise NotAsPromised(f"inside is {said!r}")
            tell(said.replace("\n", ", "))
        with step("Reset it: its files are gone, its volume is not") as tell:
            self._berth("reset", name)
            tell(self._until(lambda: self._fresh(rental), STEP_S_MAX, "the reset"))

    def run_a_job(self, rental: dict[str, Any]) -> None:
        """Run a job beside the rental: an input in, an output and an exit code out."""
        with step("Run a job beside it: a file in, no network, a file and a code out") as tell:
            digest = self._renter.upload("/blobs", WORDS)["digest"]
            job = self._renter.call(
                "POST",
                "/jobs",
                {
                    "offer_id": rental["offer_id"],
                    "image": image.NAME,
                    "command": COMMAND,
                    "inputs": [{"path": "words.txt", "digest": digest}],
                    "resources": resources(),
                    "run_limit_s": 300,
                },
            )
            ended = self._until(lambda: self._ended(job["id"]), STEP_S_MAX, "the job's end")
            loud = self._renter.download(f"/jobs/{job['id']}/outputs/loud.txt")
            if ended["exit_code"] != EXIT_CODE or loud != WORDS.upper():
                raise NotAsPromised(f"it exited with {ended['exit_code']} and left {loud!r}")
            cost = ended["cost_microusd"] / 1e6
            tell(f"exit code {EXIT_CODE}, {loud.decode().strip()}: ${cost:.6f}")

    def keep_an_endpoint(self) -> None:
        """Keep a program answering behind one address and one key, and ask it."""
        with step("Keep an endpoint beside it, and ask it through the gateway") as tell:
            asked = ("--image", image.NAME, "--port", str(PORT_INSIDE), "--price-max", "5")
            command = ("--wait", "--", "sh", "-c", SERVER)
            made = self._berth("endpoints", "create", ENDPOINT, *asked, *command)
            bearer = {"authorization": f"Bearer {made['key']}"}
            url = f"{made['url']}/index.html"
            tell(f"{url} says: {self._until(lambda: _read(url, bearer), STEP_S_MAX, 'an answer')}")
            if httpx.get(url, timeout=5).is_success:
                raise NotAsPromised("it answers without its key")
            self._berth("endpoints", "rm", ENDPOINT)

    def read_usage(self, rental: dict[str, Any]) -> None:
        """Read what the rental used; by now its machine has measured it, which it does in turns."""
        with step("Read what it uses, as its machine measured it") as tell:
            usage = self._until(lambda: self._points(str(rental["id"])), STEP_S_MAX, "a reading")
            tell(f"memory {usage[-1]['memory_bytes'] >> 10} KiB, {len(usage)} readings")

    def delete_volume(self) -> None:
        """Delete the volume, which has outlived its rental."""
        with step("Delete the volume, which outlived the rental"):
            self._until(self._deleted, STEP_S_MAX, "the volume's end")

    def _points(self, name: str) -> list[dict[str, Any]] | None:
        points: list[dict[str, Any]] = self._berth("usage", name)["points"]
        return points or None

    def _fresh(self, rental: dict[str, Any]) -> str | None:
        said = self._try(rental, FILES)
        return said if said == "data/index.html" else None

    def _try(self, rental: dict[str, Any], command: str) -> str | None:
        """Return what the command says; None while a new container takes the old one's place."""
        try:
            return self._door(rental).run(command)
        except Ended:
            return None

    def _deleted(self) -> bool | None:
        volumes = self._berth("volumes", "list")["items"]
        for volume in volumes:
            if volume["state"] != "deleting":
                self._berth("volumes", "rm", str(volume["id"]))
        return None if volumes else True

    def _ended(self, job_id: str) -> dict[str, Any] | None:
        job: dict[str, Any] = self._renter.call("GET", f"/jobs/{job_id}")
        return job if job["state"] in ("done", "failed") else None

    @staticmethod
    def _page(rental: dict[str, Any]) -> str:
        outside = next(port["outside"] for port in rental["ports"])
        return f"http://{rental['ssh']['host']}:{outside}/index.html"


def resources() -> dict[str, Any]:
    """Return what a small rental asks for."""
    sizes = {"hard_disk": {"capacity": 1 << 30}, "ram": {"capacity": 1 << 29}}
    return {"cpu": {"count": 1}, "gpu": {"count": 0}, **sizes}


def _read(url: str, headers: Mapping[str, str] | None = None) -> str | None:
    try:
        answer = httpx.get(url, headers=headers, timeout=5)
    except httpx.TransportError:
        return None
    return answer.text.strip() if answer.is_success else None
