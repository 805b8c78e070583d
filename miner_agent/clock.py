"""This will read the machine's clocks: the one that never steps and the wall's."""

import time
from pathlib import Path
from typing import Protocol

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Clock(Protocol):
    """The only source of time for the agent."""

    def boot_ms(self) -> int:
        """Return milliseconds since boot; it counts on while the machine sleeps, never steps."""
        ...

    def wall_ms(self) -> int:
        """Return milliseconds since 1970 in UTC."""
        ...

    def boot_id(self) -> str:
        """Return what changes with every boot."""
        ...


class MachineClock:
    """The clocks of the Linux machine underneath."""

    def boot_ms(self) -> int:
        """Return CLOCK_BOOTTIME in milliseconds."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000

    def wall_ms(self) -> int:
        """Return the wall clock in milliseconds."""
        return time.time_ns() // 1_000_000

    def boot_id(self) -> str:
        """Return the kernel's boot id."""
        return BOOT_ID.read_text().strip()
