"""This will prepare one rental for its page."""

import shlex
from dataclasses import dataclass

from marketplace.accounts import ssh_key
from marketplace.domain.funding import Funding
from marketplace.domain.money import MS_PER_HOUR, format_usd
from marketplace.domain.pricing import PriceType
from marketplace.domain.rental import LIVE, RentalState
from marketplace.domain.upkeep import GB, storage_cost
from marketplace.pages import wording
from marketplace.pages.shown import bid
from marketplace.pages.shown.connect import Connect, connect
from marketplace.pages.shown.moment import Moment
from marketplace.pages.shown.rental_state import LABELS, STOPPABLE, Step, steps
from marketplace.rentals.rental_view import RentalView

PRICE_TYPES = {
    PriceType.ON_DEMAND: "on demand",
    PriceType.RESERVED: "reserved",
    PriceType.INTERRUPTIBLE: "by a bid",
}


@dataclass(frozen=True, slots=True)
class ExpectedPanel:
    """When it may be ready, and what that is based on."""

    half: Moment
    most: Moment
    #: ``12 of 13``
    came_up: str
    #: ``on this machine``
    where: str


@dataclass(frozen=True, slots=True)
class PendingPanel:
    """A higher price that the host asks."""

    former: str
    price: str
    price_hour_microusd: int
    since: Moment
    worst_total: str
    declined: bool


@dataclass(frozen=True, slots=True)
class RentalPanel:
    """Everything of a rental that a page shows."""

    url: str
    events_url: str
    panel_url: str
    end_url: str
    extend_url: str
    forget_url: str
    receipts_url: str
    #: its name, or what it runs where it has none
    title: str
    name: str
    image: str
    short_id: str
    machine: str
    machine_url: str
    label: str
    tone: str
    live: bool
    ending: bool
    #: it runs, so it may be stopped, restarted, reset and changed
    runs: bool
    can_stop: bool
    can_start: bool
    #: ``nothing is billed``, or what its disk costs an hour
    stopped_costs: str
    #: empty: no change is under way, and the newest was made
    change: str
    change_tone: str
    #: ``8080`` and where it is reached; empty where it is not yet
    ports: tuple[tuple[int, str], ...]
    #: ``data`` and its path
    volumes: tuple[tuple[str, str], ...]
    maintenance: Moment
    #: None: it is ready, or nobody can say
    expected: ExpectedPanel | None
    sentence: str
    #: of the rental that took its place; empty: none did
    successor_url: str
    steps: tuple[Step, ...]
    ssh_command: str
    #: ``SHA256:...``, as ssh shows it at the first log-in
    ssh_fingerprint: str
    #: what makes ssh ask nothing at the first log-in
    ssh_trust_command: str
    #: None: nobody can log in now
    connect: Connect | None
    #: the form with what this one has
    like_url: str
    resources: str
    price: str
    #: None: nobody outbids it
    bid: bid.Bid | None
    #: when it stops unless its bid wins again
    outbid: Moment
    #: ``after 30 min below 5 %``; empty: it has no rule
    idle: str
    #: on demand, reserved or by a bid
    price_type: str
    #: what an hour costs as it is now
    burn: str
    #: (what, how much) that it cost beside its time
    beside: tuple[tuple[str, str], ...]
    #: ``2.50 of 10 GB``; empty: its host charges for none
    traffic: str
    #: a reservation is paid for, idle or not
    may_idle: bool
    pending: PendingPanel | None
    cost: str
    worst_total: str
    #: ``$1.00, an hour ahead``; empty: all that it may cost is set aside
    held: str
    #: what is set aside lasts until then, and its files do where there is no money
    paid_until: Moment
    files_until: Moment
    billed: str
    started: Moment
    active: Moment
    ends: Moment
    ended: Moment


def panel(rental: RentalView, notebook_token: str = "") -> RentalPanel:
    """Return what a page shows of the rental; without its token none leads to a notebook."""
    url = f"/rentals/{rental.id}/"
    label, tone = LABELS[rental.state]
    return RentalPanel(
        url=url,
        events_url=f"{url}events",
        panel_url=f"{url}panel",
        end_url=f"{url}end",
        extend_url=f"{url}extend",
        forget_url=f"{url}forget",
        receipts_url=f"{url}receipts.json",
        title=rental.name or rental.image,
        name=rental.name,
        image=rental.image,
        short_id=str(rental.id)[:8],
        machine=str(rental.machine_id)[:8],
        machine_url=f"/machines/{rental.machine_id}/",
        label=label,
        tone=tone,
        live=rental.state in LIVE,
        ending=rental.state is RentalState.ENDING,
        runs=rental.state in (RentalState.STARTING, RentalState.ACTIVE),
        can_stop=rental.state in STOPPABLE and rental.price_type is not PriceType.RESERVED,
        can_start=rental.state is RentalState.STOPPED,
        stopped_costs=_stopped_costs(rental),
        change=_change(rental),
        change_tone="error" if rental.change_reason else "warning",
        ports=tuple(
            (port.inside, f"{rental.ssh_host}:{port.outside}" if port.outside else "")
            for port in rental.ports
        ),
        volumes=tuple((volume.name or "deleted", volume.path) for volume in rental.volumes),
        maintenance=Moment.of(rental.maintenance_at),
        expected=_expected(rental),
        sentence=_sentence(rental),
        successor_url=_successor_url(rental),
        steps=steps(rental.state),
        ssh_command=rental.ssh_command,
        ssh_fingerprint=_fingerprint(rental.ssh_host_key),
        ssh_trust_command=_trust_command(rental),
        connect=connect(rental, notebook_token),
        like_url=f"/offers/{rental.offer_id}/rent?like={rental.id}",
        resources=resources(rental),
        price=f"{format_usd(rental.price_hour_microusd)} an hour",
        bid=bid.shown(rental),
        outbid=Moment.of(rental.outbid_stop_at),
        idle=_idle(rental),
        price_type=PRICE_TYPES[rental.price_type],
        burn=f"{format_usd(rental.burn_hour_microusd)} an hour",
        beside=_beside(rental),
        traffic=_traffic(rental) if rental.network_price_microusd else "",
        may_idle=rental.price_type is not PriceType.RESERVED,
        pending=_pending(rental),
        cost=format_usd(rental.cost_microusd),
        worst_total=format_usd(rental.worst_total_microusd),
        held=_held(rental),
        paid_until=Moment.of(rental.funds.paid_until),
        files_until=Moment.of(rental.funds.files_until),
        billed=wording.duration(rental.billed_ms),
        started=Moment.of(rental.started_at),
        active=Moment.of(rental.active_at),
        ends=Moment.of(rental.ends_at),
        ended=Moment.of(rental.ended_at),
    )


