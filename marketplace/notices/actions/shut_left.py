"""This will shut what whoever left a team could still listen by, and name what they still know."""

from datetime import datetime

from django.db import transaction

from marketplace.accounts.models import User
from marketplace.accounts.queries import is_deleted
from marketplace.endpoints.models import Endpoint
from marketplace.notices import queries
from marketplace.notices.actions.deliver import KIND_OFF
from marketplace.notices.actions.notify import notify
from marketplace.notices.models import WebHook

ROWS_MAX = 100
KIND_KEY = "team_changed"
PROBLEM = "Whoever made it has no such role in the team any more."


def shut_left(*, now: datetime) -> int:
    """Return how many web hooks were shut and keys of endpoints named, each once.

    Nothing was sent to such a hook since they left: that is looked at before each delivery. Keys of
    endpoints go on, as programs of the team's customers show them; its owners are told to renew
    them.
    """
    hooks = queries.left_hooks(rows_max=ROWS_MAX)
    endpoints = queries.left_endpoints(rows_max=ROWS_MAX)
    return sum(_shut(hook, now) for hook in hooks) + sum(_name(one, now) for one in endpoints)


def _shut(hook: WebHook, now: datetime) -> bool:
    with transaction.atomic():
        mine = WebHook.objects.filter(pk=hook.pk, made_by=hook.made_by, off_at=None)
        if not mine.update(off_at=now, problem=PROBLEM):
            return False
        return notify(
            user_id=hook.user_id,
            kind=KIND_OFF,
            cause=f"web-hook-left:{hook.pk}:{now.isoformat()}",
            title="A web hook of your team was turned off",
            text=f"{_who(hook.made_by)} made it and may make none any more, so nothing is sent to"
            f" {hook.url} now. Remove it; or, if the address is yours, give it a new secret and"
            " turn it on.",
            data={"url": "/web-hooks/", "web_hook_id": str(hook.pk)},
            now=now,
        )


def _name(endpoint: Endpoint, now: datetime) -> bool:
    with transaction.atomic():
        mine = Endpoint.objects.filter(pk=endpoint.pk, key_made_by=endpoint.key_made_by)
        if not mine.update(key_made_by=None):
            return False
        return notify(
            user_id=endpoint.renter_id,
            kind=KIND_KEY,
            cause=f"endpoint-key-left:{endpoint.pk}:{now.isoformat()}",
            title=f"Renew the key of your team's endpoint {endpoint.name}"[:200],
            text=f"{_who(endpoint.key_made_by)} was shown it and rents nothing for the team any"
            " more. It opens the endpoint until you renew it, which ends it at once:"
            f" berth --team {endpoint.renter_id} endpoints key {endpoint.name}",
            data={"url": "/endpoints/", "endpoint_id": str(endpoint.pk)},
            now=now,
        )


def _who(person: User | None) -> str:
    if person is None or is_deleted(person):
        return "Somebody whose account was deleted"
    return person.email
