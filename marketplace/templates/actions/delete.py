"""This will take a template away; what was rented by it goes on."""

from datetime import datetime

from marketplace.templates.models import Template
from marketplace.templates.queries import TemplateUnknown


def delete(*, owner_id: int, name: str, now: datetime) -> None:
    """Let nobody find it any more; its name is free again.

    :raises TemplateUnknown: when the person has none of this name.
    """
    theirs = Template.objects.filter(owner_id=owner_id, name=name, deleted_at=None)
    if not theirs.update(deleted_at=now):
        raise TemplateUnknown
