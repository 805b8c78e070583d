"""This will define what every refusal is: a stable code, an HTTP status and one plain sentence."""

from typing import ClassVar


class Refused(Exception):
    """Base of every expected refusal; each one is defined beside the function that raises it.

    A subclass names ``code`` and ``status``, and ``sentence`` where it is always the same.
    """

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 409
    sentence: ClassVar[str] = "This is not possible."
    #: seconds after which the same may be possible; None: nobody knows
    retry_after_s: int | None = None

    def __init__(self, sentence: str | None = None) -> None:
        super().__init__(sentence or self.sentence)

    @property
    def detail(self) -> str:
        """Return the sentence that a person reads."""
        return str(self)