def _expected(rental: RentalView) -> ExpectedPanel | None:
    told = rental.expected
    if told is None:
        return None
    came_up = f"{told.came_up} of {told.begun}"
    where = wording.began_where(told.basis, rental.gpu_model)
    return ExpectedPanel(Moment.of(told.half_by), Moment.of(told.most_by), came_up, where)


def _successor_url(rental: RentalView) -> str:
    successor_id = rental.failover.successor_id if rental.failover else None
    return f"/rentals/{successor_id}/" if successor_id else ""


def _held(rental: RentalView) -> str:
    if rental.funds.funding is Funding.WHOLE:
        return ""
    return f"{format_usd(rental.funds.held_microusd)}, an hour ahead"


def _pending(rental: RentalView) -> PendingPanel | None:
    pending = rental.pending_price
    if pending is None:
        return None
    return PendingPanel(
        former=format_usd(rental.price_hour_microusd),
        price=format_usd(pending.price_hour_microusd),
        price_hour_microusd=pending.price_hour_microusd,
        since=Moment.of(pending.from_at),
        worst_total=format_usd(pending.worst_total_microusd),
        declined=pending.declined,
    )


def _beside(rental: RentalView) -> tuple[tuple[str, str], ...]:
    found = []
    if rental.storage_price_microusd:
        price, cost = rental.storage_price_microusd, rental.storage_microusd
        each = f"{format_usd(price)} per GB and month"
        found.append(("Disk while stopped", f"{format_usd(cost)} so far, {each}"))
    if rental.network_price_microusd:
        price, cost = rental.network_price_microusd, rental.traffic_microusd
        each = f"{format_usd(price)} per GB"
        found.append(("Traffic", f"{format_usd(cost)} so far, {_traffic(rental)}, {each}"))
    return tuple(found)


def _traffic(rental: RentalView) -> str:
    return f"{rental.traffic_bytes / GB:.2f} of {rental.traffic_bytes_max / GB:.0f} GB"


def _change(rental: RentalView) -> str:
    if rental.change_reason:
        return f"The change was not made: {rental.change_reason} What ran before goes on."
    return "A change is being made. What ran before goes on until it is." if rental.changing else ""


def _sentence(rental: RentalView) -> str:
    if rental.state in (RentalState.ENDED, RentalState.FAILED, RentalState.ENDING):
        return rental.reason
    if rental.state is RentalState.WAITING:
        return (
            "Others are outbid and make room for it, within about 90 seconds. Nothing is billed"
            " until its SSH answers from outside."
        )
    if rental.resumes:
        return f"{rental.reason} Until then {_stopped_costs(rental)}."
    if rental.state is RentalState.STOPPING:
        return f"{rental.reason} Until you start it again {_stopped_costs(rental)}."
    if rental.state is RentalState.STOPPED:
        return f"{rental.reason} Its files are kept until its end, and {_stopped_costs(rental)}."
    if rental.shut_at is not None:
        return f"{rental.progress}."
    if rental.state is RentalState.ACTIVE:
        return "SSH answers from outside. Seconds count from now on."
    if rental.state is RentalState.STARTING:
        return "The container runs. Nothing is billed until its SSH answers from outside."
    if rental.progress:
        return f"{rental.progress[:1].upper()}{rental.progress[1:]}. Nothing is billed yet."
    return "The machine hears of it within moments. Nothing is billed yet."


def _stopped_costs(rental: RentalView) -> str:
    hour = storage_cost(rental.storage_price_microusd, rental.disk_bytes, MS_PER_HOUR)
    return f"its disk costs {format_usd(hour)} an hour" if hour else "nothing is billed"


def _idle(rental: RentalView) -> str:
    rule = rental.idle_rule
    if rule is None:
        return ""
    return f"after {wording.duration(rule.after_s * 1000)} below {rule.below_percent} %"


def _fingerprint(host_key: str) -> str:
    """Return what ``ssh-keygen -l`` prints of the key; empty where the machine named none yet."""
    try:
        return ssh_key.parse(host_key).fingerprint
    except ssh_key.SshKeyMalformed:
        return ""


def _trust_command(rental: RentalView) -> str:
    line = f"[{rental.ssh_host}]:{rental.ssh_port} {rental.ssh_host_key}"
    return f"echo {shlex.quote(line)} >> ~/.ssh/known_hosts"


def resources(rental: RentalView) -> str:
    """Return how much of its machine it has."""
    parts = [wording.gpus(rental.gpus, rental.gpu_model)] if rental.gpus else []
    parts += [
        wording.count(rental.cpus, "CPU"),
        f"{wording.size(rental.ram_bytes)} RAM",
        f"{wording.size(rental.disk_bytes)} disk",
    ]
    return ", ".join(parts)
