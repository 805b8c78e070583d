"""This will compare every source of a machine with every other: the table of checks.

Facts are claims, so no finding convicts by itself. What is odd is shown and changes nothing. A
contradiction makes a machine *degraded*, and *suspended* when it is found in two looks in a row;
see ``verdict.py``. Nothing here bans. Source: gpu_verification.md 4.2 and 4.3.
"""

from protocol.validator import Finding, FindingState
from validator.domain.checks import cards, driver, machine, models, speed
from validator.domain.checks.sources import Check, Sources

#: in the order in which a report shows them
CHECKS = (
    Check(
        code="gpu_count",
        compares="the number of GPUs by the agent, NVML, the kernel's driver, CUDA, the proof, the"
        " PCI bus and `/dev`",
        look=cards.count,
        remedy="Restart the machine. If a card is still missing, reseat it or replace it.",
        of_gpus=False,
    ),
    Check(
        code="gpu_uuid",
        compares="the UUIDs of the GPUs by the agent, NVML, the kernel's driver and CUDA",
        look=cards.uuids,
        remedy="Install NVIDIA's own driver anew and restart the machine.",
    ),
    Check(
        code="gpu_address",
        compares="the PCI addresses by NVML, the kernel's driver, CUDA and the bus",
        look=cards.addresses,
        remedy="Install NVIDIA's own driver anew and restart the machine.",
    ),
    Check(
        code="driver_version",
        compares="the driver's version by the agent, NVML, the kernel and its module",
        look=driver.versions,
        remedy="The driver was upgraded while the old one runs: restart the machine.",
    ),
    Check(
        code="driver_release",
        compares="the driver's version with how releases for Linux are numbered",
        look=driver.release,
        remedy="Install a driver for Linux from NVIDIA or your distribution.",
    ),
    Check(
        code="cuda_release",
        compares="the CUDA release that NVML shows with what that driver can have",
        look=driver.cuda,
        remedy="Install NVIDIA's own driver anew and restart the machine.",
    ),
    Check(
        code="gpu_chip",
        compares="the PCI device id with the name and compute capability of the card",
        look=models.chip,
        remedy="List the card as what it is. If it is right, tell us its device id.",
    ),
    Check(
        code="gpu_figures",
        compares="the name with the processors, memory bus and memory that CUDA shows",
        look=models.figures,
        remedy="List the card as what it is. If it is right, tell us its figures.",
    ),
    Check(
        code="gpu_ratio",
        compares="operations for each byte read, as measured, with the model's",
        look=models.ratio,
        remedy="Check cooling and power limits of the card.",
    ),
    Check(
        code="gpu_hash_rate",
        compares="the measured hash rate with the number of processors and their clock",
        look=models.hash_rate,
        remedy="Check cooling and power limits of the card.",
    ),
    Check(
        code="gpu_memory_used",
        compares="the memory in use of GPUs that nobody rents with that of an idle one",
        look=cards.memory_used,
        remedy="Stop what else runs on the GPUs.",
    ),
    Check(
        code="pci_link",
        compares="the lanes in use of each card's PCI link with those it has",
        look=driver.link,
        remedy="Reseat the card, or move it to a wider slot.",
    ),
    Check(
        code="library_path",
        compares="the paths of NVIDIA's libraries in the agent's memory with where they belong",
        look=machine.libraries,
        remedy="Remove copies of NVIDIA's libraries and restart the agent.",
    ),
    Check(
        code="preload",
        compares="`/etc/ld.so.preload`, `LD_PRELOAD` and `LD_AUDIT` with nothing",
        look=machine.preload,
        remedy="Remove it, unless you know what put it there, and restart the agent.",
        of_gpus=False,
    ),
    Check(
        code="foreign_mount",
        compares="the mounts over `/proc`, `/sys` and NVIDIA's libraries with none",
        look=machine.mounts,
        remedy="Unmount it and restart the agent.",
        of_gpus=False,
    ),
    Check(
        code="cpu_count",
        compares="the CPUs offered with those listed, usable and allowed",
        look=machine.processors,
        remedy="Restart the agent, so that it offers what it has.",
        of_gpus=False,
    ),
    Check(
        code="memory_size",
        compares="the memory offered with what the kernel and the control group have",
        look=machine.memory,
        remedy="Restart the agent, so that it offers what it has.",
        of_gpus=False,
    ),
    Check(
        code="virtual",
        compares="signs of a hypervisor or container with a machine of its own",
        look=machine.surroundings,
        remedy="Nothing is to be done; renters can see it.",
        of_gpus=False,
    ),
    Check(
        code="kernel_forced",
        compares="the kernel's taint with that of a module loaded by force",
        look=machine.kernel,
        remedy="Remove the module that was loaded by force and restart the machine.",
        of_gpus=False,
    ),
    Check(
        code="clock",
        compares="the machine's clock with the validator's",
        look=machine.clock,
        remedy="Keep the clock right: `timedatectl set-ntp true`.",
        of_gpus=False,
    ),
    Check(
        code="disk_speed",
        compares="the measured disk with a slow SSD",
        look=speed.disk,
        remedy="Keep Docker's data on an SSD.",
        of_gpus=False,
    ),
    Check(
        code="network_speed",
        compares="the measured line with one of 50 Mbit/s",
        look=speed.network,
        remedy="Use a wired line without a limit, or ask your provider.",
        of_gpus=False,
    ),
)


def compare(sources: Sources) -> tuple[Finding, ...]:
    """Return what each check found, in the table's order; those of GPUs only where there is one."""
    return tuple(
        _finding(check, sources) for check in CHECKS if sources.has_gpus or not check.of_gpus
    )


def _finding(check: Check, sources: Sources) -> Finding:
    state, message = check.look(sources)
    bad = state in (FindingState.ODD, FindingState.CONTRADICTION)
    remedy = check.remedy if bad else ""
    return Finding(code=check.code, state=state, message=message[:500], remedy=remedy)
