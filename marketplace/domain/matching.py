"""This will decide whether a request fits a machine that may be rented now."""

from dataclasses import dataclass, replace

from marketplace.domain.problem import Refused
from protocol.hardware import Resources


class ExceedsMachine(Refused):
    """The request asks for more than the machine has in all."""

    code = "exceeds_machine"
    status = 409


class OfferTaken(Refused):
    """Somebody else took what the request needs."""

    code = "offer_taken"
    status = 409


class MachineOffline(Refused):
    """The machine does not answer."""

    code = "machine_offline"
    status = 409


class BelowMinimum(Refused):
    """The host rents out no slice that small."""

    code = "below_minimum"
    status = 409


#: what is said of a machine with GPUs while it is not verified
GPUS_UNPROVEN = "No validator vouches for its GPUs now, so they cannot be rented."


class MachineUnverified(Refused):
    """No validator vouches for the machine now."""

    code = "machine_unverified"
    status = 409


@dataclass(frozen=True, slots=True)
class Slice:
    """An amount of a machine: what it has, what is free, or what is asked for."""

    cpus: int
    memory_bytes: int
    disk_bytes: int
    gpus: int = 0

    @classmethod
    def of(cls, resources: Resources) -> "Slice":
        """Return the amount that a request in the field's shape asks for."""
        return cls(
            cpus=resources.cpu.count,
            memory_bytes=resources.ram.capacity,
            disk_bytes=resources.hard_disk.capacity,
            gpus=resources.gpu.count,
        )

    @property
    def computing(self) -> "Slice":
        """Return all of it but the disk, which a stopped placement keeps."""
        return replace(self, disk_bytes=0)

    def more(self, other: "Slice") -> "Slice":
        """Return both together."""
        return Slice(
            cpus=self.cpus + other.cpus,
            memory_bytes=self.memory_bytes + other.memory_bytes,
            disk_bytes=self.disk_bytes + other.disk_bytes,
            gpus=self.gpus + other.gpus,
        )

    def less(self, other: "Slice") -> "Slice":
        """Return what is left of it without the other, of which there may be more."""
        return Slice(
            cpus=self.cpus - other.cpus,
            memory_bytes=self.memory_bytes - other.memory_bytes,
            disk_bytes=self.disk_bytes - other.disk_bytes,
            gpus=self.gpus - other.gpus,
        )

    def with_bids(self, interruptible: "Slice") -> "Slice":
        """Return what somebody may have who outbids all, where this is free and that much is bid.

        Of either there may be less than nothing.
        """
        return Slice(
            cpus=max(0, self.cpus + interruptible.cpus),
            memory_bytes=max(0, self.memory_bytes + interruptible.memory_bytes),
            disk_bytes=max(0, self.disk_bytes + interruptible.disk_bytes),
            gpus=max(0, self.gpus + interruptible.gpus),
        )

    def exceeds(self, other: "Slice") -> tuple[str, ...]:
        """Return what there is more of here than in ``other``, in words for people.

        Of what nothing is asked for there is never too much, however far below zero the other is.
        """
        pairs = (
            ("CPUs", self.cpus, other.cpus),
            ("memory", self.memory_bytes, other.memory_bytes),
            ("disk", self.disk_bytes, other.disk_bytes),
            ("GPUs", self.gpus, other.gpus),
        )
        return tuple(name for name, mine, theirs in pairs if mine > max(0, theirs))


#: no container starts with less
SMALLEST = Slice(cpus=1, memory_bytes=64 << 20, disk_bytes=256 << 20)


def check_fits(asked: Slice, *, total: Slice, free: Slice) -> None:
    """Accept a request that the machine has room for now.

    :raises ExceedsMachine: when it never fits.
    :raises OfferTaken: when it would fit an empty machine.
    """
    if missing := asked.exceeds(total):
        raise ExceedsMachine(f"This machine does not have that much: {', '.join(missing)}.")
    if missing := asked.exceeds(free):
        raise OfferTaken(f"Somebody else took it meanwhile; not enough left: {', '.join(missing)}.")


def check_ports(asked: int, *, total: int, held: int) -> None:
    """Accept a request for so many ports of a machine, of which others have ``held``.

    :raises ExceedsMachine: when it never has that many.
    :raises OfferTaken: when too few are left.
    """
    if asked > total:
        raise ExceedsMachine(
            f"This rental needs {_ports(asked)} and this machine gives out {total};"
            " declare fewer, or choose another offer."
        )
    if asked > total - held:
        raise OfferTaken(
            f"This rental needs {_ports(asked)} and this machine has {max(0, total - held)} left;"
            " declare fewer, or choose another offer."
        )


def _ports(count: int) -> str:
    return f"{count} port{'s' * (count != 1)}"


def check_minimum(asked: Slice, *, cpus_min: int, gpus_min: int) -> None:
    """Accept a request of at least the smallest slice that the host rents out.

    :raises BelowMinimum: when it is smaller.
    """
    if asked.gpus < gpus_min or asked.cpus < cpus_min:
        gpus = [f"{gpus_min} GPU{'s' * (gpus_min > 1)}"] if gpus_min else []
        least = " and ".join([*gpus, f"{cpus_min} CPU{'s' * (cpus_min > 1)}"])
        raise BelowMinimum(f"This host rents out at least {least} at once.")


def check_rentable(*, online: bool, verified: bool) -> None:
    """Accept a machine that answers and that a validator vouches for.

    :raises MachineOffline: when it is silent.
    :raises MachineUnverified: when no valid verdict stands.
    """
    if not online:
        raise MachineOffline("This machine does not answer now; choose another offer.")
    if not verified:
        raise MachineUnverified("No validator vouches for this machine now; choose another offer.")
