"""This will compare what the sources say of NVIDIA's driver."""

import re

from validator.domain.checks.sources import (
    BUS,
    CLAIM,
    KERNEL,
    NVML,
    Found,
    Sources,
    contradiction,
    names,
    odd,
    ok,
    sides,
    unknown,
)

#: before this one, Linux releases had other numbers
_FIVES_SINCE = 410
#: Of a CUDA release the oldest driver. Source: CUDA compatibility guide, "minor version
#: compatibility", read 2026-11-21
_OLDEST = {11: 450, 12: 525, 13: 580}


def versions(sources: Sources) -> Found:
    """Compare the versions."""
    facts = sources.facts
    told = {
        CLAIM: names({gpu.driver for gpu in facts.hardware.gpus if gpu.driver}),
        NVML: facts.nvml.driver if facts.nvml else "",
        KERNEL: facts.driver.version,
        "its module": facts.driver.module,
    }
    shown = {name: value for name, value in told.items() if value not in ("", "none")}
    if len(shown) < 2:
        return unknown()
    return contradiction(sides(shown)) if len(set(shown.values())) > 1 else ok(sides(shown))


def release(sources: Sources) -> Found:
    """Compare the version with the numbers that releases for Linux have.

    Their first number has been a multiple of five since 410, while those for Windows have others.
    """
    facts = sources.facts
    version = facts.driver.version or (facts.nvml.driver if facts.nvml else "")
    if not version:
        return unknown("No source shows a version.")
    found = re.fullmatch(r"(\d{3})\.\d{2,3}(\.\d{2})?", version)
    if found is None:
        return odd(f"{version} is not how NVIDIA numbers its drivers.")
    branch = int(found.group(1))
    if branch >= _FIVES_SINCE and branch % 5:
        return odd(f"The driver calls itself {version}; releases for Linux are not numbered so.")
    return ok(f"{version} is numbered as a release for Linux.")


def cuda(sources: Sources) -> Found:
    """Compare the CUDA release that NVML shows with what its driver can have."""
    nvml = sources.facts.nvml
    if nvml is None or not nvml.cuda or not nvml.driver[:3].isdecimal():
        return unknown("NVML shows no CUDA release.")
    major, branch = nvml.cuda // 1000, int(nvml.driver[:3])
    told = f"NVML shows CUDA {major}.{nvml.cuda % 1000 // 10} with driver {nvml.driver}"
    if branch < _OLDEST.get(major, 0):
        return contradiction(f"{told}; it begins with driver {_OLDEST[major]}.")
    return ok(f"{told}.")


def link(sources: Sources) -> Found:
    """Compare the lanes of each card's PCI link with what the card could have."""
    cards = [card for card in sources.facts.pci if card.link_width and card.link_width_max]
    if not cards:
        return unknown("The kernel shows no PCI link.")
    narrow = [card for card in cards if card.link_width < card.link_width_max]
    if narrow:
        worst = min(narrow, key=lambda card: card.link_width)
        return odd(
            f"{names(card.pci for card in narrow)}: {worst.link_width} of"
            f" {worst.link_width_max} lanes in use on {BUS}."
        )
    widths = {card.link_width for card in cards}
    return ok(f"Every GPU has all its lanes: {', '.join(map(str, sorted(widths)))}.")
