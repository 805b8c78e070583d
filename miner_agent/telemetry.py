"""This will look at what everything here uses and at what went wrong, every ten seconds."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from uuid import UUID, uuid4

from miner_agent.clock import Clock
from miner_agent.domain import incidents, kernel_log
from miner_agent.domain.incidents import Event
from miner_agent.domain.kernel_log import Finding, Trouble
from miner_agent.domain.placement import Placement
from miner_agent.domain.reconcile import Container
from miner_agent.facts import groups, load
from miner_agent.facts.cards import Cards, Health
from miner_agent.facts.groups import ContainerUsage
from miner_agent.facts.kernel_log import KernelLog
from miner_agent.incident_journal import IncidentJournal
from protocol.usage import INCIDENTS_MOST, GpuUsage, Incident, PlacementUsage, Usage

#: names of marks; those of placements and cards are followed by whose they are
LOG, KILLS, BITS, HEAT = "log", "kills ", "bits ", "hot "

Seen = tuple[Placement, Container]


class Telemetry:
    """The newest reading and the incidents that are not told yet; its methods may block."""

    def __init__(
        self,
        *,
        journal: IncidentJournal,
        clock: Clock,
        seen: Callable[[], Sequence[Seen]],
        disk: Path,
        cards: Cards,
        log: KernelLog,
        read: Callable[[int], ContainerUsage | None] = groups.read,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._seen = seen
        self._disk = disk
        self._cards = cards
        self._log = log
        self._read = read
        #: None: it was taken, or nothing was read yet
        self._untold: Usage | None = None
        self.newest: Usage | None = None
        #: also of cards that answer no more: their last words name them by address
        self._uuid_by_pci: dict[str, str] = {}

    def look(self) -> None:
        """Read everything once. Incidents are on disk before anybody hears of them."""
        seen = self._seen()
        used = {
            placement.placement_id: usage
            for placement, container in seen
            if container.running and (usage := self._read(container.pid)) is not None
        }
        self.newest = self._untold = Usage(
            machine=load.read_machine(disk=self._disk, cards=self._cards.usage()),
            placements=tuple(
                self._placement(placement, used[placement.placement_id])
                for placement, _ in seen
                if placement.placement_id in used
            ),
        )
        try:
            self._find_trouble(seen, used)
        except BaseException:
            # What was read of the log is not on disk: read it again.
            self._log.close()
            raise

    def close(self) -> None:
        """Close every source and the journal."""
        self._log.close()
        self._cards.close()
        self._journal.close()

    def take(self) -> Usage | None:
        """Return the newest reading once; one that gets lost on the way is followed by another."""
        taken, self._untold = self._untold, None
        return taken

    def untold(self) -> tuple[Incident, ...]:
        """Return the incidents that the marketplace has not confirmed."""
        return self._journal.unsent(most=INCIDENTS_MOST)

    def told(self, told: Sequence[Incident]) -> None:
        """Drop the incidents of a sync that was answered."""
        if told:
            self._journal.confirm([one.incident_id for one in told])

    def _placement(self, placement: Placement, used: ContainerUsage) -> PlacementUsage:
        run, network = placement.run, used.network_bytes
        return PlacementUsage(
            placement_id=placement.placement_id,
            run=0 if run is None else run.number,
            cpu_ms=used.group.cpu_ms,
            memory_bytes=used.group.memory_bytes,
            disk_used_bytes=used.disk_bytes[0],
            disk_bytes=used.disk_bytes[1],
            received_bytes=None if network is None else network[0],
            sent_bytes=None if network is None else network[1],
            gpus=tuple(self._gpu(uuid, used) for uuid in placement.gpu_uuids),
        )

    def _gpu(self, gpu_uuid: str, used: ContainerUsage) -> GpuUsage:
        return self._cards.used_by(gpu_uuid, lambda: groups.processes(used.group_path))

    def _find_trouble(self, seen: Sequence[Seen], used: Mapping[UUID, ContainerUsage]) -> None:
        marks = self._journal.marks()
        health = self._cards.health()
        holders = {uuid: one.placement_id for one, _ in seen for uuid in one.gpu_uuids}
        now_ms = self._clock.wall_ms()
        found, log_mark = self._read_log(marks.get(LOG))
        events, kept = _cards_events(health, marks, holders, now_ms)
        owners = {usage.group_path: placement_id for placement_id, usage in used.items()}
        events += self._log_events(found, owners, health, holders)
        events += self._driver_events(holders, now_ms)
        kills, kept_kills = _kill_events(seen, used, marks, _machine_kills(found, owners), now_ms)
        kept |= kept_kills
        told = incidents.gather([*events, *kills], new_id=uuid4)
        # What was read of the log without finding anything may be read again.
        if told or kept != {name: text for name, text in marks.items() if name != LOG}:
            self._journal.note(told, {**kept, LOG: log_mark})
        elif LOG not in marks:
            self._journal.note((), {**kept, LOG: log_mark})

    def _read_log(self, mark: str | None) -> tuple[list[Finding], str]:
        """Return what the log tells that is new, and how far it was read.

        An agent that never read a log begins at its end: what came before is no news.
        """
        boot_id = self._clock.boot_id()
        known_boot, _, known = (mark or "").partition(" ")
        newest = int(known) if known_boot == boot_id else -1
        found = []
        for record in self._log.records():
            entry = kernel_log.read(record)
            if entry is None or entry.sequence <= newest:
                continue
            newest = entry.sequence
            if entry.finding is not None and mark is not None:
                found.append(entry.finding)
        return found, f"{boot_id} {newest}"

    def _log_events(
        self,
        found: Sequence[Finding],
        owners: Mapping[str, UUID],
        health: Sequence[Health],
        holders: Mapping[str, UUID],
    ) -> list[Event]:
        self._uuid_by_pci |= {one.pci: one.uuid for one in health}
        # The log counts from the boot, incidents from 1970.
        offset_ms = self._clock.wall_ms() - self._clock.boot_ms()
        events = []
        for one in found:
            at_ms = one.at_ms + offset_ms
            if one.trouble is Trouble.OOM:
                owner = owners.get(one.subject)
                events.append(incidents.machine_out_of_memory(owner, at_ms=at_ms))
            elif one.trouble is Trouble.DISK:
                events.append(incidents.disk_error(one.subject, at_ms=at_ms))
            else:
                uuid = self._uuid_by_pci.get(one.subject, "")
                events.append(
                    incidents.xid(
                        one.code, gpu_uuid=uuid, placement_id=holders.get(uuid), at_ms=at_ms
                    )
                )
        return events

    def _driver_events(self, holders: Mapping[str, UUID], now_ms: int) -> list[Event]:
        """Ask the driver for Xids only where the log cannot be read: it would tell them twice."""
        if self._log.is_readable:
            return []
        return [
            incidents.xid(code, gpu_uuid=uuid, placement_id=holders.get(uuid), at_ms=now_ms)
            for uuid, code in self._cards.xids()
        ]


def _cards_events(
    health: Sequence[Health], marks: Mapping[str, str], holders: Mapping[str, UUID], now_ms: int
) -> tuple[list[Event], dict[str, str]]:
    """Return what the cards tell that they did not tell before, and what they have told by now."""
    counts = {one.uuid: one.lost_bits for one in health if one.lost_bits is not None}
    known = {uuid: int(marks[BITS + uuid]) for uuid in counts if BITS + uuid in marks}
    events = [
        incidents.lost_bits(uuid, placement_id=holders.get(uuid), at_ms=now_ms)
        for uuid in incidents.risen(counts, known)
    ]
    hot = [one.uuid for one in health if one.is_hot]
    events += [
        incidents.too_hot(uuid, placement_id=holders.get(uuid), at_ms=now_ms)
        for uuid in hot
        if HEAT + uuid not in marks
    ]
    kept = {BITS + uuid: str(count) for uuid, count in counts.items()}
    return events, kept | {HEAT + uuid: "1" for uuid in hot}


def _machine_kills(found: Sequence[Finding], owners: Mapping[str, UUID]) -> dict[UUID, int]:
    kills: dict[UUID, int] = {}
    for one in found:
        owner = owners.get(one.subject) if one.trouble is Trouble.OOM else None
        if owner is not None:
            kills[owner] = kills.get(owner, 0) + 1
    return kills


def _kill_events(
    seen: Sequence[Seen],
    used: Mapping[UUID, ContainerUsage],
    marks: Mapping[str, str],
    by_machine: Mapping[UUID, int],
    now_ms: int,
) -> tuple[list[Event], dict[str, str]]:
    """Return what ended in the placements for want of memory, by their own doing."""
    events: list[Event] = []
    kept = {}
    for placement, container in seen:
        placement_id = placement.placement_id
        name = f"{KILLS}{placement_id} {container.token}"
        known = int(marks.get(name, "0"))
        usage = used.get(placement_id)
        counted = 0 if usage is None else usage.group.oom_kills or 0
        if container.oom_killed:
            # Its group is gone with it: all that is left is Docker's word that there was one.
            counted = max(1, counted)
        own, known = incidents.new_kills(
            counted=counted, known=known, by_machine=by_machine.get(placement_id, 0)
        )
        events += [incidents.out_of_memory(placement_id, at_ms=now_ms)] * own
        if known:
            kept[name] = str(known)
    return events, kept
