"""This will write an operator's act down, in the transaction that does it."""

import getpass
import logging
from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from marketplace.domain.oversight import REASON_LENGTH_MAX, ActKind
from marketplace.oversight.models import Act

log = logging.getLogger(__name__)


def record(
    *,
    kind: ActKind,
    subject: str,
    reason: str,
    now: datetime,
    by_id: int | None = None,
    by_name: str,
    person_id: int | None = None,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> Act:
    """Keep who did what to whom and why; ``before`` and ``after`` say what changed.

    :raises TransactionManagementError: outside a transaction: without the act there is no entry,
        and without the entry no act.
    """
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("An act is recorded with what it does.")
    act = Act.objects.create(
        at=now,
        by_id=by_id,
        by_name=by_name,
        kind=kind.value,
        person_id=person_id,
        subject=subject[:200],
        reason=" ".join(reason.split())[:REASON_LENGTH_MAX],
        before=dict(before or {}),
        after=dict(after or {}),
    )
    log.info("operator acted", extra={"act_id": act.pk, "act": kind.value, "user_id": by_id})
    return act


def by_command(
    name: str,
    *,
    kind: ActKind,
    subject: str,
    now: datetime,
    reason: str = "",
    person_id: int | None = None,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> Act:
    """Keep what a command on the server did; the log names the server's user who ran it."""
    return record(
        kind=kind,
        subject=subject,
        reason=reason or f"by the command {name}",
        now=now,
        by_name=f"command {name} ({_server_user()})",
        person_id=person_id,
        before=before,
        after=after,
    )


def _server_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run a number that no name belongs to.
        return "unnamed"
