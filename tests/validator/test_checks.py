"""The table of checks: an honest machine passes each, and each lie is found by the one it names."""

from typing import Any

import pytest

from protocol.facts import Facts
from protocol.hardware import Sharing
from protocol.validator import Finding, FindingState, Measurement, VerdictState
from tests.architecture.sources import TREE
from tests.validator import builders
from tests.validator.gpu_machine import address, cuda, facts, measured, sources
from validator.domain import checks, pci_ids
from validator.domain.checks.sources import Sources
from validator.domain.facts import FACTS_BYTES_MAX, parse
from validator.domain.gpu_specs import find
from validator.domain.verdict import Look, Outcome, contradictions, decide

PAGE = TREE / "docs/verification.md"
OK, ODD, CONTRADICTION, UNKNOWN = (
    FindingState.OK,
    FindingState.ODD,
    FindingState.CONTRADICTION,
    FindingState.UNKNOWN,
)


#: one of two cards
RENTED = frozenset({"GPU-2"})


def found(given: Sources) -> dict[str, Finding]:
    return {one.code: one for one in checks.compare(given)}


def changed(told: Facts, **parts: dict[str, Any]) -> Facts:
    """The same facts with some fields of their parts changed."""
    content = told.model_dump()
    for name, changes in parts.items():
        content[name] = {**content[name], **changes}
    return Facts.model_validate(content)


def test_a_machine_whose_sources_agree_is_well_in_every_check() -> None:
    speeds = {
        "disk_write_mb_s": 900,
        "disk_reads_s": 9000,
        "network_down_mb_s": 90,
        "network_up_mb_s": 80,
    }
    given = sources(measured=measured().model_copy(update=speeds))
    assert {code: one.message for code, one in found(given).items() if one.state is not OK} == {}
    assert list(found(given)) == [check.code for check in checks.CHECKS]


def test_what_a_machine_with_the_most_cards_tells_fits_into_its_line() -> None:
    line = facts(64).model_dump_json().encode()
    assert len(line) * 2 < FACTS_BYTES_MAX
    assert parse(line) == facts(64)


def test_a_machine_without_gpu_is_asked_about_none() -> None:
    states = {one.code: one.state for one in found(Sources(builders.facts(), 0)).values()}
    assert states["gpu_count"] is OK
    assert "gpu_uuid" not in states
    assert CONTRADICTION not in states.values()


def test_one_card_shown_as_eight_is_told_with_both_sides() -> None:
    """The kit of August 2026: NVML is forged, the kernel and the bus are not."""
    eight, one = facts(8), facts(1)
    told = eight.model_copy(update={"driver": one.driver, "pci": one.pci})
    finding = found(sources(told, cuda=None, measured=None))["gpu_count"]
    assert finding.state is CONTRADICTION
    assert finding.message == (
        "The agent and NVML show 8 GPUs; the kernel's driver, the PCI bus and /dev show 1 GPU."
    )
    assert finding.remedy


