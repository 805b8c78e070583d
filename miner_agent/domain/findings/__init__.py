"""This will judge what was read of a machine: is it as it has to be, why, and what to do."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; ``needed``: without it the agent cannot do its work."""

    #: stable: what people and programs name it by
    id: str
    passed: bool
    #: what is, in one sentence
    actual: str
    #: what has to be, in a few words
    required: str
    #: what happens otherwise
    why: str
    #: what to do, in one sentence
    fix: str
    needed: bool = True
    #: it keeps rentals apart from this machine
    isolates: bool = False

    @property
    def sentence(self) -> str:
        """Return what a person reads: what is and, where it is not right, what to do."""
        return self.actual if self.passed else f"{self.actual} {self.fix}".strip()

    @property
    def mark(self) -> str:
        """Return the word that the line begins with."""
        if self.passed:
            return "ok"
        return "FAIL" if self.needed else "warn"
