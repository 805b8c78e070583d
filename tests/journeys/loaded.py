"""This will load what the journeys' programs import, at first or when they are asked something."""

from importlib import import_module

from django.urls import get_resolver

from marketplace import asgi as asgi
from marketplace.schedule import PASSES

for entry in PASSES:
    import_module(entry.path.rpartition(".")[0])
# Not the validator: it computes with numpy, whose threads no fork would take along.
for name in (
    "marketplace.endpoints.gateway.running",
    "marketplace.scheduler",
    "miner_agent.cli",
    "uvicorn.lifespan.on",
    "uvicorn.main",
    "uvicorn.protocols.http.auto",
):
    import_module(name)
# Looked at, they are there.
PATTERNS = get_resolver().url_patterns
