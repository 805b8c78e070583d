"""This will put the agent's parts together for this machine, under its state directory."""

import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from miner_agent import bandwidth, disk, facts, firewall, mps, reserve
from miner_agent.acceptance import Acceptance
from miner_agent.access import kit
from miner_agent.access.rental import Doors
from miner_agent.agent import Agent
from miner_agent.belongings import Belongings
from miner_agent.clock import MachineClock
from miner_agent.containers import Containers
from miner_agent.disk import Disks
from miner_agent.docker_runtime import DockerRuntime
from miner_agent.domain.container_spec import container_name
from miner_agent.domain.placement import Placement
from miner_agent.domain.spare import Share
from miner_agent.engine import Engine
from miner_agent.facts import sources
from miner_agent.facts.cards import Cards
from miner_agent.facts.gpus import read_gpus
from miner_agent.facts.kernel_log import KernelLog
from miner_agent.gpu_access import GpuDoor
from miner_agent.home import JOURNAL, Home
from miner_agent.idle import Idle
from miner_agent.idle_container import DockerIdleContainer
from miner_agent.image_book import ImageBook
from miner_agent.images import Images
from miner_agent.incident_journal import IncidentJournal
from miner_agent.job_files import JobFiles
from miner_agent.journal import Journal
from miner_agent.keys import write_whole
from miner_agent.logs import Logs
from miner_agent.mps import Mps
from miner_agent.ports import Ports
from miner_agent.prepull import Prepull
from miner_agent.proof_container import DockerProofContainer
from miner_agent.proof_image import ProofImage
from miner_agent.proofs import Proofs
from miner_agent.replicas import Replicas
from miner_agent.scratch import Scratch
from miner_agent.settings import Settings, open_files_most
from miner_agent.telemetry import Telemetry
from miner_agent.transfers import HttpTransfers
from miner_agent.volumes import Volumes
from protocol.facts import Facts
from protocol.hardware import Gpu, Hardware
from prover import bundle

BRIDGES = Path("/sys/class/net")


