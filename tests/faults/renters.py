"""This will be the people who rent, extend, stop, start and end, not always at a good moment."""

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from marketplace.accounts.actions import add_ssh_key
from marketplace.accounts.models import User
from marketplace.domain.money import MICROUSD_PER_USD, MicroUsd
from marketplace.domain.placement import LIVE
from marketplace.offers.models import Offer
from marketplace.payments.actions.top_up import top_up
from marketplace.rentals.actions.end import end
from marketplace.rentals.actions.extend import Asked, extend
from marketplace.rentals.actions.rent import rent
from marketplace.rentals.actions.start import start
from marketplace.rentals.actions.stop import stop
from marketplace.rentals.models import Rental
from protocol.hardware import Resources
from protocol.signing import openssh_public_key
from tests.faults.market import Market
from tests.faults.network import Network
from tests.faults.world import World

#: each of them does something this often
ACTS_EVERY_MS = 8 * 60_000


@dataclass(slots=True)
class Renter:
    """One person with a wallet, a key and changing wishes."""

    world: World
    market: Market
    network: Network
    user: User
    silent: bool = False
    disturbed_ms: int = 0
    asked: int = 0
    #: what each delivered top-up must have added, by its cause
    paid: dict[str, int] = field(default_factory=dict)

    def begin(self) -> None:
        """Give the person a key and let them come back for ever."""
        line = openssh_public_key(self.world.random_bytes(32).hex())
        add_ssh_key.add(user_id=self.user.pk, name="laptop", public_key=line, now=self.world.now)
        self._top_up()
        self._come_back()

    def _come_back(self) -> None:
        self.world.after(self.world.gap_ms(ACTS_EVERY_MS), "renter", self._act)

    def _act(self) -> None:
        self._come_back()
        if not self.world.faulty:
            return
        wish = self.world.chance.random()
        if wish < 0.15:
            self._top_up()
        elif wish < 0.65:
            self._rent()
        elif wish < 0.75:
            self._extend()
        elif wish < 0.83:
            self._ask("stop", stop)
        elif wish < 0.92:
            self._ask("start", start)
        else:
            self._ask("end", end)

    def _top_up(self) -> None:
        self.asked += 1
        cause = f"{self.user.pk}-top-up-{self.asked}"
        amount = MicroUsd(self.world.chance.randint(1, 4) * MICROUSD_PER_USD)

        def pay() -> None:
            top_up(user_id=self.user.pk, amount_microusd=amount, cause=cause, now=self.world.now)
            self.paid[cause] = amount

        self._send("top up", pay)

    def _rent(self) -> None:
        chance = self.world.chance
        self.asked += 1
        key = f"{self.user.pk}-rent-{self.asked}"
        offers = Offer.objects.order_by("machine__enrolled_at", "id")
        offer_id = chance.choice(list(offers.values_list("id", flat=True)))
        gpus = chance.choice((0, 1, 1, 2))
        resources = Resources.of(
            cpus=chance.choice((1, 1, 2)), ram_bytes=1 << 30, disk_bytes=1 << 30, gpus=gpus
        )
        by_lease = chance.random() < 0.7
        lease_s = chance.choice((300, 1200, 3600, 2 * 3600)) if by_lease else None
        # On the cheapest machine it buys three hours, so that no term is longer than SETTLES_MS.
        cap = None if by_lease else chance.randint(2, 30) * 1000
        self._send(
            "rent",
            lambda: rent(
                renter_id=self.user.pk,
                offer_id=offer_id,
                parts={"image": "busybox:latest"},
                resources=resources,
                lease_s=lease_s,
                cap_microusd=cap,
                ssh_key_ids=None,
                idempotency_key=key,
                now=self.world.now,
            ),
        )

    def _extend(self) -> None:
        rental_id = self._one_of_mine()
        if rental_id is None:
            return
        self.asked += 1
        key = f"{self.user.pk}-extend-{self.asked}"
        asked = Asked(lease_s=self.world.chance.choice((1800, 3600, 3 * 3600)))
        self._send(
            "extend",
            lambda: extend(
                rental_id=rental_id,
                renter_id=self.user.pk,
                asked=asked,
                idempotency_key=key,
                now=self.world.now,
            ),
        )

    def _ask(self, name: str, verb: Callable[..., None]) -> None:
        rental_id = self._one_of_mine()
        if rental_id is not None:
            self._send(
                name,
                lambda: verb(rental_id=rental_id, renter_id=self.user.pk, now=self.world.now),
            )

    def _one_of_mine(self) -> UUID | None:
        live = Rental.objects.filter(renter=self.user, placement__state__in=LIVE)
        found = list(live.order_by("started_at", "id").values_list("id", flat=True))
        return self.world.chance.choice(found) if found else None

    def _send(self, name: str, act: Callable[[], object]) -> None:
        self.network.carry(self, name, lambda: self.market.call(act))
