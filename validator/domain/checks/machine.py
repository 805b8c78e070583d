"""This will compare what is loaded, mounted and offered with what an honest machine has."""

from validator.domain.checks.sources import (
    Found,
    Sources,
    contradiction,
    names,
    odd,
    ok,
    unknown,
)
from validator.domain.words import counted, duration, size

#: lxcfs shows a container its own limits in place of the machine's
LXCFS = "fuse.lxcfs"
#: where distributions, NVIDIA's container toolkit and NixOS keep the driver's libraries
LIBRARY_FOLDERS = (
    "/lib",
    "/usr/lib",
    "/usr/local/cuda",
    "/usr/local/nvidia",
    "/nix/store/",
    "/run/opengl-driver",
)
#: a module was loaded by force. Source: Linux, admin-guide/tainted-kernels, read 2026-11-21
TAINT_FORCED = 1 << 1
#: it was read when the look began, and held against the validator's when it ended
CLOCK_AHEAD_MS_MAX, CLOCK_BEHIND_MS_MAX = 30_000, 5 * 60_000
#: kernels keep some of the memory for themselves
MEMORY_PPM_MAX = 1_010_000
PPM = 1_000_000


def preload(sources: Sources) -> Found:
    """Look for libraries that every program of the machine is made to load."""
    loading = sources.facts.loading
    variables = [one for one in loading.variables if one.startswith(("LD_PRELOAD=", "LD_AUDIT="))]
    if loading.preloaded:
        return odd(f"/etc/ld.so.preload makes every program load {names(loading.preloaded)}.")
    if variables:
        return odd(f"The agent runs with {names(variables)}.")
    return ok("Nothing is preloaded.")


def libraries(sources: Sources) -> Found:
    """Compare the paths of the libraries in the agent's memory with where they belong."""
    found = sources.facts.loading.libraries
    if not found:
        return unknown("The agent has none of NVIDIA's libraries in its memory.")
    astray = [one.path for one in found if not one.path.startswith(LIBRARY_FOLDERS)]
    if astray:
        return odd(f"The agent loads {names(astray)}, which is not where such a library belongs.")
    return ok(f"{names(one.path for one in found)}.")


def mounts(sources: Sources) -> Found:
    """Look for what is mounted over the places that facts are read from."""
    found = sources.facts.mounts
    foreign = [one for one in found if one.kind != LXCFS]
    if foreign and not sources.facts.surroundings.container:
        shown = names(f"{one.path} ({one.kind})" for one in foreign)
        return contradiction(f"Mounted over what the kernel shows: {shown}.")
    if found:
        return odd(f"The machine is a container that is shown {names(one.path for one in found)}.")
    return ok("Nothing is mounted over what the kernel shows.")


def processors(sources: Sources) -> Found:
    """Compare the processors offered with those listed, usable and allowed."""
    told, offered = sources.facts.processors, sources.facts.hardware.cpus
    if offered > told.listed > 0:
        return contradiction(
            f"The agent offers {counted(offered, 'CPU')}; /proc/cpuinfo lists {told.listed}."
        )
    allowed = told.usable * 1000
    if told.quota_milli is not None:
        allowed = min(allowed, told.quota_milli)
    if offered * 1000 > allowed:
        return contradiction(
            f"The agent offers {counted(offered, 'CPU')}, but may itself use {allowed / 1000:g}."
        )
    return ok(f"{counted(offered, 'CPU')} of {told.listed} offered.")


def memory(sources: Sources) -> Found:
    """Compare the memory offered with what there is and what is allowed."""
    told, offered = sources.facts.processors, sources.facts.hardware.memory_bytes
    there = told.memory_bytes
    if told.memory_limit_bytes is not None:
        there = min(there, told.memory_limit_bytes)
    if offered * PPM > there * MEMORY_PPM_MAX:
        return contradiction(
            f"The agent offers {size(offered)} of memory; there are {size(there)}."
        )
    return ok(f"{size(offered)} of {size(there)} offered.")


def surroundings(sources: Sources) -> Found:
    """Say whether the machine is one of its own. Renting out a rented machine is allowed."""
    told = sources.facts.surroundings
    what = " ".join((told.vendor, told.product)).strip()
    if told.container:
        return odd(f"The agent runs in a container ({told.container}).")
    if told.hypervisor:
        return odd(f"A virtual machine{f': {what}' if what else ''}.")
    return ok(what or "No sign of a virtual machine.")


def kernel(sources: Sources) -> Found:
    """Look for a module that was loaded by force."""
    taint = sources.facts.surroundings.taint
    if taint & TAINT_FORCED:
        return odd(f"A kernel module was loaded by force (taint {taint}).")
    return ok(f"No module was loaded by force (taint {taint}).")


def clock(sources: Sources) -> Found:
    """Compare the machine's clock with the validator's."""
    ahead = sources.facts.surroundings.clock_ms - sources.now_ms
    if ahead > CLOCK_AHEAD_MS_MAX:
        return odd(f"The machine's clock is {duration(ahead)} ahead of the validator's.")
    if -ahead > CLOCK_BEHIND_MS_MAX:
        return odd(f"The machine's clock is {duration(-ahead)} behind the validator's.")
    return ok("The machine's clock agrees with the validator's.")
