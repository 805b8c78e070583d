"""This will have generated requests be about what is there: an unknown id is answered at the door.

Whatever of a request fits the description gets the id of something that Ada has, with each request
the next one of its kind.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
import schemathesis
from django.utils import timezone
from schemathesis.core.parameters import ParameterLocation as At

from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.models import SshKey, User
from marketplace.domain.money import MicroUsd
from marketplace.domain.rental_proof import ProofState
from marketplace.jobs.actions import cancel
from marketplace.offers.models import Offer
from marketplace.rentals.actions import end, stop
from marketplace.rentals.models import Rental, RentalProof
from marketplace.verification.actions.record_verdict import record
from marketplace.verification.epochs import epoch_at
from marketplace.verification.models import EpochScore, SignedReport, Validator
from protocol.signing import openssh_public_key
from protocol.validator import VerdictState
from tests.browser.world import World, furnish
from tests.marketplace import scene
from tests.marketplace.conftest import PASSWORD
from tests.marketplace.hostile.everybody import fill, job_of, parts_of, taken_back
from tests.marketplace.rentals.market import Market
from tests.marketplace.signing import HEADERS as VALIDATOR
from tests.marketplace.signing import JUDGE, signed

#: what machines here can do, at prices that hold
FITTING: Mapping[str, Any] = {
    "image": "debian:12",
    "resources": {
        "cpu": {"count": 1},
        "ram": {"capacity": 1 << 30},
        "hard_disk": {"capacity": 2 << 30},
    },
    "gpu_model": "",
    "ports": [],
    "volumes": [],
    "runtime": "",
    "registry_login": None,
    "inputs": [],
    "price_type": None,
    "price_hour_microusd_max": 1 << 40,
    "failover_price_hour_microusd_max": None,
    "bid_microusd": None,
    "cap_microusd": None,
    "lease_s": 7200,
    "traffic_bytes_max": None,
}
#: by which things of one list differ
NAMES = frozenset({"uuid", "code"})
OWN_DATA = [{"name": "data", "path": "/data"}]
BID = {"price_type": "interruptible", "bid_microusd": 1_000_000}
Known = Mapping[str, Sequence[Any]]


@dataclass
class Things:
    """What is there, by the name that an address or a body gives it."""

    world: World
    #: Ada's key, which may do everything
    secret: str
    #: machines of her own
    hosted: Sequence[object]
    #: beside what the world has one of
    addressed: Known
    named: Known
    #: what bodies say instead, but for that which one tries out; with none they are as they came
    turns: Sequence[Mapping[str, Any]]
    turn: int = field(default=0, init=False)
    #: what the case is about, in Schemathesis' words
    _about: str = field(default="", init=False)

    def put(self, case: schemathesis.Case) -> None:
        """Have the request be about what is there, wherever it fits the description."""
        if case.meta is None:
            return
        fits = {at for at, one in case.meta.components.items() if one.mode.is_positive}
        self._about = case.meta.phase.data.description or ""
        if At.PATH in fits:
            known = self._known(case.path.removeprefix("/api/v1/"))
            case.path_parameters = {name: str(known[name]) for name in case.path_parameters}
        if At.QUERY in fits:
            case.query = self._filled(case.query)
        if At.BODY in fits:
            case.body = self._filled(case.body)
        self.turn += 1

    def headers(self, case: schemathesis.Case) -> Mapping[str, str]:
        """Return who asks: a validator where one may, else Ada."""
        is_validators = case.path.startswith("/api/v1/validator/")
        return VALIDATOR if is_validators else {"Authorization": f"Bearer {self.secret}"}

    def _known(self, route: str) -> Mapping[str, object]:
        several = {name: self._one_of(ids) for name, ids in self.addressed.items()}
        known = {**parts_of(self.world, route), **several}
        if route.startswith("host/machines/"):
            known["machine_id"] = self._one_of(self.hosted)
        if route.startswith("scores/"):
            known["number"] = SignedReport.objects.get().pk
            known["machine_id"] = EpochScore.objects.get().machine_id
        return known

    def _one_of(self, several: Sequence[Any]) -> Any:
        return several[self.turn % len(several)]

    def _filled(self, told: Any) -> Any:
        if isinstance(told, list):
            several = [self._filled(one) for one in told]
            for number, one in enumerate(several):
                # Each is named once, which a description cannot ask for.
                for name in NAMES & one.keys() if isinstance(one, dict) else ():
                    one[name] = f"one_{number}"
            return several
        if not isinstance(told, dict):
            return told
        filled = {name: self._said(name, one) for name, one in told.items()}
        return signed(filled) if "signature" in filled else filled

    def _said(self, name: str, told: Any) -> Any:
        if f"'{name}'" in self._about:
            return self._filled(told)
        instead = self._one_of(self.turns)
        if name in instead:
            return instead[name]
        if name not in self.named:
            return self._filled(told)
        one = self._one_of(self.named[name])
        return [one] if isinstance(told, list) else one


@contextmanager
def gathered() -> Iterator[Things]:
    """Have all this be there, for as long as it is asked about."""
    with pytest.MonkeyPatch.context() as patch, taken_back():
        world = fill(furnish(patch))
        yield _more(world, now=timezone.now())


def _more(world: World, *, now: datetime) -> Things:
    ada, first = world.ada, Rental.objects.get(id=world.parts["rental_id"])
    markets, others = zip(*_rentals(world, first.placement.machine.host), strict=True)
    market, rentals = markets[0], [first, *others]
    proof = RentalProof.objects.get(id=world.parts["proof_id"])
    proofs = [
        proof,
        *(_proof(*one, now) for one in zip(rentals[1:], [*ProofState][1:], strict=True)),
    ]
    done = job_of(world, "two")
    cancel.cancel(job_id=done.pk, renter_id=ada.pk, now=now)
    suspended = Market.open(ada).machine
    word = {"state": VerdictState.SUSPENDED, "checked_at_ms": int(now.timestamp() * 1000)}
    record(signed=scene.Judge().verdict(suspended, **word), now=now)
    machines = [first.placement.machine, market.machine]
    keyed = User.objects.create_user("keyed@berth.example", PASSWORD)
    now_ms = int(now.timestamp() * 1000)
    said = {
        "email": keyed.email,
        "password": PASSWORD,
        "public_key": openssh_public_key("ef" * 32),
        "checked_at_ms": now_ms,
        "expires_at_ms": now_ms + 3_600_000,
        "epoch": epoch_at(now),
        "record_sha256": "",
    }
    return Things(
        world,
        issue(user_id=ada.pk, name="things", now=now).secret,
        hosted=[world.parts["machine_id"], suspended.pk],
        addressed={
            "rental_id": [one.pk for one in rentals],
            "proof_id": [one.pk for one in proofs],
            "job_id": [world.parts["job_id"], done.pk],
        },
        named={
            "offer_id": [str(world.parts["offer_id"]), str(market.offer.pk)],
            "ssh_key_ids": [str(SshKey.objects.get(user=ada).pk)],
            "validator_hotkey": [JUDGE.ss58_address],
            "hotkey": [JUDGE.ss58_address],
            "machine_id": [str(one.pk) for one in machines],
            "machine_key": [one.machine_key for one in machines],
            "proof_id": [str(one.pk) for one in proofs],
            "wait_s": [0],
        },
        turns=({}, {**FITTING, **said, "volumes": OWN_DATA}, {**FITTING, **said, **BID}),
    )


def _rentals(world: World, host: User) -> Iterator[tuple[Market, Rental]]:
    """Yield one that bids, one that is stopped, one that has ended, and one that waits."""
    for what in ("bids", "stops", "ends", "waits"):
        market = Market.open(host)
        Offer.objects.filter(pk=market.offer.pk).update(bid_floor_microusd=900_000)
        bid = MicroUsd(1_234_567) if what == "bids" else None
        rental = market.rent(world.ada, bid_microusd=bid, now=scene.NOW)
        if what != "waits":
            market.run(rental, at=scene.after(1))
        told = {"rental_id": rental.pk, "renter_id": world.ada.pk, "now": scene.after(60)}
        if what == "stops":
            stop.stop(**told)
            market.halt(rental, at=scene.after(61))
        elif what == "ends":
            end.end(**told)
            market.end(rental, at=scene.after(62))
        yield market, rental


def _proof(rental: Rental, state: ProofState, now: datetime) -> RentalProof:
    return RentalProof.objects.create(
        rental=rental,
        state=state,
        validator=Validator.objects.get(hotkey=JUDGE.ss58_address),
        asked_at=now,
        expires_at=now + timedelta(hours=1),
        ended_at=None if state == ProofState.RUNNING else now,
    )
