"""This will see, for all terminals of a process at once, which of them have to end."""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID
from weakref import WeakKeyDictionary

from django.utils import timezone

from marketplace.accounts.log_ins import Visitor, still
from marketplace.domain.terminal import OPEN_A_PERSON_MAX, OPEN_A_TEAM_MAX, SEEN_EVERY_S
from marketplace.endpoints.gateway.addresses import Addresses
from marketplace.terminals import queries
from marketplace.terminals.models import TerminalSession
from marketplace.terminals.visitor import NEEDED
from marketplace.watch import Watch

TICK_S = 2.0
#: that one process holds
TERMINALS_MAX = 200
#: of one person: sockets whose page has said nothing yet, or whose rental is being looked up
UNHEARD_A_PERSON_MAX = 2


@dataclass(frozen=True, slots=True)
class Held:
    """A terminal of this process, and who opened it."""

    session_id: UUID
    visitor: Visitor


class Hall:
    """The terminals of one process. It belongs to one event loop."""

    def __init__(self) -> None:
        self.addresses = Addresses()
        self.watch: Watch[Held, str] = Watch(look, tick_s=TICK_S)
        #: of each person; those that log in, too
        self._terminals: Counter[int] = Counter()
        #: the same, by the account that they are for
        self._of_teams: Counter[int] = Counter()
        self._unheard: Counter[int] = Counter()

    def is_full(self, who: Visitor) -> bool:
        """Say whether this process opens no further terminal for them, or for their team."""
        return (
            self._terminals[who.person_id] >= OPEN_A_PERSON_MAX
            or self._of_teams[who.user_id] >= OPEN_A_TEAM_MAX
            or self._terminals.total() >= TERMINALS_MAX
        )

    def is_crowded(self, who: Visitor) -> bool:
        """Say whether that person's pages that ask are as many as may be."""
        return self._unheard[who.person_id] >= UNHEARD_A_PERSON_MAX

    @contextmanager
    def holding(self, who: Visitor) -> Iterator[None]:
        """Count one terminal of that person and of whom it is for."""
        with _one_more(self._terminals, who.person_id), _one_more(self._of_teams, who.user_id):
            yield

    def hearing(self, who: Visitor) -> AbstractContextManager[None]:
        """Count one page of that person that asks. It takes no terminal's place."""
        return _one_more(self._unheard, who.person_id)


@contextmanager
def _one_more(counted: Counter[int], user_id: int) -> Iterator[None]:
    counted[user_id] += 1
    try:
        yield
    finally:
        counted[user_id] -= 1
        if not counted[user_id]:
            del counted[user_id]


def look(held: Collection[Held], _new: Collection[Held]) -> Mapping[Held, str]:
    """Return why each of them has to end; empty: it goes on."""
    renters = queries.renters([one.session_id for one in held])
    known = still({one.visitor for one in held}, NEEDED)
    _note_alive(renters)
    return {one: _why(one, renters, known) for one in held}


def _why(one: Held, renters: Mapping[UUID, int], known: Collection[Visitor]) -> str:
    if one.visitor not in known:
        return "logged_out"
    return "" if renters.get(one.session_id) == one.visitor.user_id else "rental_over"


def _note_alive(session_ids: Collection[UUID]) -> None:
    now = timezone.now()
    quiet = now - timedelta(seconds=SEEN_EVERY_S)
    TerminalSession.objects.filter(id__in=list(session_ids), seen_at__lt=quiet).update(seen_at=now)


_halls: WeakKeyDictionary[asyncio.AbstractEventLoop, Hall] = WeakKeyDictionary()


def of_this_process() -> Hall:
    """Return the hall of the running event loop."""
    return _halls.setdefault(asyncio.get_running_loop(), Hall())
