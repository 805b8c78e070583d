"""This will speak the marketplace's REST shapes on a real loopback port: a fake at the doorway."""

import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocol.hotkey_consent import HotkeyConsent
from protocol.receipts import GENESIS, Interval, SignedInterval, digest, sign_interval
from protocol.signing import openssh_public_key, public_key_of
from tests.berth.pricing import price_hour, price_of, quote
from tests.berth.usage import told

API_KEY = "brt_test_key"
PASSWORD = "a long password"
PAGE, NOT_TOLD = 2, object()
#: what a rental's reply says in another shape, or never
ASKED_ONLY = ("ports", "volumes", "registry_login", "price_type", "traffic_bytes_max")
MACHINE = Ed25519PrivateKey.from_private_bytes(b"m" * 32)
DOOR = Ed25519PrivateKey.from_private_bytes(b"d" * 32)


class Refusal(Exception):
    """A problem+json answer."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail


@dataclass
class Seen:
    """One request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Fault:
    """What the next request meets instead of an answer: ``drop`` after doing it, or raw bytes."""

    drop: bool = False
    status: int = 200
    content: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def offer(offer_id: str, price: int, **changes: object) -> dict[str, Any]:
    """Return an offer of a CPU machine."""
    return {
        "id": offer_id,
        "machine_id": str(uuid.uuid5(uuid.NAMESPACE_DNS, offer_id)),
        "gpu_model": "",
        "gpus": 0,
        "gpus_free": 0,
        "vram_bytes": 0,
        "cpu_model": "Test CPU",
        "cpus_free": 4,
        "ram_bytes_free": 8 << 30,
        "disk_bytes_free": 50 << 30,
        "price_gpu_hour_microusd": 0,
        "price_cpu_hour_microusd": price,
        "price_hour_microusd": price,
        "bid_floor_microusd": 1000,
        "longest_term_s": 86400,
        "verified": True,
        "online": True,
        "cpu_hash_rate": 1000,
        "value_microusd": 12,
        **changes,
    }


def chain(placement_id: str, count: int = 3) -> list[SignedInterval]:
    """Return intervals of one second, really signed by MACHINE."""
    intervals: list[SignedInterval] = []
    previous = GENESIS
    for sequence in range(count):
        interval = Interval(
            machine_key=public_key_of(MACHINE),
            placement_id=uuid.UUID(placement_id),
            sequence=sequence,
            previous=previous,
            run=1,
            from_age_ms=sequence * 1000,
            to_age_ms=(sequence + 1) * 1000,
            nonce="n",
        )
        intervals.append(sign_interval(MACHINE, interval))
        previous = digest(interval)
    return intervals


def _told(asked: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if name not in ASKED_ONLY}


