"""The small pure rules: intervals, resources, waiting, containers, funding."""

from ipaddress import IPv4Network
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miner_agent.domain.backoff import LONGEST_MS, delay_ms
from miner_agent.domain.container_spec import (
    CAPABILITIES,
    ContainerSpec,
    Place,
    container_spec,
    network_spec,
    session_environment,
)
from miner_agent.domain.generation import Generation
from miner_agent.domain.gpus import GpuAccess, GpuGrant
from miner_agent.domain.image import Image
from miner_agent.domain.intervals import ended_age, is_due, stretches
from miner_agent.domain.placement import Placement, is_funded
from miner_agent.domain.resources import (
    NoCapacity,
    choose_cores,
    choose_port,
    choose_slot,
    slot_subnet,
)
from protocol.agent import ObservedState, Want
from protocol.hardware import Resources
from protocol.receipts import INTERVAL_MS_MAX
from protocol.workload import PlacementKind, Workload

NETWORK = IPv4Network("10.213.0.0/24")
IMAGE = Image(
    image_id="sha256:1", environment={"A": "1", "B": "2"}, entrypoint=("/e",), command=("c",)
)
PLACE = Place(
    machine="m", network="n", bind_address="127.0.0.1", kit="/k", keys="/d", open_files_most=1000
)
ID = UUID(int=7)
WORKLOAD = Workload(
    image="i",
    environment={"B": "3"},
    resources=Resources.of(cpus=2, ram_bytes=1 << 30, disk_bytes=1 << 30),
)
GENERATION = Generation(
    number=4,
    disk=4,
    edition=0,
    resets=0,
    workload=WORKLOAD,
    image=IMAGE,
    slot=0,
    cores=(1, 3),
    ports={22: 2201, 80: 2202},
)
PLACEMENT = Placement(
    placement_id=ID, want=Want.RUN, state=ObservedState.ACCEPTED, workload=WORKLOAD
)


def spec_of(
    generation: Generation = GENERATION, *, place: Place = PLACE, **changes: object
) -> ContainerSpec:
    """Return the container of a workload that differs so."""
    workload = generation.workload.model_copy(update=changes)
    made = generation.model_copy(update={"workload": workload})
    return container_spec(placement_id=ID, generation=made, place=place)


@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_stretches_join_without_gap_or_overlap(counted_ms: int, age_ms: int) -> None:
    cut = stretches(counted_ms=counted_ms, age_ms=age_ms)
    position = counted_ms
    for start, end in cut:
        assert start == position
        assert 0 < end - start <= INTERVAL_MS_MAX
        position = end
    assert position == max(counted_ms, age_ms) if cut else age_ms <= counted_ms


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.none() | st.integers(0, 10**7))
def test_a_dead_run_never_counts_more_than_its_clock_or_less_than_was_told(
    counted_ms: int, more_ms: int, lasted_ms: int | None
) -> None:
    age_ms = counted_ms + more_ms
    ended_ms = ended_age(counted_ms=counted_ms, age_ms=age_ms, lasted_ms=lasted_ms)
    assert counted_ms <= ended_ms <= age_ms
    if lasted_ms is None:
        assert ended_ms == counted_ms


def test_a_run_is_counted_every_ten_seconds() -> None:
    assert not is_due(counted_ms=0, age_ms=9_999)
    assert is_due(counted_ms=0, age_ms=10_000)


@given(st.integers(0, 100), st.integers(0, 1_000_000))
def test_waits_are_bounded(failures: int, jitter_ppm: int) -> None:
    assert 0 <= delay_ms(failures=failures, jitter_ppm=jitter_ppm) <= LONGEST_MS


def test_waits_double() -> None:
    assert [delay_ms(failures=failures) for failures in range(5)] == [0, 500, 1000, 2000, 4000]


@given(st.sets(st.integers(20, 30)))
def test_a_chosen_port_is_free_and_in_range(taken: set[int]) -> None:
    if taken >= set(range(20, 30)):
        with pytest.raises(NoCapacity):
            choose_port(first=20, last=29, taken=taken)
        return
    port = choose_port(first=20, last=29, taken=taken)
    assert 20 <= port <= 29
    assert port not in taken


def test_slots_are_disjoint_networks_until_there_is_none() -> None:
    taken: set[int] = set()
    subnets = []
    for _ in range(32):
        slot = choose_slot(network=NETWORK, taken=taken)
        taken.add(slot)
        subnets.append(slot_subnet(network=NETWORK, slot=slot))
    assert len(set(subnets)) == 32
    assert all(subnet.subnet_of(NETWORK) for subnet in subnets)
    with pytest.raises(NoCapacity):
        choose_slot(network=NETWORK, taken=taken)


def test_a_bridge_name_fits_the_kernel_and_the_firewall() -> None:
    spec = network_spec(machine="abc", network=NETWORK, slot=31)
    assert spec.bridge.startswith("berth-")
    assert len(spec.bridge) <= 15
    assert (spec.subnet, spec.gateway) == ("10.213.0.248/29", "10.213.0.249")


@given(st.integers(0, 9), st.sets(st.integers(0, 7)))
def test_chosen_cores_are_free_and_exactly_as_many(count: int, taken: set[int]) -> None:
    free = 8 - len(taken)
    if count < 1 or count > free:
        with pytest.raises(NoCapacity):
            choose_cores(count=count, usable=range(8), taken=taken)
        return
    cores = choose_cores(count=count, usable=range(8), taken=taken)
    assert len(set(cores)) == count
    assert not set(cores) & taken


