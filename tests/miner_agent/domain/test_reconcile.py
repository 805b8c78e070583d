"""Reconcile: every mixture of wanted, journalled and found leads to rest, and never backwards."""

from collections.abc import Collection, Mapping
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miner_agent.domain.generation import Generation
from miner_agent.domain.image import Image
from miner_agent.domain.placement import Placement, Run, is_as_desired, keeps_disk
from miner_agent.domain.reconcile import Action, Container, Step, current_container, reconcile
from protocol.agent import Notice, ObservedState, Want
from protocol.hardware import Resources
from protocol.workload import PlacementKind, Workload

IDS = [UUID(int=number) for number in range(4)]
RESOURCES = Resources.of(cpus=1, ram_bytes=1, disk_bytes=1)
IMAGE = Image(image_id="sha256:1", environment={}, entrypoint=(), command=("c",))
#: numbers of generations that were given away by the time of a test
NUMBERS = 3


def workload(kind: PlacementKind = PlacementKind.RENTAL, image: str = "one") -> Workload:
    port = 80 if kind is PlacementKind.REPLICA else None
    return Workload(kind=kind, image=image, resources=RESOURCES, http_port=port)


def generation(
    number: int = 0, *, edition: int = 0, cores: tuple[int, ...] = (1,), disk: int | None = None
) -> Generation:
    return Generation(
        number=number,
        disk=number if disk is None else disk,
        edition=edition,
        resets=0,
        workload=workload(),
        image=IMAGE,
        cores=cores,
        slot=0 if cores else None,
    )


NOTICE = Notice(reason="outbid", stops_at_ms=1)


def placement(
    placement_id: UUID,
    *,
    want: Want = Want.RUN,
    state: ObservedState = ObservedState.RUNNING,
    token: str | None = "first",
    open_run: bool = True,
    rekey: bool = False,
    notice: Notice | None = None,
    kind: PlacementKind = PlacementKind.RENTAL,
    edition: int = 0,
    restarts: int = 0,
    cores: tuple[int, ...] = (1,),
    current: Generation | None = None,
    coming: Generation | None = None,
) -> Placement:
    run = Run(number=0, token=token or "", boot_id="boot", started_ms=0, open=open_run)
    ended = state is ObservedState.GONE
    return Placement(
        placement_id=placement_id,
        want=want,
        state=state,
        workload=workload(kind),
        edition=edition,
        restarts=restarts,
        cores=cores,
        slot=0 if cores else None,
        run=run if token is not None else None,
        authorized_keys=("new",) if rekey else (),
        notice=notice,
        # What runs, or ran, was made; of what is gone nothing is kept.
        current=None if ended or token is None else current or generation(),
        coming=None if ended else coming,
        generations=NUMBERS,
    )


def container(
    placement_id: UUID, *, running: bool = True, token: str = "first", number: int | None = 0
) -> Container:
    return Container(placement_id=placement_id, running=running, token=token, generation=number)


optional_generations = st.none() | st.builds(
    generation,
    st.integers(0, NUMBERS - 1),
    edition=st.integers(0, 1),
    cores=st.sampled_from([(1,), (2,)]),
)
placements = st.builds(
    placement,
    st.sampled_from(IDS),
    want=st.sampled_from(Want),
    state=st.sampled_from(ObservedState),
    token=st.sampled_from([None, "first", "second"]),
    open_run=st.booleans(),
    rekey=st.booleans(),
    kind=st.sampled_from(PlacementKind),
    edition=st.integers(0, 1),
    restarts=st.integers(0, 1),
    cores=st.sampled_from([(), (1,), (2,)]),
    current=optional_generations,
    coming=optional_generations,
)
containers = st.builds(
    container,
    st.sampled_from(IDS),
    running=st.booleans(),
    token=st.sampled_from(["first", "second"]),
    number=st.none() | st.integers(0, NUMBERS - 1),
)
journals = st.lists(placements).map(lambda rows: {row.placement_id: row for row in rows})
machines = st.lists(containers, unique_by=lambda found: (found.placement_id, found.generation)).map(
    lambda found: found
)
traces_found = st.dictionaries(
    st.sampled_from(IDS), st.frozensets(st.integers(0, NUMBERS - 1)), max_size=4
)


