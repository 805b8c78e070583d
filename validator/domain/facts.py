"""This will read what a machine says it has. A claim of the host, never a proof."""

from pydantic import ValidationError

from protocol.facts import Facts
from validator.domain.json_line import LineRefused, parse_object

#: bytes of the ``facts`` answer at most; 64 GPUs take about 60 kB
FACTS_BYTES_MAX = 131_072


class FactsRefused(ValueError):
    """The facts are malformed; the message says what is wrong in one sentence."""


def parse(line: bytes) -> Facts:
    """Return what the machine's ``facts`` line tells of itself.

    :raises FactsRefused: when the line is too long, hostile or not the agreed shape.
    """
    try:
        return Facts.model_validate(parse_object(line, bytes_max=FACTS_BYTES_MAX))
    except LineRefused as error:
        raise FactsRefused(str(error)) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:60]
        raise FactsRefused(f"The field {where!r} is wrong: {first['msg'][:100]}.") from error
