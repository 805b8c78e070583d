"""This will judge whether the machine's GPUs can be given to rentals."""

from collections.abc import Sequence

from miner_agent.domain.findings import Finding


def driver(*, boards: int, cards: int) -> Finding:
    """Judge whether the driver shows the boards that are plugged in."""
    passed = cards > 0 or boards == 0
    return Finding(
        id="gpu-driver",
        passed=passed,
        actual=(
            f"{cards} NVIDIA GPUs were found."
            if passed
            else f"{boards} NVIDIA boards are plugged in and the driver shows none."
        ),
        required="NVIDIA's driver where there are NVIDIA boards",
        why="What the driver does not show is not offered.",
        fix="Install NVIDIA's driver for this kernel and reboot.",
        needed=False,
    )


def access(*, cards: int, wants: Sequence[str]) -> Finding:
    """Judge whether Docker can hand GPUs out; ``wants``: what is to do for that."""
    passed = not cards or not wants
    return Finding(
        id="gpu-access",
        passed=passed,
        actual=(
            "Docker can hand out this machine's GPUs, or there are none."
            if passed
            else "Docker cannot hand out this machine's GPUs."
        ),
        required="NVIDIA's container toolkit, or CDI",
        why="Every rental with a GPU would fail to start.",
        fix="" if passed else f"{'; '.join(wants).capitalize()}.",
    )


def persistence(off: Sequence[str]) -> Finding:
    """Judge whether cards stay ready while nobody uses them; ``off``: those that do not."""
    return Finding(
        id="gpu-persistence",
        passed=not off,
        actual=(
            f"Persistence mode is off for {len(off)} of the GPUs."
            if off
            else "Persistence mode is on, or there are no GPUs."
        ),
        required="on",
        why="Each first use of an idle card takes seconds longer, and its error counters go.",
        fix="Turn on nvidia-persistenced, or run: nvidia-smi -pm 1",
        needed=False,
    )
