"""This will serve templates over the REST API."""

from typing import Annotated
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema, Status
from pydantic import Field

from marketplace.accounts.bearer import ApiKeyBearer, caller, viewer_id
from marketplace.domain import query_language
from marketplace.json_body import JsonBody
from marketplace.placements.workload import Parts
from marketplace.templates import queries
from marketplace.templates.actions import delete, save
from protocol.workload import COMMAND_WORD_MOST, COMMAND_WORDS_MOST

router = Router(tags=["templates"], auth=ApiKeyBearer())
Word = Annotated[str, Field(max_length=COMMAND_WORD_MOST)]
Variables = Annotated[dict[str, Annotated[str, Field(max_length=32_768)]], Field(max_length=512)]


class TemplateLine(Schema):
    #: by which it is asked for: a name, or the id of somebody else's
    reference: str
    name: str
    #: from 1 on; 0: it comes with the site
    version: int
    image: str
    ports: list[int]
    #: a search that a machine fulfils where it can run, such as "num_gpus>=1"; empty: any
    needs: str
    note: str
    public: bool
    yours: bool


class TemplateReply(TemplateLine):
    command: list[str]
    environment: dict[str, str]


class TemplateList(Schema):
    #: what each runs and its variables: ask for it by its reference
    items: list[TemplateLine]
    #: as ``cursor`` it gives the next page, of public ones alone; null: there is none
    next_cursor: UUID | None


class TemplateRequest(JsonBody):
    image: Annotated[str, Field(max_length=500)]
    command: Annotated[tuple[Word, ...], Field(max_length=COMMAND_WORDS_MOST)] = ()
    environment: Variables = Field(default_factory=dict)
    #: TCP ports inside that are published beside the SSH door
    ports: Annotated[tuple[Annotated[int, Field(ge=1, le=65_535)], ...], Field(max_length=64)] = ()
    #: a search that a machine fulfils where it can run: whoever begins with it sees only those
    needs: Annotated[str, Field(max_length=query_language.TEXT_MAX)] = ""
    #: what it is for and how it is used
    note: Annotated[str, Field(max_length=save.NOTE_MAX)] = ""
    #: true: everybody sees it, with its variables, in the versions that are saved so
    public: bool = False


@router.get("/templates", response=TemplateList, auth=None)
def index(request: HttpRequest, cursor: UUID | None = None) -> TemplateList:
    """List the site's templates, with an API key your own, and public ones, newest first."""
    viewer = viewer_id(request)
    others, next_cursor = queries.public_ones(viewer, after=cursor)
    first = queries.own(viewer) if cursor is None else []
    items = [TemplateLine.from_orm(one) for one in [*first, *others]]
    return TemplateList(items=items, next_cursor=next_cursor)


@router.get("/templates/{name}", response=TemplateReply, auth=None)
def show(request: HttpRequest, name: str) -> TemplateReply:
    """Show one template; ``name@2`` is its second version, and an id asks for somebody else's.

    Of somebody else's there are the versions that were saved as public.
    """
    return TemplateReply.from_orm(queries.template(name, viewer_id(request)))


@router.put("/templates/{name}", response=TemplateReply)
def keep(request: HttpRequest, name: str, payload: TemplateRequest) -> TemplateReply:
    """Keep a template of yours under this name; one that is there gets a newer version."""
    known = save.save(
        owner_id=caller(request).pk,
        name=name,
        parts=Parts(
            image=payload.image,
            command=payload.command,
            environment=payload.environment,
            ports=payload.ports,
        ),
        needs=payload.needs,
        note=payload.note,
        public=payload.public,
        now=timezone.now(),
    )
    return TemplateReply.from_orm(known)


@router.delete("/templates/{name}", response={204: None})
def remove(request: HttpRequest, name: str) -> Status[None]:
    """Delete a template of yours; what was rented by it goes on."""
    delete.delete(owner_id=caller(request).pk, name=name, now=timezone.now())
    return Status(204, None)
