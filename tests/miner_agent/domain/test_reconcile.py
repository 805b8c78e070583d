"""Reconcile: every mixture of wanted, journalled and found leads to rest, and never backwards."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miner_agent.domain.placement import Placement, Run
from miner_agent.domain.reconcile import Action, Container, Step, reconcile
from protocol.agent import ObservedState, Want
from protocol.hardware import Resources
from protocol.workload import Workload

IDS = [UUID(int=number) for number in range(4)]
WORKLOAD = Workload(image="busybox", resources=Resources.of(cpus=1, ram_bytes=1, disk_bytes=1))
STATES = [state for state in ObservedState if state is not ObservedState.STOPPED]


def placement(
    placement_id: UUID,
    *,
    want: Want = Want.RUN,
    state: ObservedState = ObservedState.RUNNING,
    token: str | None = "first",
    open_run: bool = True,
    rekey: bool = False,
) -> Placement:
    run = Run(number=0, token=token or "", boot_id="boot", started_ms=0, open=open_run)
    return Placement(
        placement_id=placement_id,
        want=want,
        state=state,
        workload=WORKLOAD,
        run=run if token is not None else None,
        authorized_keys=("new",) if rekey else (),
    )


def container(placement_id: UUID, *, running: bool = True, token: str = "first") -> Container:
    return Container(placement_id=placement_id, running=running, token=token)


placements = st.builds(
    placement,
    st.sampled_from(IDS),
    want=st.sampled_from((Want.RUN, Want.END)),
    state=st.sampled_from(STATES),
    token=st.sampled_from([None, "first", "second"]),
    open_run=st.booleans(),
    rekey=st.booleans(),
)
containers = st.builds(
    container,
    st.sampled_from(IDS),
    running=st.booleans(),
    token=st.sampled_from(["first", "second"]),
)
journals = st.lists(placements).map(lambda rows: {row.placement_id: row for row in rows})
machines = st.lists(containers).map(lambda found: {one.placement_id: one for one in found})
traces_found = st.frozensets(st.sampled_from(IDS))


def act(
    action: Action,
    journal: dict[UUID, Placement],
    machine: dict[UUID, Container],
    traces: set[UUID],
) -> None:
    """Do what the agent does when every call succeeds."""
    placement_id = action.placement_id
    if action.step is Step.REMOVE:
        machine.pop(placement_id, None)
        traces.discard(placement_id)
        if placement_id in journal:
            journal[placement_id] = journal[placement_id].model_copy(
                update={"state": ObservedState.GONE}
            )
        return
    row = journal[placement_id]
    if action.step is Step.BRING_UP:
        run = Run(number=1, token="third", boot_id="boot", started_ms=0)
        machine[placement_id] = container(placement_id, token="third")
        traces.add(placement_id)
        row = row.model_copy(update={"state": ObservedState.RUNNING, "run": run})
    journal[placement_id] = row.model_copy(update={"written_keys": row.authorized_keys})


@given(journals, machines, traces_found)
def test_one_round_of_actions_leads_to_rest(
    journal: dict[UUID, Placement], machine: dict[UUID, Container], traces: frozenset[UUID]
) -> None:
    left = set(traces)
    for action in reconcile(journal=journal, containers=machine, traces=traces):
        act(action, journal, machine, left)
    assert reconcile(journal=journal, containers=machine, traces=left) == ()
    for placement_id in set(machine) | left:
        assert journal[placement_id].want is Want.RUN
        assert journal[placement_id].state is ObservedState.RUNNING


@given(journals, machines, traces_found)
def test_what_ended_is_never_brought_up(
    journal: dict[UUID, Placement], machine: dict[UUID, Container], traces: frozenset[UUID]
) -> None:
    ended = {
        row.placement_id
        for row in journal.values()
        if row.want is Want.END or row.state in (ObservedState.GONE, ObservedState.COLLECTING)
    }
    actions = reconcile(journal=journal, containers=machine, traces=traces)
    assert not [one for one in actions if one.placement_id in ended and one.step != Step.REMOVE]
    assert len({one.placement_id for one in actions}) == len(actions)


@given(journals, machines, traces_found)
def test_what_runs_as_wanted_is_left_alone(
    journal: dict[UUID, Placement], machine: dict[UUID, Container], traces: frozenset[UUID]
) -> None:
    well = placement(UUID(int=99))
    journal[well.placement_id] = well
    machine[well.placement_id] = container(well.placement_id)
    actions = reconcile(journal=journal, containers=machine, traces=traces)
    assert well.placement_id not in {action.placement_id for action in actions}


@pytest.mark.parametrize(
    ("row", "found", "step"),
    [
        (None, container(IDS[0]), Step.REMOVE),
        (placement(IDS[0]), None, Step.BRING_UP),
        (placement(IDS[0]), container(IDS[0], running=False), Step.BRING_UP),
        (placement(IDS[0]), container(IDS[0], token="second"), Step.BRING_UP),
        (placement(IDS[0], state=ObservedState.ACCEPTED, token=None), None, Step.BRING_UP),
        (placement(IDS[0], state=ObservedState.PREPARING), container(IDS[0]), Step.BRING_UP),
        (placement(IDS[0], rekey=True), container(IDS[0]), Step.REKEY),
        (placement(IDS[0], want=Want.END), container(IDS[0]), Step.REMOVE),
        (placement(IDS[0], want=Want.END), None, Step.REMOVE),
        (placement(IDS[0], state=ObservedState.COLLECTING), None, Step.REMOVE),
        (placement(IDS[0], state=ObservedState.GONE), container(IDS[0]), Step.REMOVE),
        (placement(IDS[0], state=ObservedState.GONE), None, None),
    ],
)
def test_each_case_has_its_step(
    row: Placement | None, found: Container | None, step: Step | None
) -> None:
    actions = reconcile(
        journal={} if row is None else {IDS[0]: row},
        containers={} if found is None else {IDS[0]: found},
        traces=(),
    )
    assert [action.step for action in actions] == ([] if step is None else [step])