class Machine(Home):
    """This machine as its agent sees it."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.clock = MachineClock()
        self._book: ImageBook | None = None
        self._transfers: HttpTransfers | None = None
        self._images: Images | None = None
        self._volumes: Volumes | None = None

    def close(self) -> None:
        """Close what its parts hold open: connections and notes."""
        for part in (self._transfers, self._book, self._volumes):
            if part is not None:
                part.close()
        self._transfers = self._book = self._images = self._volumes = None

    def engine(self) -> Engine:
        """Return Docker, whether it answers or not."""
        return Engine(self.settings.docker_host)

    def telemetry(self, agent: Agent) -> Telemetry:
        """Return what looks at how everything here does."""
        path = self.settings.home / "incidents.sqlite3"
        path.touch(mode=0o600)
        return Telemetry(
            journal=IncidentJournal(path),
            clock=self.clock,
            seen=agent.seen,
            disk=self.settings.home,
            cards=Cards(),
            log=KernelLog(),
        )

    def hardware(self, engine: Engine) -> Hardware:
        """Return what this machine offers."""
        told, disk_bytes = engine.facts(), self.disk_bytes(engine)
        return facts.read_hardware(
            engine=told,
            cores=self.cores(),
            memory_bytes=self.memory_bytes(),
            disk_bytes=disk_bytes,
            clock=self.clock,
            gpu_slots=self.gpu_slots(),
        )

    def told(self, engine: Engine) -> Facts:
        """Return what validators are told: the claim, and what each source shows; it blocks."""
        return sources.gather(
            hardware=self.hardware(engine), engine=engine.info(), clock=self.clock
        )

    def cores(self) -> tuple[int, ...]:
        """Return the cores that are offered: the first ones stay the host's, as interrupts do."""
        return facts.usable_cores()[self.settings.keep_cpus :]

    def memory_bytes(self) -> int:
        """Return the memory that is offered."""
        total = facts.memory_bytes(facts.MEMORY_INFO.read_text())
        return max(0, total - self.settings.keep_memory_bytes)

    def idle(self, engine: Engine, journal: Journal) -> Idle:
        """Return the host's own work."""
        return Idle(
            self.settings.idle,
            container=self._idle_container(engine),
            journal=journal,
            offered=self._offered,
        )

    def proofs(self, engine: Engine, journal: Journal, idle: Idle) -> Proofs:
        """Return what runs proofs for validators; ``idle`` is away meanwhile."""
        image = ProofImage(engine, machine=self.name(), program=bundle.program())
        return Proofs(
            container=self._proof_container(engine, image),
            prepare=image.ready,
            journal=journal,
            clock=self.clock,
            offered=self._offered,
            seconds_a_day=self.settings.proof_s_per_day,
            leave=idle.leave,
            come_back=idle.come_back,
        )

    def _offered(self) -> Share:
        return Share(
            cores=frozenset(self.cores()),
            gpu_uuids=frozenset(unit.uuid for unit in self.units()),
            memory_bytes=self.memory_bytes(),
        )

    def gpu_slots(self) -> int:
        """Return the parts that each card is shared in; 1 where nothing can share one."""
        return 1 if mps.missing() else self.settings.gpu_slots

    def images(self, engine: Engine) -> Images:
        """Return the images of this machine's placements; everybody has the same ones."""
        if self._images is None:
            self._book = ImageBook(self.settings.home / JOURNAL)
            self._images = Images(
                engine=engine,
                book=self._book,
                machine=self.name(),
                allowed=self.settings.images,
                bytes_most=self.settings.images_bytes,
            )
        return self._images

    def volumes(self) -> Volumes:
        """Return the volumes of this machine; everybody has the same ones."""
        if self._volumes is None:
            path = self.settings.home / JOURNAL
            self._volumes = Volumes(path=path, directory=self.settings.home / "volumes")
        return self._volumes

    def belongings(self) -> Belongings:
        """Return what placements have beside their disks."""
        job_files = JobFiles(self.settings.home / "jobs", transfers=self.transfers())
        return Belongings(volumes=self.volumes(), job_files=job_files)

    def transfers(self) -> HttpTransfers:
        """Return what carries files and logs; everybody has the same one."""
        if self._transfers is None:
            self._transfers = HttpTransfers(
                url=self.settings.marketplace_url, key=self.key(), clock=self.clock
            )
        return self._transfers

    def logs(self, engine: Engine, journal: Journal) -> Logs:
        """Return what sends the ends of containers' logs."""
        return Logs(
            journal=journal,
            said=Containers(engine, machine=self.name()).said,
            send=self.transfers().tell_log,
        )

    def prepull(self, engine: Engine, agent: Agent) -> Prepull:
        """Return what fetches images before anybody asks for them."""
        return Prepull(
            images=self.images(engine),
            references=self.settings.prepull,
            is_idle=agent.is_idle,
            is_leaving=lambda: agent.stopping,
        )

    def units(self) -> tuple[Gpu, ...]:
        """Return every GPU, or part of one, that can be given away now."""
        return read_gpus(slots=self.gpu_slots())

    def mps(self) -> Mps:
        """Return the services that share cards."""
        return Mps(self.settings.home / "mps", slots=self.gpu_slots())

    def runtime(
        self, engine: Engine, kit_path: Path, make_way: Sequence[Callable[[], None]] = ()
    ) -> DockerRuntime:
        """Return everything that placements are made of here; each start first has way made."""
        home = self.settings.home
        guarded, mbit = not firewall.missing(), self.settings.bandwidth_mbit

        def before_start() -> None:
            for one in make_way:
                one()
            if guarded:
                firewall.ensure()

        return DockerRuntime(
            engine=Containers(engine, machine=self.name()),
            images=self.images(engine),
            disks=None if disk.missing() else Disks(home / "disks"),
            doors=Doors(home / "doors"),
            kits=home / "kits",
            kit=kit_path,
            machine=self.name(),
            network=self.settings.network,
            bind_address=self.settings.bind_address,
            open_files_most=open_files_most(),
            gpus=GpuDoor(engine, mps=self.mps(), units=self.units),
            belongings=self.belongings(),
            dns=self.settings.dns,
            guard=before_start,
            allow_unisolated=self.settings.allow_unisolated,
            runtimes=lambda: self._runtimes(engine),
            limit_bandwidth=None if mbit is None else partial(bandwidth.limit, mbit=mbit),
        )

    def renew_bandwidth(self, engine: Engine) -> None:
        """Hold what runs already to the limit of today, or to none any more.

        :raises BandwidthFailed: when the kernel or a tool refuses.
        """
        if not bandwidth.missing():
            for process_id in Containers(engine, machine=self.name()).process_ids():
                bandwidth.limit(process_id, mbit=self.settings.bandwidth_mbit)

    def _runtimes(self, engine: Engine) -> frozenset[str]:
        """Return what renters may have their containers started with."""
        told = engine.facts()
        return frozenset(told.runtimes) & {*self.settings.runtimes, told.runtime}

    def kit(self) -> Path:
        """Return the access kit, building it where it is missing.

        :raises KitMissing: when a program that it is made of is not installed.
        """
        return kit.build(self.settings.home / "kits")

    def acceptance(self, engine: Engine) -> Acceptance:
        """Return what this machine gives away."""
        return Acceptance(
            ports=Ports(
                first=self.settings.port_first,
                last=self.settings.port_last,
                own=(self.settings.control_port,),
                clock=self.clock,
            ),
            network=self.settings.network,
            cores=self.cores(),
            memory_bytes=self.memory_bytes(),
            disk_bytes=self.disk_bytes(engine),
            volumes_bytes=self.volumes().reserved_bytes,
            gpu_uuids=lambda: frozenset(unit.uuid for unit in self.units()),
        )

    def replicas(self, engine: Engine, journal: Journal) -> Replicas:
        """Return what gateways may reach here."""
        containers = Containers(engine, machine=self.name())
        return Replicas(
            journal=journal,
            address=lambda placement_id, generation: containers.address(
                container_name(placement_id, generation)
            ),
        )

    def agent(
        self,
        engine: Engine,
        journal: Journal,
        kit_path: Path,
        make_way: Sequence[Callable[[], None]] = (),
        keep_last: Callable[[Placement], None] = lambda placement: None,
    ) -> Agent:
        """Return the agent itself; ``make_way`` is called before each of its placements starts.

        ``keep_last``: before a container is removed.
        """
        return Agent(
            journal=journal,
            runtime=self.runtime(engine, kit_path, make_way),
            clock=self.clock,
            key=self.key(),
            acceptance=self.acceptance(engine),
            volumes=self.volumes(),
            room_bytes=lambda: reserve.room_bytes(self.settings.home),
            keep_last=keep_last,
        )

    def clear(self, engine: Engine, agent: Agent) -> None:
        """End every placement; remove every container, network, disk and rule of this machine."""
        try:
            agent.end_all(message="The host has taken this machine off the market.")
        finally:
            # Also where the journal is broken: what is here carries the machine's name.
            self.runtime(engine, self.settings.home).remove_all()
            self.mps().remove()
            self._idle_container(engine).remove()
            image = ProofImage(engine, machine=self.name(), program=b"")
            self._proof_container(engine, image).remove()
            image.remove()
            # Another agent's rentals on the same machine keep their rules.
            if not firewall.missing() and not list(BRIDGES.glob("berth-*")):
                firewall.remove()

    def _idle_container(self, engine: Engine) -> DockerIdleContainer:
        gpus = GpuDoor(engine, mps=self.mps(), units=self.units)
        return DockerIdleContainer(engine, machine=self.name(), gpus=gpus)

    def _proof_container(self, engine: Engine, image: ProofImage) -> DockerProofContainer:
        gpus = GpuDoor(engine, mps=self.mps(), units=self.units)
        scratch = Scratch(
            self.settings.home / "proofs", root_inside=lambda: engine.facts().root_inside
        )
        return DockerProofContainer(
            engine, machine=self.name(), gpus=gpus, image=image, scratch=scratch
        )

    def disk_bytes(self, engine: Engine) -> int:
        """Return what placements may use together."""
        if self.settings.disk_bytes is not None:
            return self.settings.disk_bytes
        # Asked once: what rentals use later must not make the machine look smaller.
        remembered = self.settings.home / "disk_bytes"
        with contextlib.suppress(OSError, ValueError):
            return int(remembered.read_text())
        measured = facts.free_disk_bytes(engine.facts().root)
        # A full disk keeps no agent from its start: the next one asks again.
        with contextlib.suppress(OSError):
            write_whole(remembered, str(measured), 0o600)
        return measured
