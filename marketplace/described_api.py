"""This will describe the REST API to programs: its errors, its codes and who may call what."""

import re
from collections.abc import Callable, Mapping
from copy import copy
from functools import cached_property, wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.urls import URLPattern, URLResolver
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema

from marketplace.domain.problem import Refused

PROBLEM_TYPE = "application/problem+json"
#: codes of many places in words that hold for each
OF_THE_FRAME = {
    "unauthenticated": ({401}, "The API key or the signature is missing or wrong."),
    "invalid": ({400, 405, 422}, "The request has a wrong shape or method."),
    "not_found": ({404}, "There is no such thing, or it is not yours."),
    "clock_skew": ({401}, "The signed time is too far from ours; set the clock."),
    "too_large": ({413}, "The request is too large."),
}
ABOUT = """\
Amounts are integers in micro-USD, times are UTC. Every error has the content type
`application/problem+json` and the body `{status, code, detail}`: `code` is stable, `detail` is one
sentence for people. 429 comes with `Retry-After`. A new API key: `POST /api/v1/auth/key`.

| code | status | for example |
|---|---|---|
"""
#: by another name than protocol.agent.Problem, which verdicts name their reasons by
SHAPE = "ProblemDetails"
PROBLEM = {
    "title": SHAPE,
    "type": "object",
    "required": ["status", "code", "detail"],
    "properties": {
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable; the table in the description."},
        "detail": {"type": "string", "description": "One plain sentence for people."},
    },
}


def problem(status: int, code: str, detail: str) -> HttpResponse:
    """Return the one shape of every error (RFC 9457)."""
    return JsonResponse(
        {"status": status, "code": code, "detail": detail},
        status=status,
        content_type=PROBLEM_TYPE,
    )


def codes() -> Mapping[str, tuple[frozenset[int], str]]:
    """Return the statuses and one sentence of each stable code that this process can answer."""
    found = {code: (statuses, text) for code, (statuses, text) in OF_THE_FRAME.items()}
    for refused in _below(Refused):
        statuses, text = found.get(refused.code, (set(), ""))
        found[refused.code] = (statuses | {refused.status}, text or _sentence(refused))
    return {code: (frozenset(found[code][0]), found[code][1]) for code in sorted(found)}


def _below(kind: type[Refused]) -> list[type[Refused]]:
    direct = [one for one in kind.__subclasses__() if one.__module__.startswith("marketplace.")]
    return direct + [one for parent in direct for one in _below(parent)]


def _sentence(refused: type[Refused]) -> str:
    if refused.sentence != Refused.sentence:
        return refused.sentence
    return (refused.__doc__ or refused.sentence).partition("\n")[0]


class DescribedAPI(NinjaAPI):
    """Answers every error in one shape and says so in its description."""

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        """Return the library's description with errors, codes, summaries and who may call."""
        prefix = self.get_root_path(path_params or {}) if path_prefix is None else path_prefix
        if prefix not in self._described:
            self._described[prefix] = self._describe(prefix)
        schema = copy(self._described[prefix])
        rows = (
            f"| `{code}` | {', '.join(str(status) for status in sorted(statuses))} | {text} |\n"
            for code, (statuses, text) in codes().items()
        )
        schema["info"] = schema["info"] | {"description": ABOUT + "".join(rows)}
        return schema

    @cached_property
    def _described(self) -> dict[str, OpenAPISchema]:
        """By the path that all others begin with: to describe all operations takes seconds."""
        return {}

    def _describe(self, prefix: str) -> OpenAPISchema:
        schema = super().get_openapi_schema(path_prefix=prefix)
        schema["components"]["schemas"][SHAPE] = PROBLEM
        schema["components"]["responses"] = {
            "Problem": {
                "description": "The request was refused.",
                "content": {PROBLEM_TYPE: {"schema": {"$ref": f"#/components/schemas/{SHAPE}"}}},
            },
            "TooMany": {
                "description": "Too many calls or attempts; the header says when to go on.",
                "headers": {
                    "Retry-After": {
                        "description": "Seconds until the same call may be made again.",
                        "schema": {"type": "integer", "minimum": 1},
                    }
                },
                "content": {PROBLEM_TYPE: {"schema": {"$ref": f"#/components/schemas/{SHAPE}"}}},
            },
        }
        for path in schema["paths"].values():
            for operation in path.values():
                # The library makes titles of function names; the docstring says what it does.
                operation["summary"] = operation.pop("description").partition("\n")[0]
                operation["responses"]["429"] = {"$ref": "#/components/responses/TooMany"}
                operation["responses"]["default"] = {"$ref": "#/components/responses/Problem"}
                # An empty list is OpenAPI's word for "anyone may".
                operation.setdefault("security", [])
        _end_patterns(schema)
        return schema

    @property
    def urls(self) -> tuple[list[URLResolver | URLPattern], str, str]:
        """The addresses, each of which refuses a wrong method in the one shape too."""
        patterns, app, namespace = super().urls
        for pattern in patterns:
            if isinstance(pattern, URLPattern):
                pattern.callback = _refusing_methods(pattern.callback)
        return patterns, app, namespace


def _end_patterns(described: object) -> None:
    """Have ``$`` mean the end, which to a program in Python is before a last line break, too.

    Requests are checked by another dialect, to which it is the end alone.
    """
    if isinstance(described, dict):
        if isinstance(pattern := described.get("pattern"), str):
            described["pattern"] = _ended(pattern)
        if isinstance(by_name := described.get("patternProperties"), dict):
            described["patternProperties"] = {_ended(name): of for name, of in by_name.items()}
    if isinstance(described, dict | list):
        for part in described.values() if isinstance(described, dict) else described:
            _end_patterns(part)


def _ended(pattern: str) -> str:
    return re.sub(r"\$(?!\(\?!)", r"$(?!\\n)", pattern)


def _refusing_methods(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        reply = view(request, *args, **kwargs)
        if not isinstance(reply, HttpResponseNotAllowed):
            return reply
        refusal = problem(405, "invalid", f"Use {reply.headers['Allow']} here.")
        refusal.headers["Allow"] = reply.headers["Allow"]
        return refusal

    return answer
