"""This will break things at random: processes, machines, clocks and networks."""

from collections.abc import Callable, Sequence

from tests.faults.machine import Machine
from tests.faults.market import Market
from tests.faults.world import HOUR_MS, World

#: the mean time between two blows of each kind, over the whole world
EVERY_MS = {
    "kill agent": HOUR_MS // 6,
    "restart engine": HOUR_MS // 2,
    "restart host": HOUR_MS,
    "cut off": HOUR_MS // 3,
    "silence marketplace": HOUR_MS // 2,
    "end a workload": HOUR_MS // 3,
    "set a clock": HOUR_MS,
    "shut a door": HOUR_MS // 4,
}


class Nemesis:
    """Whatever can go wrong, as often as it must to be met in every combination."""

    def __init__(self, world: World, market: Market, machines: Sequence[Machine]) -> None:
        self._world, self._market, self._machines = world, market, machines
        self._blows: dict[str, Callable[[], None]] = {
            "kill agent": lambda: self._one().kill_agent(),
            "restart engine": self._restart_engine,
            "restart host": lambda: self._one().restart_host(),
            "cut off": self._cut_off,
            "silence marketplace": self._silence,
            "end a workload": self._end_a_workload,
            "set a clock": self._set_a_clock,
            "shut a door": self._shut_a_door,
        }

    def begin(self) -> None:
        """Strike for as long as the world is faulty."""
        for name in self._blows:
            self._strike_later(name)

    def relent(self) -> None:
        """Mend everything, so that the world can settle."""
        self._world.faulty = False
        for machine in self._machines:
            machine.silent, machine.wall_off_ms = False, 0
            machine.start_agent()

    def _strike_later(self, name: str) -> None:
        self._world.after(self._world.gap_ms(EVERY_MS[name]), name, lambda: self._strike(name))

    def _strike(self, name: str) -> None:
        if self._world.faulty:
            self._blows[name]()
            self._strike_later(name)

    def _one(self) -> Machine:
        return self._world.chance.choice(self._machines)

    def _restart_engine(self) -> None:
        self._one().restart_engine(down_ms=self._world.chance.uniform(2000, 60_000))

    def _cut_off(self) -> None:
        machine = self._one()
        machine.silent = True
        longest = self._world.chance.choice((20_000, 120_000, 900_000, 2 * HOUR_MS))
        self._world.after(
            self._world.chance.uniform(1000, longest), "heal", lambda: self._heal(machine)
        )

    def _heal(self, machine: Machine) -> None:
        machine.silent = False
        machine.disturbed_ms = self._world.now_ms

    def _silence(self) -> None:
        self._market.fall_silent(down_ms=self._world.chance.uniform(2000, 240_000))

    def _end_a_workload(self) -> None:
        engine = self._one().engine
        running = sorted(engine.running())
        if running:
            engine.stop_one(self._world.chance.choice(running))

    def _shut_a_door(self) -> None:
        engine = self._one().engine
        open_doors = sorted(engine.running() - engine.shut_since_ms.keys())
        if open_doors:
            engine.shut_door(self._world.chance.choice(open_doors))

    def _set_a_clock(self) -> None:
        machine = self._one()
        machine.wall_off_ms = self._world.chance.choice(
            (-3_600_000, -20_000, 2000, 40_000, 3_600_000)
        )
        if abs(machine.wall_off_ms) > 60_000:
            # The host's own time service mends what is far off.
            self._world.after(300_000, "clock mended", lambda: self._mend_clock(machine))

    def _mend_clock(self, machine: Machine) -> None:
        machine.wall_off_ms = 0
        machine.disturbed_ms = self._world.now_ms