def test_a_container_gets_its_cores_and_limits_and_nothing_else() -> None:
    spec = spec_of()
    assert spec.name == f"berth-{ID}-4"
    assert spec.ports == {22: 2201, 80: 2202}
    assert spec.cores == (1, 3)
    assert spec.memory_bytes == 1 << 30
    assert spec.open_files_most == 1000
    assert spec.command == ("rental", "/", "", "--", "/e", "c")
    assert spec.environment["NVIDIA_VISIBLE_DEVICES"] == "void"
    assert spec.mounts == {
        "/k": "/.access",
        "/d": "/.access-keys",
        "/d/hosts": "/etc/hosts",
        "/d/hostname": "/etc/hostname",
        "/d/resolv.conf": "/etc/resolv.conf",
    }
    assert not {"MKNOD", "NET_RAW", "NET_ADMIN", "SYS_ADMIN"} & set(CAPABILITIES)


def test_a_renter_cannot_choose_gpus_by_an_environment_variable() -> None:
    greedy = {"NVIDIA_VISIBLE_DEVICES": "all", "NVIDIA_VISIBLE_DEVICES=all": ""}
    granted = PLACE.model_copy(update={"gpus": GpuGrant(devices=("GPU-1", "GPU-2"))})
    spec = spec_of(place=granted, environment=greedy)
    assert spec.environment == {"NVIDIA_VISIBLE_DEVICES": "GPU-1,GPU-2"}
    assert spec.gpus == granted.gpus


def test_nvidias_hook_does_nothing_where_docker_itself_hands_out_the_gpus() -> None:
    granted = GpuGrant(access=GpuAccess.CDI, devices=("nvidia.com/gpu=GPU-1",))
    place = PLACE.model_copy(update={"gpus": granted})
    assert spec_of(place=place).environment["NVIDIA_VISIBLE_DEVICES"] == "void"


@pytest.mark.parametrize(
    "name", ["LD_PRELOAD", "LD_LIBRARY_PATH", "NVIDIA_MIG_CONFIG_DEVICES", "NVIDIA_IMEX_CHANNELS"]
)
def test_what_moves_the_hosts_programs_reaches_only_the_rentals_own(name: str) -> None:
    image = IMAGE.model_copy(update={"environment": {"LD_AUDIT": "image", name: "image"}})
    wanted = {name: "renter"}
    spec = spec_of(GENERATION.model_copy(update={"image": image}), environment=wanted)
    assert spec.environment == {"NVIDIA_VISIBLE_DEVICES": "void"}
    assert spec.command == (
        *("rental", "/", "", "LD_AUDIT=image", f"{name}=renter"),
        *("--", "/e", "c"),
    )
    session = session_environment(image=image, environment=wanted)
    assert session[name] == "renter"


def test_what_a_gpu_program_needs_reaches_nvidias_hook() -> None:
    wanted = {"NVIDIA_DRIVER_CAPABILITIES": "compute", "NVIDIA_REQUIRE_CUDA": "cuda>=12.4"}
    spec = spec_of(environment=wanted)
    assert spec.environment == {**wanted, "NVIDIA_VISIBLE_DEVICES": "void"}


def test_a_command_of_the_renter_replaces_the_images() -> None:
    assert spec_of(command=("mine",)).command == ("rental", "/", "", "--", "mine")


def test_pid_one_is_told_what_it_is_for_and_where_and_as_whom_the_command_runs() -> None:
    image = IMAGE.model_copy(update={"folder": "/work", "user": "app:staff"})
    spec = spec_of(GENERATION.model_copy(update={"image": image}), kind=PlacementKind.JOB)
    assert spec.command[:4] == ("job", "/work", "app:staff", "--")


def test_what_has_given_its_cores_back_has_no_container() -> None:
    with pytest.raises(ValueError, match="holds no cores"):
        spec_of(GENERATION.without_room())


def test_a_network_that_leads_nowhere_is_another_one_of_the_same_slot() -> None:
    spec = network_spec(machine="abc", network=NETWORK, slot=31)
    internal = network_spec(machine="abc", network=NETWORK, slot=31, internal=True)
    assert internal.internal
    assert (internal.subnet, internal.bridge) == (spec.subnet, spec.bridge)
    assert internal.name != spec.name


def test_a_session_sees_the_renters_value_before_the_images() -> None:
    environment = session_environment(
        image=IMAGE,
        environment={"B": "3", "HOME": "/x", "TWO": "a\nb", "C\0D": "4", "E=F": "5", "": "6"},
    )
    assert environment["A"] == "1"
    assert environment["B"] == "3"
    assert environment["TWO"] == "a\nb"
    assert environment["PATH"].endswith(":/.access/bin")
    assert environment.keys() == {"A", "B", "TWO", "PATH"}


def test_funded_time_is_told_by_the_clock_since_boot_and_after_a_reboot_by_the_wall() -> None:
    funded = PLACEMENT.model_copy(
        update={
            "funded_boot_id": "one",
            "funded_until_boot_ms": 100,
            "funded_until_wall_ms": 1_000,
        }
    )
    assert is_funded(funded, boot_id="one", boot_ms=99, wall_ms=5_000)
    assert not is_funded(funded, boot_id="one", boot_ms=100, wall_ms=0)
    assert is_funded(funded, boot_id="two", boot_ms=5_000, wall_ms=999)
    assert not is_funded(funded, boot_id="two", boot_ms=0, wall_ms=1_000)
