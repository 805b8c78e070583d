"""This will show the offers that match a search, page by page."""

from contextlib import suppress

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from marketplace.accounts.actions.count_attempt import TooManyAttempts
from marketplace.accounts.client_address import client_address
from marketplace.accounts.teams import Acting
from marketplace.domain import query_language
from marketplace.domain.offer_query import CursorInvalid
from marketplace.domain.query_language import QueryInvalid
from marketplace.domain.scope import Scope
from marketplace.domain.team import may
from marketplace.offers import bounded, countries
from marketplace.offers.search import SearchTooSlow
from marketplace.pages.forms import amounts
from marketplace.pages.forms.problems import problems
from marketplace.pages.forms.search import SearchForm
from marketplace.pages.shown import offer
from marketplace.templates import queries

WHOLE = "offers/search.html"


@require_safe
@vary_on_headers("HX-Request")
def offers(request: HttpRequest) -> HttpResponse:
    """Show the filters and the first page, or just what htmx asked for."""
    template_name = _template(request)
    # Only the whole page shows the filters.
    whole = template_name == WHOLE
    form = SearchForm(
        request.GET,
        offered=countries.offered() if whole else (),
        templates=queries.at_hand(_keeper_id(request)) if whole else (),
    )
    if not form.is_valid():
        return render(request, template_name, {"form": form, "problems": problems(form)})
    cursor = request.GET.get("cursor", "")
    template = _chosen(form.cleaned_data["template"], _keeper_id(request))
    if template:
        form.name_template(template)
    try:
        needs = query_language.parse(template.needs if template else "")
        query = form.query(cursor, needs=needs)
        page = bounded.search(
            query,
            now=timezone.now(),
            viewer_id=request.user.pk,
            address=client_address(request),
        )
    except CursorInvalid:
        return redirect("/offers/")
    except (QueryInvalid, SearchTooSlow, TooManyAttempts) as refused:
        problem = {"form": form, "problems": [refused.detail]}
        return render(request, template_name, problem)
    begins = {"template": form.cleaned_data["template"]} if template else {}
    if form.cleaned_data["price_type"]:
        begins["price_type"] = form.cleaned_data["price_type"]
    begins |= amounts.told(query.asked)
    address = request.GET.copy()
    address["cursor"] = page.next_cursor.encode() if page.next_cursor else ""
    context = {
        "form": form,
        "rows": [offer.line(item, begins=begins) for item in page.items],
        "template": template,
        "more_url": f"/offers/?{address.urlencode()}" if page.next_cursor else "",
        "searched": form.narrows() or needs != query_language.Query(),
    }
    return render(request, template_name, context)


def _keeper_id(request: HttpRequest) -> int | None:
    """Return whose own templates the visitor may see; None: nobody's."""
    found: Acting | None = getattr(request, "acting", None)
    return request.user.pk if found is None or may(found.role, Scope.RENTALS_READ) else None


def _chosen(reference: str, viewer_id: int | None) -> queries.Known | None:
    """Return the template that shall run there. None: no such one, or none was chosen."""
    if not reference:
        return None
    with suppress(queries.TemplateUnknown):
        return queries.template(reference, viewer_id)
    return None


def _template(request: HttpRequest) -> str:
    htmx = getattr(request, "htmx", None)
    if not htmx or htmx.history_restore_request:
        return WHOLE
    return "offers/_more.html" if htmx.target == "more" else "offers/_list.html"
