"""This will find templates: those that come with the site, one's own, and those of everybody."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Q, QuerySet, Subquery

from marketplace.domain.problem import Refused
from marketplace.keyset import newest_first
from marketplace.placements.workload import Parts
from marketplace.templates.models import Template, TemplateVersion

PUBLIC_MAX = 100


class TemplateUnknown(Refused):
    code = "not_found"
    status = 404
    sentence = "There is no such template, or it is not yours and not public."


@dataclass(frozen=True, slots=True)
class Listed:
    """A template as a list shows it: what it runs stands in ``Known``, which may be 256 KiB."""

    #: by which it is asked for: a name, or the id of somebody's
    reference: str
    name: str
    image: str
    ports: tuple[int, ...] = ()
    #: a search that a machine fulfils where it can run; empty: any
    needs: str = ""
    note: str = ""
    #: 0: it comes with the site
    version: int = 0
    public: bool = True
    yours: bool = False


@dataclass(frozen=True, slots=True)
class Known(Listed):
    """A template in one of its versions."""

    command: tuple[str, ...] = ()
    #: may hold passwords, so no repr shows it
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def parts(self) -> Parts:
        """Return what it asks to run."""
        return Parts(
            image=self.image,
            command=self.command,
            environment=dict(self.environment),
            ports=self.ports,
        )


#: Images of others: what they hold and how they begin is theirs to change.
BUILT_IN = (
    Known("debian", "Debian", "debian:12", note="A plain system, to be made what you like."),
    Known(
        "pytorch",
        "PyTorch",
        "pytorch/pytorch:latest",
        needs="num_gpus>=1",
        note="PyTorch with CUDA. Log in by SSH and run Python.",
    ),
    Known(
        "jupyter",
        "Jupyter",
        "jupyter/scipy-notebook:latest",
        command=("start-notebook.sh", "--ip=0.0.0.0", "--port=8888"),
        ports=(8888,),
        note="Notebooks at port 8888: the rental's page opens them, logged in.",
    ),
    Known(
        "vllm",
        "vLLM",
        "vllm/vllm-openai:latest",
        command=("vllm", "serve", "Qwen/Qwen2.5-1.5B-Instruct"),
        ports=(8000,),
        needs="num_gpus>=1",
        note="An OpenAI-compatible server at port 8000. Write another model into the command.",
    ),
    Known(
        "comfyui",
        "ComfyUI",
        "yanwk/comfyui-boot:latest",
        ports=(8188,),
        needs="num_gpus>=1",
        note="Pictures from a graph of nodes, at port 8188. It fetches models as it starts.",
    ),
)


def templates(viewer_id: int | None) -> list[Listed]:
    """Return what somebody may choose from: the site's, their own by name, the newest public ones.

    ``viewer_id``: None: nobody known.
    """
    return [*own(viewer_id), *public_ones(viewer_id)[0]]


def own(viewer_id: int | None) -> list[Listed]:
    """Return the site's, and one's own by name. ``viewer_id``: None: nobody known."""
    theirs = _there().filter(owner_id=viewer_id).order_by("name", "id")
    mine = _newest(theirs, _LINES, viewer_id)
    return [*BUILT_IN, *(Listed(**_line(one, viewer_id)) for one in mine)]


def public_ones(
    viewer_id: int | None, *, after: UUID | None = None
) -> tuple[list[Listed], UUID | None]:
    """Return a page of others' public templates, newest first, and where the next one begins.

    ``after``: what was said so on the page before. The other is None where there is no next page.
    """
    public = _there().filter(public=True).exclude(owner_id=viewer_id)
    rows = _with_newest(public, viewer_id)
    page = newest_first(rows, at="created_at", after=after, rows_max=PUBLIC_MAX)
    versions = _in_order([one.newest for one in page.items], _LINES)
    return [Listed(**_line(one, viewer_id)) for one in versions], page.next_id


def at_hand(viewer_id: int | None) -> list[tuple[str, str]]:
    """Return the references and names of the site's and one's own.

    Of those of everybody there may be too many for a list. ``viewer_id``: None: nobody known.
    """
    built_in = [(one.reference, one.name) for one in BUILT_IN]
    if viewer_id is None:
        return built_in
    own = _there().filter(owner_id=viewer_id).order_by("name", "id")
    return [*built_in, *((name, name) for name in own.values_list("name", flat=True))]


def template(reference: str, viewer_id: int | None) -> Known:
    """Return a template by its id, or by the name that it has here or with the viewer.

    ``ID@2`` is its second version. One's own name goes before the site's. Of others' templates
    only versions that were saved for everybody are there.

    :raises TemplateUnknown: when there is none that the viewer may see.
    """
    name, _, number = reference.partition("@")
    mine = Q(owner_id=viewer_id)
    found = _there().filter(mine & Q(name=name))
    if not found:
        built_in = next((one for one in BUILT_IN if one.reference == reference.lower()), None)
        if built_in is not None:
            return built_in
        try:
            found = _there().filter(mine | Q(public=True), id=UUID(name))
        except ValueError:
            raise TemplateUnknown from None
    versions = _numbered(found, number, viewer_id) if number else _newest(found, _WHOLE, viewer_id)
    if not versions:
        raise TemplateUnknown
    return _known(versions[0], viewer_id)


#: Nothing is asked of the database before these are narrowed down.
_WHOLE = TemplateVersion.objects.select_related("template")
_LINES = _WHOLE.defer("command", "environment")


def _there() -> QuerySet[Template]:
    return Template.objects.filter(deleted_at=None)


def _shown(viewer_id: int | None) -> Q:
    """Return which versions somebody may see of templates that they may."""
    return Q(public=True) | Q(template__owner_id=viewer_id)


def _numbered(of: QuerySet[Template], number: str, viewer_id: int | None) -> list[TemplateVersion]:
    if not number.isascii() or not number.isdigit() or len(number) > 6:
        return []
    rows = _WHOLE.filter(_shown(viewer_id), template__in=of, number=int(number))
    return list(rows.order_by("id")[:1])


def _newest(
    of: QuerySet[Template], rows: QuerySet[TemplateVersion], viewer_id: int | None
) -> list[TemplateVersion]:
    """Return the newest version of each that somebody may see, in their order."""
    return _in_order(list(_with_newest(of, viewer_id).values_list("newest", flat=True)), rows)


def _with_newest(of: QuerySet[Template], viewer_id: int | None) -> QuerySet[Any]:
    versions = TemplateVersion.objects.filter(_shown(viewer_id), template=OuterRef("pk"))
    return of.annotate(newest=Subquery(versions.order_by("-number").values("id")[:1]))


def _in_order(ids: Sequence[int | None], rows: QuerySet[TemplateVersion]) -> list[TemplateVersion]:
    versions = rows.in_bulk([one for one in ids if one is not None])
    return [versions[one] for one in ids if one is not None]


def _known(version: TemplateVersion, viewer_id: int | None) -> Known:
    return Known(
        **_line(version, viewer_id),
        command=tuple(version.command),
        environment=version.environment,
    )


def _line(version: TemplateVersion, viewer_id: int | None) -> dict[str, Any]:
    template = version.template
    yours = template.owner_id == viewer_id
    return {
        "reference": template.name if yours else str(template.id),
        "name": template.name,
        "image": version.image,
        "ports": tuple(version.ports),
        "needs": version.needs,
        "note": version.note,
        "version": version.number,
        "public": template.public,
        "yours": yours,
    }
