"""This will find a person's papers."""

import re
from collections.abc import Sequence

from marketplace.domain.problem import Refused
from marketplace.papers.models import PREFIXES, Paper

PAPERS_MAX = 500
NUMBER = re.compile(r"(?P<prefix>INV|RCT|CRN)-(?P<serial>[0-9]{6,12})")
KINDS = {prefix: kind for kind, prefix in PREFIXES.items()}


class PaperUnknown(Refused):
    code = "not_found"
    status = 404
    sentence = "You have no paper of this number; see the list of your invoices."


def papers(user_id: int, limit: int = PAPERS_MAX) -> Sequence[Paper]:
    """Return the person's newest papers, newest first."""
    rows = Paper.objects.filter(user_id=user_id).order_by("-issued_at", "kind", "-serial")
    return tuple(rows[:limit])


def find(user_id: int, number: str) -> Paper:
    """Return the person's paper of this number.

    :raises PaperUnknown: when they have none.
    """
    match = NUMBER.fullmatch(number)
    if match is not None:
        mine = Paper.objects.filter(user_id=user_id, kind=KINDS[match["prefix"]])
        found = mine.filter(serial=int(match["serial"])).first()
        if found is not None:
            return found
    raise PaperUnknown