@pytest.mark.parametrize(
    ("code", "state", "given"),
    [
        ("gpu_count", CONTRADICTION, sources(cuda=cuda(1))),
        ("gpu_count", ODD, sources(measured=measured(1))),
        ("gpu_count", CONTRADICTION, sources(facts(nvml=None, pci=[], driver={}), cuda=None)),
        ("gpu_count", ODD, sources(facts(pci=[*facts(3).model_dump()["pci"]]))),
        ("gpu_count", OK, sources(cuda=cuda(1), measured=measured(1), gpus_rented=RENTED)),
        ("gpu_uuid", CONTRADICTION, sources(cuda=cuda(uuid="GPU-9"))),
        ("gpu_uuid", CONTRADICTION, sources(cuda=cuda(uuid="GPU-9"), gpus_rented=RENTED)),
        ("gpu_uuid", OK, sources(cuda=cuda(1), gpus_rented=RENTED)),
        ("gpu_uuid", OK, sources(cuda=cuda(1, uuid="MIG-3"), gpus_rented=RENTED)),
        (
            "gpu_uuid",
            CONTRADICTION,
            sources(changed(facts(), driver={"cards": facts(3).driver.cards[1:]})),
        ),
        ("gpu_uuid", UNKNOWN, sources(facts(nvml=None, driver={}), cuda=None)),
        ("gpu_address", CONTRADICTION, sources(cuda=cuda(pci="0000:77:00.0"))),
        ("gpu_address", CONTRADICTION, sources(facts(pci=facts(1).model_dump()["pci"]))),
        ("driver_version", CONTRADICTION, sources(changed(facts(), driver={"module": "535.1.1"}))),
        ("driver_version", UNKNOWN, sources(builders.facts(pci=[{"pci": "a", "device": "2330"}]))),
        ("driver_release", ODD, sources(changed(facts(), driver={"version": "591.86"}))),
        ("driver_release", ODD, sources(changed(facts(), driver={"version": "000.00.FAKE"}))),
        ("cuda_release", CONTRADICTION, sources(changed(facts(), nvml={"cuda": 13000}))),
        ("gpu_chip", CONTRADICTION, sources(cuda=cuda(capability="8.0"))),
        ("gpu_chip", CONTRADICTION, sources(cuda=cuda(name="NVIDIA H200"))),
        ("gpu_chip", UNKNOWN, sources(facts(nvml=None), cuda=None)),
        ("gpu_figures", CONTRADICTION, sources(cuda=cuda(name="NVIDIA A100 80GB PCIe"))),
        ("gpu_figures", ODD, sources(cuda=cuda(sms=114))),
        ("gpu_figures", ODD, sources(cuda=cuda(bus_bits=4096))),
        ("gpu_figures", ODD, sources(cuda=cuda(vram_bytes=40 << 30))),
        ("gpu_figures", UNKNOWN, sources(cuda=None)),
        ("gpu_ratio", ODD, sources(measured=measured(int8_gops=90_000))),
        ("gpu_ratio", ODD, sources(measured=measured(bandwidth_mb_s=300_000))),
        ("gpu_ratio", OK, sources(measured=measured(int8_gops=0))),
        ("gpu_ratio", UNKNOWN, sources(measured=None)),
        ("gpu_hash_rate", ODD, sources(measured=measured(hash_mega_s=1000))),
        ("gpu_hash_rate", UNKNOWN, sources(measured=measured(hash_mega_s=0), cuda=None)),
        ("gpu_memory_used", UNKNOWN, sources(gpus_rented=frozenset({"GPU-1", "GPU-2"}))),
        ("gpu_memory_used", UNKNOWN, sources(facts(nvml=None))),
        ("pci_link", UNKNOWN, sources(facts(pci=[]))),
        ("library_path", UNKNOWN, sources(facts(loading={}))),
        ("preload", ODD, sources(facts(loading={"preloaded": ["/opt/nvml.so"]}))),
        ("preload", ODD, sources(facts(loading={"variables": ["LD_PRELOAD=/x.so"]}))),
        ("preload", OK, sources(facts(loading={"variables": ["LD_LIBRARY_PATH=/x"]}))),
        (
            "foreign_mount",
            CONTRADICTION,
            sources(facts(mounts=[{"path": "/proc/driver/nvidia/gpus", "kind": "ext4"}])),
        ),
        (
            "foreign_mount",
            ODD,
            sources(facts(mounts=[{"path": "/proc/cpuinfo", "kind": "fuse.lxcfs"}])),
        ),
        ("cpu_count", CONTRADICTION, sources(changed(facts(), processors={"listed": 3}))),
        ("cpu_count", CONTRADICTION, sources(changed(facts(), processors={"usable": 3}))),
        ("cpu_count", CONTRADICTION, sources(changed(facts(), processors={"quota_milli": 3999}))),
        (
            "memory_size",
            CONTRADICTION,
            sources(changed(facts(), processors={"memory_limit_bytes": 4 << 30})),
        ),
        ("memory_size", CONTRADICTION, sources(changed(facts(), processors={"memory_bytes": 1}))),
        ("virtual", ODD, sources(changed(facts(), surroundings={"hypervisor": True}))),
        ("virtual", ODD, sources(changed(facts(), surroundings={"container": "lxc"}))),
        ("kernel_forced", ODD, sources(changed(facts(), surroundings={"taint": 4099}))),
        ("kernel_forced", OK, sources(changed(facts(), surroundings={"taint": 4097}))),
        ("clock", ODD, sources(now_ms=builders.NOW_MS - 31_000)),
        ("clock", ODD, sources(now_ms=builders.NOW_MS + 301_000)),
        ("disk_speed", ODD, sources(measured=Measurement(disk_write_mb_s=99, disk_reads_s=9999))),
        ("disk_speed", ODD, sources(measured=Measurement(disk_write_mb_s=999, disk_reads_s=99))),
        ("disk_speed", UNKNOWN, sources()),
        (
            "network_speed",
            ODD,
            sources(measured=Measurement(network_down_mb_s=99, network_up_mb_s=1)),
        ),
    ],
)
def test_each_lie_is_found_by_its_check(code: str, state: FindingState, given: Sources) -> None:
    finding = found(given)[code]
    assert finding.state is state, finding
    assert bool(finding.remedy) is (state in (ODD, CONTRADICTION))
    assert finding.message.endswith(".")


def test_what_else_runs_on_an_idle_card_is_found_in_bytes_and_not_in_percent() -> None:
    told = facts().model_dump()
    told["nvml"]["cards"][1]["memory_used_bytes"] = 22 << 30
    finding = found(sources(Facts.model_validate(told)))["gpu_memory_used"]
    assert finding.state is ODD
    assert "22 GiB in use" in finding.message
    rented = found(sources(Facts.model_validate(told), gpus_rented=RENTED))["gpu_memory_used"]
    assert rented.state is OK, "whoever rents it may use it"


def test_a_card_whose_uuid_the_kernel_does_not_know_yet_is_held_against_the_others() -> None:
    told = facts().model_dump()
    told["driver"]["cards"][1]["uuid"] = ""
    assert found(sources(Facts.model_validate(told)))["gpu_uuid"].state is OK