class Market:
    """One renter's account at a marketplace, in memory."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.faults: deque[Fault | None] = deque()  # None: no fault
        self.refusals: dict[tuple[str, str], Refusal] = {}
        self.foretold: dict[str, str] | None = None
        self.offers = [offer("offer-a", 40_000), offer("offer-b", 20_000), offer("offer-c", 60_000)]
        self.keys: list[dict[str, Any]] = []
        self.rentals: dict[str, dict[str, Any]] = {}
        self.idempotent: dict[str, str] = {}
        #: the states that a rental shows at each next look
        self.script = ["preparing", "active"]
        self.failure, self.billed_ms = "", 2_500
        self.failover: dict[str, Any] | None = None
        #: of the second step, and whether offers are shown to strangers
        self.code, self.public = "", False
        #: by how much a CPU-hour costs more when it is rented than when it was looked at
        self.raised_by = 0
        self.limits: dict[str, Any] = {"day_microusd": None, "month_microusd": None}
        self.idle_refusal: Refusal | None = None
        self.volumes: list[dict[str, Any]] = []
        #: the host's machines, and what is changed in the text that a hotkey is to sign
        self.machines: list[dict[str, str]] = []
        self.consent_says: dict[str, str] = {}
        #: what a host earned, and is paid
        self.hosting: dict[str, Any] = {}
        self.payment = {"state": "paid", "reason": ""}
        #: what is answered, by method and path, where a test needs no more of a marketplace
        self.told: dict[tuple[str, str], Any] = {}

    def answer(self, seen: Seen) -> tuple[int, Any]:
        """Return status and body of one request."""
        if seen.path == "/auth/key":
            if seen.body["password"] != PASSWORD:
                raise Refusal(401, "unauthenticated", "E-mail or password is wrong.")
            if seen.body.get("code", "") != self.code:
                code = "wrong_code" if "code" in seen.body else "code_required"
                raise Refusal(401, code, "Give the right code.")
            return 201, {"key": API_KEY}
        open_to_all = self.public and seen.path == "/offers"
        if not open_to_all and seen.headers.get("authorization") != f"Bearer {API_KEY}":
            raise Refusal(401, "unauthenticated", "This API key is not known.")
        refusal = self.refusals.get((seen.method, seen.path))
        if refusal:
            raise refusal
        if (told := self.told.get((seen.method, seen.path), NOT_TOLD)) is not NOT_TOLD:
            return 200, told.popleft() if isinstance(told, deque) else told
        parts = seen.path.strip("/").split("/")
        return getattr(self, "_" + parts[0].replace("-", "_"))(seen, parts[1:])

    def _me(self, seen: Seen, parts: list[str]) -> tuple[int, Any]:
        return 200, {
            "email": "alice@example.com",
            "balance_microusd": 9_500_000,
            "held_microusd": 1,
            "credit": [
                {"left_microusd": 500_000, "expires_at": "2026-04-01T00:00:00Z", "note": "Hello"}
            ],
        }

    def _host(self, seen: Seen, parts: list[str]) -> tuple[int, Any]:
        if parts[0] in self.hosting:
            return 200, self.hosting[parts[0]]
        if len(parts) == 1:
            return 200, {"items": self.machines}
        machine = next(one for one in self.machines if one["id"] == parts[1])
        if seen.method == "POST":
            machine["miner_hotkey"] = seen.body["hotkey"]
            return 204, None
        told = {
            "marketplace": f"http://{seen.headers['host']}",
            "account": "alice@example.com",
            "machine_key": machine["machine_key"],
            "hotkey": seen.query["hotkey"],
            "signed_at": "2026-03-01T12:00:00Z",
            **self.consent_says,
        }
        text = HotkeyConsent.model_validate(told).text()
        return 200, {"text": text, "signed_at": told["signed_at"]}

    def _ssh_keys(self, seen: Seen, parts: list[str]) -> tuple[int, Any]:
        if seen.method == "POST":
            key = {"id": len(self.keys) + 1, "fingerprint": f"SHA256:{len(self.keys)}", **seen.body}
            self.keys.append(key)
            return 201, key
        if seen.method == "DELETE":
            self.keys = [key for key in self.keys if str(key["id"]) != parts[0]]
            return 204, None
        return 200, self.keys

    def _offers(self, seen: Seen, parts: list[str]) -> tuple[int, Any]:
        if parts[1:] == ["quote"]:
            return 200, quote(self._offer(parts[0]), seen.body)
        if parts:
            return 200, self._priced(self._offer(parts[0]), seen)
        found = [
            one for one in self.offers if one["cpus_free"] >= int(seen.query.get("cpus_min", 0))
        ]
        if seen.query.get("verified") == "true":
            found = [one for one in found if one["verified"]]
        found.sort(key=lambda one: one["price_hour_microusd"])
        start = int(seen.query.get("cursor", 0))
        more = str(start + PAGE) if start + PAGE < len(found) else None
        page = [self._priced(one, seen) for one in found[start : start + PAGE]]
        return 200, {"items": page, "next_cursor": more}

    def _priced(self, one: dict[str, Any], seen: Seen) -> dict[str, Any]:
        return one | {"price_asked_hour_microusd": price_hour(one, seen.query)}

    def _offer(self, offer_id: str) -> dict[str, Any]:
        for one in self.offers:
            if one["id"] == offer_id:
                return one
        raise Refusal(404, "not_found", "There is no such offer.")

    def _rentals(self, seen: Seen, parts: list[str]) -> tuple[int, Any]:
        if not parts:
            return self._rent(seen) if seen.method == "POST" else self._list(seen)
        rental = self.rentals.get(parts[0])
        if rental is None:
            raise Refusal(404, "not_found", "There is no such rental.")
        if seen.method == "DELETE" and parts[1:] == ["idle-rule"]:
            rental["idle_rule"] = None
            return 204, None
        if seen.method == "DELETE":
            if rental["state"] not in ("ended", "failed"):
                raise Refusal(409, "rental_live", "End it first.")
            del self.rentals[parts[0]]
            return 204, None
        if seen.method == "PATCH":
            rental.update({"edition": 1, "change": {"pending": True}, **_told(seen.body)})
        elif parts[1:] in (["stop"], ["start"]):
            state = "stopping" if parts[1] == "stop" else "queued"
            script = ["stopped"] if parts[1] == "stop" else ["starting", "active"]
            rental.update(state=state, script=script)
        elif parts[1:] in (["restart"], ["reset"]):
            rental["progress"] = parts[1]
        elif parts[1:] == ["ssh-keys"]:
            ids = seen.body["ssh_key_ids"]
            chosen = [key for key in self.keys if ids is None or key["id"] in ids]
            rental["ssh_keys"] = [key["fingerprint"] for key in chosen]
        elif parts[1:] == ["bid"]:
            rental.update(seen.body, bids_from_microusd=21_000)
        elif parts[1:] == ["idle-rule"]:
            if self.idle_refusal:
                raise self.idle_refusal
            rental["idle_rule"] = {"below_percent": 5} | seen.body
            return 200, rental["idle_rule"]
        elif parts[1:] == ["end"]:
            rental.update(state="ending", script=["ended"])
        elif parts[1:] == ["extend"]:
            rental["worst_total_microusd"] = seen.body.get("cap_microusd", 80_000)
        elif parts[1:] in (["usage"], ["events"]):
            return 200, told(parts[1], seen.query)
        elif parts[1:] == ["receipts"]:
            return 200, self._receipts(parts[0], int(seen.query["cursor"]))
        elif rental.get("change", {}).get("pending"):
            rental["change"] = {"pending": False, "problem": self.failure}
        elif rental["script"]:
            self._become(rental, rental["script"].pop(0))
        return 200, rental

    def _rent(self, seen: Seen) -> tuple[int, Any]:
        key = seen.headers["idempotency-key"]
        if key not in self.idempotent:
            refusal = self.refusals.get(("RENT", seen.body["offer_id"]))
            if refusal:
                raise refusal
            ceiling = seen.body["price_hour_microusd_max"]
            one = self._offer(seen.body["offer_id"])
            raised = one["price_cpu_hour_microusd"] + self.raised_by
            price = price_of(one | {"price_cpu_hour_microusd": raised}, seen.body["resources"])
            if ceiling is not None and price > ceiling:
                raise Refusal(409, "price_raised", "This costs more now.")
            self.idempotent[key] = self.add_rental(**_told(seen.body))["id"]
        return 201, self.rentals[self.idempotent[key]]

    def add_rental(self, **request: Any) -> dict[str, Any]:
        """Return a new rental, queued."""
        rental_id = str(uuid.uuid4())
        rental = {
            "id": rental_id,
            "placement_id": rental_id,
            "state": "queued",
            "progress": "",
            "reason": "",
            "machine_id": str(uuid.uuid4()),
            "image": "debian:12",
            "resources": None,
            "price_hour_microusd": 20_000,
            "worst_total_microusd": 40_000,
            "cost_microusd": 13,
            "started_at": "2026-01-01T00:00:00Z",
            "active_at": None,
            "ends_at": "2126-01-01T00:00:00Z",
            "ended_at": None,
            "billed_ms": 0,
            "ssh": None,
            "expected": self.foretold,
            "script": list(self.script),
            **request,
        }
        self.rentals[rental["id"]] = rental
        return rental

    def _become(self, rental: dict[str, Any], state: str) -> None:
        rental["state"] = state
        rental["ssh"] = None
        if state == "failed":
            rental |= {"reason": self.failure, "failover": self.failover}
        if state == "active":
            rental["ssh"] = {
                "host": "127.0.0.1",
                "port": 40022,
                "user": "root",
                "host_key": openssh_public_key(public_key_of(DOOR)),
                "command": "ssh -p 40022 root@127.0.0.1",
            }

    def _list(self, seen: Seen) -> tuple[int, Any]:
        everything = seen.query["state"] == "all"
        live = [one for one in self.rentals.values() if one["state"] not in ("ended", "failed")]
        return 200, {"items": list(self.rentals.values()) if everything else live}

    def _receipts(self, rental_id: str, start: int) -> dict[str, Any]:
        signed = [one.model_dump(mode="json") for one in chain(rental_id)]
        return {
            "machine_key": public_key_of(MACHINE),
            "intervals": signed[start : start + PAGE],
            "billed_ms": self.billed_ms,
            "cost_microusd": 13,
            "periods": [
                {
                    "price_hour_microusd": 20_000,
                    "from_ms": 0,
                    "ms": self.billed_ms,
                    "cost_microusd": 13,
                }
            ],
            "charges": [{"day": "2026-01-01", "amount_microusd": 13}],
            "next_cursor": start + PAGE if start + PAGE < len(signed) else None,
        }

    def _volumes(self, seen: Seen, parts: list[str]) -> tuple[int, Any]:
        if seen.method == "DELETE":
            (one,) = [one for one in self.volumes if one["id"] == parts[0]]
            one["state"] = "deleting"
            return 200, one
        return 200, {"items": self.volumes}

    def _statement(self, seen: Seen, parts: list[str]) -> tuple[int, Any]:
        line = {
            "since": "2025-12-31T00:00:00Z",
            "at": "2026-01-01T00:00:00Z",
            "kind": "charge",
            "title": "Job c05b85eb",
            "amount_microusd": -13,
            "note": "rental\x1b[31m",
            "total_microusd": 9_500_000,
        }
        older = line | {
            "kind": "top_up",
            "title": "",
            "amount_microusd": 9_500_013,
            "total_microusd": 9_500_013,
        }
        sums = {"balance_microusd": 9_000_000, "held_microusd": 500_000}
        if seen.query.get("cursor") == "7":
            return 200, sums | {"items": [older], "next_cursor": None}
        return 200, sums | {"items": [line], "next_cursor": "7"}

    def _spend_limits(self, seen: Seen, parts: list[str]) -> tuple[int, Any]:
        if seen.method == "PUT":
            self.limits = seen.body
        return 200, self.limits | {"day_counted_microusd": 2_500_000}

    def _top_ups(self, seen: Seen, parts: list[str]) -> tuple[int, Any]:
        return 201, {"id": "t1", **self.payment}
