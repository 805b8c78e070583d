"""This will keep what one runs again and again under a name, at the marketplace."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from berth.exchange import Call, Exchange
from berth.paging import pages
from berth.reading import read
from berth.shapes import Shape


class TemplateLine(Shape):
    """A template as lists show it."""

    #: by which it is asked for: a name, or the id of somebody else's
    reference: str
    name: str
    #: from 1 on; 0: it comes with the site
    version: int = 0
    image: str
    ports: tuple[int, ...] = ()
    #: a search that a machine fulfils where it can run; empty: any
    needs: str = ""
    note: str = ""
    public: bool = False
    yours: bool = False


class Template(TemplateLine):
    """What runs, under a name."""

    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}


class TemplateList(Shape):
    items: tuple[TemplateLine, ...] = ()


class Templates:
    """Templates of one renter. Every method raises Refused or CannotReach (problem.py)."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def all(self) -> tuple[TemplateLine, ...]:
        """Return the site's, your own and public ones; ``one`` returns all of one."""
        found: list[TemplateLine] = []
        for answer in pages(self._exchange, "/templates"):
            found += read(TemplateList, answer).items
        return tuple(found)

    def one(self, reference: str) -> Template:
        """Return a template; ``name@2`` is its second version."""
        return read(Template, self._exchange.send(Call("GET", _path(reference), repeatable=True)))

    def keep(
        self,
        name: str,
        *,
        image: str,
        command: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        ports: Sequence[int] = (),
        needs: str = "",
        note: str = "",
        public: bool = False,
    ) -> Template:
        """Return the template as it is kept; one of this name gets a newer version."""
        body = {
            "image": image,
            "command": list(command),
            "environment": dict(environment or {}),
            "ports": list(ports),
            "needs": needs,
            "note": note,
            "public": public,
        }
        return read(
            Template, self._exchange.send(Call("PUT", _path(name), body=body, repeatable=True))
        )

    def delete(self, name: str) -> None:
        """Delete one of yours; what was rented by it goes on."""
        self._exchange.send(Call("DELETE", _path(name), repeatable=True))


def _path(name: str) -> str:
    return f"/templates/{quote(name, safe='')}"