def test_a_card_in_a_narrow_slot_is_named() -> None:
    told = facts().model_dump()
    told["pci"][1]["link_width"] = 4
    finding = found(sources(Facts.model_validate(told)))["pci_link"]
    assert finding.state is ODD
    assert finding.message == f"{address(2)}: 4 of 16 lanes in use on the PCI bus."


def test_a_card_that_fell_off_its_bus_is_missed_in_words() -> None:
    told = facts().model_dump()
    told["nvml"]["cards"][1].update(uuid="", pci="", name="", vram_bytes=0)
    lost = found(sources(Facts.model_validate(told)))
    assert lost["gpu_uuid"].state is CONTRADICTION
    assert lost["gpu_uuid"].message == "A GPU is shown without its UUID."
    assert lost["gpu_address"].message == "A GPU is shown without its PCI address."


def test_a_card_of_no_known_model_is_held_against_no_table() -> None:
    told = facts().model_dump()
    told["nvml"]["cards"][1]["name"] = "NVIDIA Unheard Of"
    other = {"name": "NVIDIA Unheard Of"}
    given = sources(Facts.model_validate(told), cuda=cuda(**other), measured=measured(**other))
    states = {code: one.state for code, one in found(given).items()}
    assert {states[code] for code in ("gpu_chip", "gpu_figures", "gpu_ratio")} == {OK}


def test_a_library_beside_the_drivers_folders_is_named() -> None:
    library = {"path": "/tmp/libnvidia-ml.so.1", "size_bytes": 1, "sha256": ""}
    finding = found(sources(facts(loading={"libraries": [library]})))["library_path"]
    assert finding.state is ODD
    assert "/tmp/libnvidia-ml.so.1" in finding.message


def test_a_mount_inside_a_container_may_be_its_engines() -> None:
    told = facts(mounts=[{"path": "/usr/bin/nvidia-smi", "kind": "ext4"}])
    inside = changed(told, surroundings={"container": "docker"})
    assert found(sources(inside))["foreign_mount"].state is ODD
    assert found(sources(told))["foreign_mount"].state is CONTRADICTION


def test_a_sliced_card_is_counted_as_one() -> None:
    slices = [
        builders.gpu(n, sharing=Sharing.MIG, card="GPU-1", uuid=f"MIG-{n}").model_dump()
        for n in range(3)
    ]
    told = changed(facts(1), hardware={"gpus": slices})
    given = sources(told, cuda=cuda(1, uuid="MIG-0"), measured=measured(1, uuid="MIG-0"))
    codes = {code for code, one in found(given).items() if one.state is CONTRADICTION}
    assert codes == set()


def test_every_known_device_id_is_of_a_model_and_of_its_chip() -> None:
    for device, name in pci_ids.CARD_BY_ID.items():
        model = find(name)
        assert model is not None, name
        assert model.name == name
        assert pci_ids.capability(device) == model.compute_capability, name


def verdict_of(told: Facts, before: frozenset[str] = frozenset()) -> Any:
    look = Look(Outcome.SEEN, hardware=told.hardware, facts=told, measurement=strong())
    target = builders.target(claimed=told.hardware)
    return decide(
        hotkey=builders.ALICE,
        target=target,
        look=look,
        now_ms=builders.NOW_MS,
        contradicted_before=before,
    )


def strong() -> Measurement:
    return Measurement(cpus=1, cpu_hash_rate=10_000_000, memory_step_rate=10_000_000)


def test_facts_alone_never_ban_and_a_contradiction_suspends_only_when_found_again() -> None:
    lie = builders.facts(mounts=[{"path": "/proc/cpuinfo", "kind": "ext4"}])
    first = verdict_of(lie)
    assert first.state is VerdictState.DEGRADED
    assert [reason.code for reason in first.reasons] == ["foreign_mount"]
    assert "Unmount it" in first.reasons[0].message
    again = verdict_of(lie, before=contradictions(first.findings))
    assert again.state is VerdictState.SUSPENDED
    other = verdict_of(lie, before=frozenset({"gpu_count"}))
    assert other.state is VerdictState.DEGRADED


def test_what_is_odd_is_told_and_changes_nothing() -> None:
    marks = {"machine_id": "ab" * 32, "board": "cd" * 32}
    told = builders.facts(
        surroundings={"hypervisor": True, "vendor": "QEMU", "clock_ms": builders.NOW_MS},
        marks=marks,
    )
    verdict = verdict_of(told)
    assert verdict.state is VerdictState.VERIFIED
    assert verdict.reasons == ()
    assert [finding.code for finding in verdict.findings] == ["virtual"]
    assert verdict.marks is not None
    assert verdict.marks.board == "cd" * 32


def test_every_check_has_its_row_in_the_documentation_and_no_other_code_has() -> None:
    table = PAGE.read_text().partition("| code | compares | what to do |\n|---|---|---|\n")[2]
    assert table.partition("\n\n")[0].splitlines() == [
        f"| `{check.code}` | {check.compares} | {check.remedy} |" for check in checks.CHECKS
    ]