class Machine:
    """What the agent and its runtime do when every call succeeds."""

    def __init__(
        self,
        journal: Mapping[UUID, Placement],
        found: Collection[Container],
        traces: Mapping[UUID, Collection[int]],
    ) -> None:
        self.journal, self.found = dict(journal), list(found)
        self.traces = {one: set(disks) for one, disks in traces.items()}

    def plan(self) -> tuple[Action, ...]:
        return reconcile(journal=self.journal, containers=self.found, traces=self.traces)

    def act(self, action: Action) -> None:
        placement_id, row = action.placement_id, self.journal.get(action.placement_id)
        if action.step is Step.REMOVE:
            self._keep(placement_id, ())
            self.traces.pop(placement_id, None)
            if row is not None:
                self._write(row, state=ObservedState.GONE, current=None, coming=None)
            return
        assert row is not None
        getattr(self, f"_{action.step}")(row)

    def _fetch(self, row: Placement) -> None:
        disk = row.current.disk if row.current and keeps_disk(row) else row.generations
        coming = Generation(
            number=row.generations,
            disk=disk,
            edition=row.edition,
            resets=row.resets,
            workload=row.workload,
            image=IMAGE,
            slot=row.slot,
            cores=row.cores,
        )
        self._write(row, coming=coming, generations=row.generations + 1)

    def _change(self, row: Placement) -> None:
        self._start(row, row.coming)

    def _bring_up(self, row: Placement) -> None:
        self._start(row, row.current)

    def _start(self, row: Placement, made: Generation | None) -> None:
        assert made is not None
        assert made.cores, "it has given back what running takes"
        self._halt(row)
        self._keep(row.placement_id, (made,))
        self.found = [one for one in self.found if one.placement_id != row.placement_id]
        self.found.append(container(row.placement_id, token="third", number=made.number))
        self.traces.setdefault(row.placement_id, set()).add(made.disk)
        self._write(
            row,
            state=ObservedState.RUNNING,
            run=Run(number=1, token="third", boot_id="boot", started_ms=0),
            current=made,
            coming=None,
            written_keys=row.authorized_keys,
        )

    def _rekey(self, row: Placement) -> None:
        self._write(row, written_keys=row.authorized_keys)

    def _restart(self, row: Placement) -> None:
        self._halt(row)
        self._write(row, state=ObservedState.PREPARING, restarted=row.restarts)

    def _stop(self, row: Placement) -> None:
        self._halt(row)
        self._keep(row.placement_id, () if row.current is None else (row.current,))
        current = row.current.without_room() if row.current else None
        gone: dict[str, object] = {"cores": (), "slot": None, "current": current, "coming": None}
        self._write(row, state=ObservedState.STOPPED, **gone)

    def _finish(self, row: Placement) -> None:
        self._halt(row)
        self._write(row, state=ObservedState.COLLECTING, want=Want.END)

    def _tidy(self, row: Placement) -> None:
        self._keep(row.placement_id, [one for one in (row.current, row.coming) if one])

    def _halt(self, row: Placement) -> None:
        self.found = [
            container(one.placement_id, running=False, token=one.token, number=one.generation)
            if one.placement_id == row.placement_id
            else one
            for one in self.found
        ]

    def _keep(self, placement_id: UUID, kept: Collection[Generation]) -> None:
        numbers = {one.number for one in kept}
        self.found = [
            one
            for one in self.found
            if one.placement_id != placement_id or one.generation in numbers
        ]
        if placement_id in self.traces:
            self.traces[placement_id] &= {one.disk for one in kept}

    def _write(self, row: Placement, **changes: object) -> None:
        self.journal[row.placement_id] = row.model_copy(update=changes)


@given(journals, machines, traces_found)
def test_a_few_rounds_of_actions_lead_to_rest(
    journal: dict[UUID, Placement], found: list[Container], traces: dict[UUID, frozenset[int]]
) -> None:
    machine = Machine(journal, found, traces)
    # The longest way: tidy up, end it for a restart, fetch the image, change.
    for _ in range(6):
        for action in machine.plan():
            machine.act(action)
    assert machine.plan() == ()
    for one in machine.found:
        row = machine.journal[one.placement_id]
        assert row.current is not None
        assert one == current_container(row, [one])
        assert one.running is (row.want is Want.RUN and row.has_room)
    for row in machine.journal.values():
        if row.want is Want.RUN and row.has_room and row.state is not ObservedState.GONE:
            assert row.state is ObservedState.RUNNING
            assert is_as_desired(row, row.current)


@given(journals, machines, traces_found)
def test_what_ended_is_only_removed(
    journal: dict[UUID, Placement], found: list[Container], traces: dict[UUID, frozenset[int]]
) -> None:
    ended = {
        row.placement_id
        for row in journal.values()
        if row.want is Want.END or row.state is ObservedState.GONE
    }
    actions = reconcile(journal=journal, containers=found, traces=traces)
    assert not [one for one in actions if one.placement_id in ended and one.step != Step.REMOVE]


@given(journals, machines, traces_found)
def test_there_is_one_action_for_each_placement_and_beside_it_a_fetch(
    journal: dict[UUID, Placement], found: list[Container], traces: dict[UUID, frozenset[int]]
) -> None:
    actions = reconcile(journal=journal, containers=found, traces=traces)
    alone = [one.placement_id for one in actions if not one.beside]
    beside = [one for one in actions if one.beside]
    assert len(set(alone)) == len(alone)
    assert {one.step for one in beside} <= {Step.FETCH}
    assert len({one.placement_id for one in beside}) == len(beside)


