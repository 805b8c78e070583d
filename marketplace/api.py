"""This will put every app's part of the REST API together and map each refusal once."""

from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from ninja.errors import AuthenticationError, HttpError, Throttled, ValidationError
from ninja.parser import Parser

from marketplace.accounts.api import router as accounts
from marketplace.accounts.keys_api import router as api_keys
from marketplace.accounts.teams_api import router as teams
from marketplace.bounded_calls import Bounded, TooManyCalls, is_counted, take_unknown, wait_s_of
from marketplace.described_api import DescribedAPI, problem
from marketplace.domain.problem import Refused
from marketplace.endpoints.api import router as endpoints
from marketplace.jobs.agent_api import router as agent_jobs
from marketplace.jobs.api import router as jobs
from marketplace.ledger.api import router as ledger
from marketplace.logs.agent_api import router as agent_logs
from marketplace.logs.api import router as logs
from marketplace.machines.api import router as machines
from marketplace.metering.host_api import router as hosting
from marketplace.metering.market_api import router as market
from marketplace.metering.scores_api import router as scores
from marketplace.metering.validator_api import router as validator
from marketplace.notices.api import router as notices
from marketplace.nul import NulRefused
from marketplace.offers.agent_api import router as agent_router
from marketplace.offers.api import router as offers
from marketplace.offers.machine_api import router as machine_facts
from marketplace.papers.api import router as papers
from marketplace.payments.api import router as payments
from marketplace.payouts.api import router as payouts
from marketplace.payouts.details_api import router as payout_details
from marketplace.rentals.api import router as rentals
from marketplace.rentals.bill_api import router as bills
from marketplace.rentals.events_api import router as rental_events
from marketplace.rentals.idle_api import router as idle_rules
from marketplace.rentals.price_api import router as rental_prices
from marketplace.rentals.proof_api import router as rental_proofs
from marketplace.rentals.proof_api import validator_router as validator_proofs
from marketplace.rentals.report_api import router as rental_reports
from marketplace.rentals.statement_api import router as statements
from marketplace.rentals.team_changes_api import router as team_changes
from marketplace.rentals.usage_api import router as usage
from marketplace.telemetry.api import router as telemetry
from marketplace.templates.api import router as templates
from marketplace.verification.api import router as verification
from marketplace.volumes.api import router as volumes
from protocol.message import holds_nul


class BodyRefused(ValueError):
    """What no JSON of ours is; its text is the sentence that the sender reads."""


class KeyNeeded(Refused):
    code = "unauthenticated"
    status = 401
    sentence = "Send a valid API key as a Bearer token."


class TextParser(Parser):
    """Takes no NUL character in, as ``nul`` takes none from addresses and forms."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        """Return the JSON of the body."""
        if holds_nul(request.body):
            raise NulRefused
        content = super().parse_body(request)
        if not isinstance(content, dict):
            # It would be taken for an object of which everything is left out.
            raise BodyRefused("Send a JSON object")
        return content


api = DescribedAPI(
    title="Berth",
    version="1",
    docs_url=None,
    urls_namespace="api",
    parser=TextParser(),
    throttle=Bounded(),
)
agent_api = DescribedAPI(
    title="Berth agent",
    version="agent-1",
    docs_url=None,
    openapi_url=None,
    urls_namespace="agent",
    parser=TextParser(),
    throttle=Bounded(),
)
for router in (
    accounts,
    api_keys,
    teams,
    team_changes,
    ledger,
    machines,
    hosting,
    market,
    offers,
    machine_facts,
    payments,
    payouts,
    payout_details,
    papers,
    rentals,
    rental_prices,
    rental_proofs,
    rental_reports,
    logs,
    idle_rules,
    bills,
    rental_events,
    statements,
    jobs,
    endpoints,
    notices,
    usage,
    telemetry,
    validator,
    validator_proofs,
    scores,
    verification,
    templates,
    volumes,
):
    api.add_router("", router)
for router in (agent_router, agent_jobs, agent_logs):
    agent_api.add_router("", router)


def on_refused(request: HttpRequest, error: Refused) -> HttpResponse:
    """Answer an expected refusal."""
    if not is_counted(request) and (wait_s := take_unknown(request)):
        error = TooManyCalls(wait_s)
    reply = problem(error.status, error.code, error.detail)
    if error.retry_after_s is not None:
        reply.headers["Retry-After"] = str(error.retry_after_s)
    return reply


def on_unauthenticated(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    """Answer a missing, wrong or expired API key."""
    return on_refused(request, KeyNeeded())


def on_too_many(request: HttpRequest, error: Throttled) -> HttpResponse:
    """Answer a call that is one too many."""
    return on_refused(request, TooManyCalls(wait_s_of(request)))


def on_invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """Answer a request of the wrong shape with its first fault."""
    fault = error.errors[0]
    where = ".".join(str(part) for part in fault.get("loc", ()) if part not in ("body", "payload"))
    return problem(422, "invalid", f"{where or 'request'}: {fault.get('msg', 'malformed')}.")


def on_http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    """Answer what the framework refuses by itself, such as a body that is no JSON."""
    if isinstance(error.__cause__, Refused):
        return on_refused(request, error.__cause__)
    told = error.__cause__ if isinstance(error.__cause__, BodyRefused) else error.message
    return problem(error.status_code, "invalid", f"{told}.")


def on_too_large(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
    """Answer a body that is longer than this site reads."""
    return problem(413, "too_large", "The request is too large.")


HANDLERS: tuple[tuple[type[Exception], Any], ...] = (
    (Refused, on_refused),
    (AuthenticationError, on_unauthenticated),
    (ValidationError, on_invalid),
    (Throttled, on_too_many),
    (HttpError, on_http_error),
    (RequestDataTooBig, on_too_large),
)
for site in (api, agent_api):
    for kind, handler in HANDLERS:
        site.add_exception_handler(kind, handler)
