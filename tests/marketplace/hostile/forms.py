"""What the forms of a page send, read from the page as a browser would."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

from django.test import Client
from django.urls import resolve

from tests.browser.world import World

#: what people write in, or a script that speaks for them
WRITTEN = frozenset({"text", "search", "email", "number", "password", "hidden", "url", "textarea"})
TOKEN = "csrfmiddlewaretoken"


@dataclass
class Form:
    """Where it leads, and what it sends as it is shown."""

    action: str
    method: str
    sends: dict[str, str] = field(default_factory=dict)
    #: names of fields, by what they are
    kinds: dict[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Return its address without what the page fills in."""
        return self.action.partition("?")[0].partition("#")[0]

    @property
    def written(self) -> list[str]:
        """Return the names of the fields that take any text."""
        return [name for name, kind in self.kinds.items() if kind in WRITTEN and name != TOKEN]


class _Reader(HTMLParser):
    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address
        self.forms: list[Form] = []
        self.open: Form | None = None
        self.choosing = self.writing = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        name = told.get("name", "")
        if tag == "form":
            action = told.get("action") or self.address
            self.open = Form(action, told.get("method", "get").lower())
            self.forms.append(self.open)
        elif self.open is None:
            return
        elif tag == "option" and self.choosing:
            if "selected" in told or self.choosing not in self.open.sends:
                self.open.sends[self.choosing] = told.get("value", "")
        elif name and tag in {"input", "select", "textarea", "button"}:
            self._field(self.open, tag, name, told)

    def _field(self, form: Form, tag: str, name: str, told: Mapping[str, str]) -> None:
        kind = told.get("type", "text") if tag == "input" else tag
        form.kinds[name] = kind
        if tag == "select":
            self.choosing = name
        elif tag == "textarea":
            self.writing = name
            form.sends[name] = ""
        elif kind not in {"checkbox", "radio"} or "checked" in told:
            form.sends.setdefault(name, told.get("value", ""))

    def handle_data(self, data: str) -> None:
        if self.open is not None and self.writing:
            self.open.sends[self.writing] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.open = None
        elif tag == "select":
            self.choosing = ""
        elif tag == "textarea":
            self.writing = ""


def forms_of(browser: Client, world: World) -> Iterator[Form]:
    """Yield each form of each page once: one whose address only names another row is the same."""
    known = set()
    for address in sorted(set(world.addresses())):
        reply = browser.get(address)
        html = "text/html" in reply.headers["Content-Type"]
        if reply.status_code != 200 or reply.streaming or not html:
            continue
        reader = _Reader(address)
        reader.feed(reply.content.decode())
        for one in reader.forms:
            same = (resolve(one.path).route, one.method, *sorted(one.kinds))
            if same not in known:
                known.add(same)
                yield one