@given(journals, machines, traces_found)
def test_what_runs_as_wanted_is_left_alone(
    journal: dict[UUID, Placement], found: list[Container], traces: dict[UUID, frozenset[int]]
) -> None:
    well = placement(UUID(int=99))
    journal[well.placement_id] = well
    actions = reconcile(
        journal=journal, containers=[*found, container(well.placement_id)], traces=traces
    )
    assert well.placement_id not in {action.placement_id for action in actions}


ONE = IDS[0]
JOB = PlacementKind.JOB
STOPPED = ObservedState.STOPPED
RELEASED = generation(cores=())


@pytest.mark.parametrize(
    ("row", "found", "steps"),
    [
        (None, container(ONE), [Step.REMOVE]),
        (placement(ONE), None, [Step.BRING_UP]),
        (placement(ONE), container(ONE, running=False), [Step.BRING_UP]),
        (placement(ONE), container(ONE, token="second"), [Step.BRING_UP]),
        (placement(ONE), container(ONE, number=None), [Step.TIDY]),
        (placement(ONE), container(ONE, number=2), [Step.TIDY]),
        (placement(ONE, state=ObservedState.ACCEPTED, token=None), None, [Step.FETCH]),
        (
            placement(ONE, state=ObservedState.PREPARING, token=None, coming=generation()),
            None,
            [Step.CHANGE],
        ),
        (placement(ONE, state=ObservedState.PREPARING), container(ONE), [Step.BRING_UP]),
        (placement(ONE, rekey=True), container(ONE), [Step.REKEY]),
        (placement(ONE, notice=NOTICE), container(ONE), [Step.NOTIFY]),
        (placement(ONE, restarts=1), container(ONE), [Step.RESTART]),
        (placement(ONE, restarts=1, kind=JOB), container(ONE), []),
        (placement(ONE, edition=1), container(ONE), [Step.FETCH]),
        (placement(ONE, edition=1, rekey=True), container(ONE), [Step.REKEY, Step.FETCH]),
        (
            placement(ONE, edition=1),
            container(ONE, running=False),
            [Step.BRING_UP, Step.FETCH],
        ),
        (placement(ONE, edition=1, coming=generation(1)), container(ONE), [Step.FETCH]),
        (placement(ONE, edition=1, coming=generation(1, edition=1)), container(ONE), [Step.CHANGE]),
        (placement(ONE, cores=(2,)), container(ONE), [Step.FETCH]),
        (placement(ONE, want=Want.STOP), container(ONE), [Step.STOP]),
        (
            placement(ONE, want=Want.STOP, state=STOPPED, cores=(), current=RELEASED),
            container(ONE, running=False),
            [],
        ),
        (
            placement(ONE, want=Want.STOP, state=STOPPED, cores=(), current=RELEASED),
            container(ONE),
            [Step.STOP],
        ),
        (
            placement(ONE, state=STOPPED, cores=(), current=RELEASED),
            container(ONE, running=False),
            [],
        ),
        (
            placement(ONE, state=ObservedState.PREPARING, current=RELEASED),
            container(ONE, running=False),
            [Step.FETCH],
        ),
        (placement(ONE, kind=JOB), container(ONE), []),
        (placement(ONE, kind=JOB), container(ONE, running=False), [Step.FINISH]),
        (placement(ONE, kind=JOB), None, [Step.FINISH]),
        (placement(ONE, kind=JOB, state=ObservedState.COLLECTING), None, [Step.FINISH]),
        (placement(ONE, want=Want.END), container(ONE), [Step.REMOVE]),
        (placement(ONE, want=Want.END, kind=JOB), container(ONE), [Step.REMOVE]),
        (placement(ONE, want=Want.END), None, [Step.REMOVE]),
        (placement(ONE, state=ObservedState.COLLECTING), None, [Step.REMOVE]),
        (placement(ONE, state=ObservedState.GONE), container(ONE), [Step.REMOVE]),
        (placement(ONE, state=ObservedState.GONE), None, []),
    ],
)
def test_each_case_has_its_steps(
    row: Placement | None, found: Container | None, steps: list[Step]
) -> None:
    actions = reconcile(
        journal={} if row is None else {ONE: row},
        containers=[] if found is None else [found],
        traces={},
    )
    assert [action.step for action in actions] == steps


def test_a_disk_that_belongs_to_nothing_is_tidied_away() -> None:
    found = [container(ONE)]
    for disks, steps in (((0,), []), ((0, 1), [Step.TIDY])):
        actions = reconcile(journal={ONE: placement(ONE)}, containers=found, traces={ONE: disks})
        assert [action.step for action in actions] == steps
