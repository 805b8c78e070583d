"""A market in which every page has something to show, and every address there is in it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from marketplace.accounts.actions.invite import invite
from marketplace.accounts.actions.issue_api_key import issue
from marketplace.accounts.actions.prove_email import prove
from marketplace.accounts.models import User
from marketplace.accounts.teams import link_token
from marketplace.domain.delivered import Effect
from marketplace.domain.oversight import Role
from marketplace.domain.team import Role as InTeam
from marketplace.machines.agent_bundle import bundle
from marketplace.metering.models import Meter
from marketplace.offers.models import Offer
from marketplace.payments.models import Dispute, TopUp
from marketplace.rentals.models import RentalProof, RentalReport
from marketplace.templates.actions.save import save
from marketplace.verification.models import Appeal
from marketplace.volumes.models import Volume
from tests.browser.test_charts import tell
from tests.browser.test_everybody import (
    LONG,
    MUCH,
    give_notices,
    give_papers,
    give_payments,
    give_payout,
    pay,
)
from tests.marketplace import scene, staffed
from tests.marketplace.metering.test_close_epochs import EPOCH
from tests.marketplace.pages.test_endpoints import create
from tests.marketplace.pages.test_scores import scored
from tests.marketplace.rentals.market import Market, give_key
from tests.marketplace.rentals.proving import LISTED, passed
from tests.marketplace.teams import team_of

#: what is served for programs, and Django's own pages
ELSEWHERE = ("api/", "admin/", "stripe/")
#: ``<uuid:rental_id>`` of Django's simple routes, ``(?P<key>[-:\w]+)`` of the others
PART = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>[^)]*\)")


@dataclass
class World:
    """Ada rents from Charlie, hosts a machine of her own and works at the console."""

    ada: User
    parts: dict[str, object]

    def addresses(self) -> Iterator[str]:
        """Yield an address for every pattern of the site, the targets of its forms among them."""
        yield from map(self.address, routes())

    def address(self, route: str) -> str:
        """Return the address of what is Ada's on a route."""
        return "/" + PART.sub(self._part, route).replace("^", "").replace("$", "")

    def _part(self, found: re.Match[str]) -> str:
        return str(self.parts[found[1] or found[2]])


def routes() -> Iterator[str]:
    """Yield the route of every page, and of every form's target."""
    return (one for one in _routes(get_resolver()) if not one.startswith(ELSEWHERE))


def _routes(resolver: URLResolver, before: str = "") -> Iterator[str]:
    for one in resolver.url_patterns:
        route = before + str(one.pattern)
        if isinstance(one, URLPattern):
            yield route
        else:
            yield from _routes(one, route)


def furnish(monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a market that Ada has used for ten minutes."""
    scored()
    now = timezone.now()
    monkeypatch.setattr(scene, "NOW", now - timedelta(minutes=10))
    ada = staffed.staff("ada", *Role)
    EmailAddress.objects.create(user=ada, email=ada.email, verified=True, primary=True)
    RecoveryCodes.activate(ada)
    give_key(ada)
    for give in (give_papers, give_payments, give_notices, give_payout):
        give(ada, now)
    pay(ada, MUCH)
    charlies = Market.open(User.objects.create_user("charlie@example.com"))
    Offer.objects.update(bid_floor_microusd=900_000, network_price_microusd=20_000)
    own = Market.open(ada)
    rental = charlies.rent(ada, now=scene.NOW)
    charlies.run(rental, at=scene.after(1))
    Meter.objects.update(proven_ms=400_000, proven_until=now, charged_microusd=1, charged_ms=1)
    tell(rental)
    report = RentalReport.objects.create(
        rental=rental, renter=ada, what="other", text="It was slow.", made_at=now
    )
    volume = Volume.objects.create(
        renter=ada, machine=charlies.machine, name="data", size_bytes=scene.GIB, created_at=now,
        problem_code="disk_full", problem=LONG,
    )  # fmt: skip
    disputed = passed(rental, second=300, rate=LISTED)
    RentalProof.objects.filter(id=disputed.id).update(effect=Effect.DISPUTED)
    paid = TopUp.objects.filter(user=ada).order_by("state", "created_at").first()
    dispute = Dispute.objects.create(
        id="dp_1", top_up=paid, amount_microusd=MUCH, reason="product_not_received",
        opened_at=now, evidence_due_at=now + timedelta(days=7), ask_at=now,
    )  # fmt: skip
    Appeal.objects.create(machine=charlies.machine, text=f"Mended. {LONG}", made_at=now)
    endpoint = create(ada)
    save(owner_id=ada.pk, name="own", parts={"image": "debian:12"}, note="", public=True, now=now)
    issue(user_id=ada.pk, name="laptop", now=now)
    team = team_of(ada, now, charlie=(charlies.machine.host, InTeam.MEMBER))
    invited = invite(
        by_id=ada.pk, team_id=team.pk, email="new@berth.example", role=InTeam.OWNER, now=now
    )
    others = team_of(charlies.machine.host, now)
    prove(user=charlies.machine.host)
    to_her = invite(
        by_id=charlies.machine.host_id,
        team_id=others.pk,
        email=ada.email,
        role=InTeam.BILLING,
        now=now,
    )
    return World(
        ada,
        {
            "rental_id": rental.id,
            "report_id": report.id,
            "offer_id": charlies.offer.id,
            "machine_id": own.machine.id,
            "endpoint_id": endpoint.endpoint_id,
            "top_up_id": paid.pk,
            "user_id": charlies.machine.host_id,
            "number": "INV-000001",
            "sha256": bundle().sha256,
            "month": f"{now:%Y-%m}",
            "epoch": EPOCH,
            "volume_id": volume.pk,
            "proof_id": disputed.pk,
            "of": "funds",
            "name": "own",
            "dispute_id": dispute.pk,
            "announcement_id": 1,
            "pk": 1,
            "uidb36": "1",
            **dict.fromkeys(
                ("placement_id", "key_id", "export_id", "hook_id"),
                UUID(int=0),
            ),
            "key": "gone",
            "team_id": team.pk,
            "person_id": charlies.machine.host_id,
            "invitation_id": invited.pk,
            "token": link_token(to_her),
        },
    )
