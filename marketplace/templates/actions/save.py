"""This will keep a template under its name, or give it a newer version."""

import re
from datetime import datetime
from itertools import chain

from django.db import transaction

from marketplace.accounts.models import User
from marketplace.domain import query_language
from marketplace.domain.offer_query import NAMING
from marketplace.domain.problem import Refused
from marketplace.domain.text import lines
from marketplace.placements import workload
from marketplace.placements.workload import Parts
from marketplace.templates import queries
from marketplace.templates.models import Template, TemplateVersion
from protocol.hardware import Resources
from protocol.workload import PlacementKind

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
NOTE_MAX = 4000
TEMPLATES_MAX = 100
VERSIONS_MAX = 200
#: any: a template asks for no part of a machine
_SOME = Resources.of(cpus=1, ram_bytes=1 << 30, disk_bytes=1 << 30)


class TemplateInvalid(Refused):
    """A name or a note that cannot be kept."""

    code = "template_invalid"
    status = 422


class TokenForEverybody(Refused):
    """Everybody who rents by it would have a notebook that everybody else can open."""

    code = "template_invalid"
    status = 422
    sentence = (
        f"A public template sets no {workload.NOTEBOOK_VARIABLE}: whoever read it could open the"
        " notebooks of all who rent by it. Without it each rental gets a token of its own."
    )


class TooManyTemplates(Refused):
    code = "too_many_templates"
    status = 409
    sentence = f"You have {TEMPLATES_MAX} templates; delete one first."


class TooManyVersions(Refused):
    code = "too_many_templates"
    status = 409
    sentence = f"This template has {VERSIONS_MAX} versions; keep the next under another name."


def save(
    *,
    owner_id: int,
    name: str,
    parts: Parts,
    note: str,
    public: bool,
    now: datetime,
    needs: str = "",
) -> queries.Known:
    """Return the template as it is kept now; what changes nothing makes no version.

    ``needs``: a search that a machine fulfils where it can run.

    :raises TemplateInvalid: when its name or note cannot be kept.
    :raises TokenForEverybody: when it is public and sets the token of notebooks.
    :raises TextRefused: when its note, what it needs, or what everybody would read of what it
        runs, shows something else than it says.
    :raises QueryInvalid: when what it needs is no search.
    :raises ImageMalformed: when no image can have that name.
    :raises WorkloadInvalid: when a part is out of bounds.
    :raises TooManyTemplates: when its owner has as many as there may be.
    :raises TooManyVersions: when it has.
    """
    if not NAME.fullmatch(name):
        raise TemplateInvalid("A name has up to 40 of a-z, 0-9, dots and dashes, such as my-env.")
    told = lines(note)
    if len(told) > NOTE_MAX:
        raise TemplateInvalid(f"A note has {NOTE_MAX} characters at most.")
    conditions = query_language.parse(needs).conditions
    checked = workload.new(PlacementKind.RENTAL, parts, resources=_SOME)
    if public:
        if workload.NOTEBOOK_VARIABLE in checked.environment:
            raise TokenForEverybody
        if any(one.field in NAMING for one in conditions):
            raise TemplateInvalid("What a public template needs names no machine and no host.")
        for text in (*checked.command, *chain(*checked.environment.items())):
            lines(text)
    content: dict[str, object] = {
        "image": checked.image,
        "command": list(checked.command),
        "environment": dict(checked.environment),
        "ports": list(checked.ports),
        "needs": lines(needs),
        "note": told,
    }
    with transaction.atomic():
        # Two who save at once wait for each other here.
        User.objects.select_for_update(no_key=True).get(pk=owner_id)
        template = Template.objects.filter(owner_id=owner_id, name=name, deleted_at=None).first()
        if template is None:
            if Template.objects.filter(owner_id=owner_id, deleted_at=None).count() >= TEMPLATES_MAX:
                raise TooManyTemplates
            template = Template.objects.create(owner_id=owner_id, name=name, created_at=now)
        _add_version(template, content, now, public=public)
        if template.public != public:
            Template.objects.filter(pk=template.pk).update(public=public)
    return queries.template(name, owner_id)


def _add_version(
    template: Template, content: dict[str, object], now: datetime, *, public: bool
) -> None:
    newest = template.versions.order_by("-number").first()
    if newest and all(getattr(newest, name) == value for name, value in content.items()):
        # Who saves the same as private takes it back, whatever becomes public after it.
        if newest.public != public:
            TemplateVersion.objects.filter(pk=newest.pk).update(public=public)
        return
    number = newest.number + 1 if newest else 1
    if number > VERSIONS_MAX:
        raise TooManyVersions
    TemplateVersion.objects.create(
        template=template, number=number, public=public, created_at=now, **content
    )
