"""This will forget what went wrong and what was used, once nobody is shown it."""

from datetime import datetime

from marketplace.telemetry.actions.record import KEPT
from marketplace.telemetry.actions.summarise import SPANS
from marketplace.telemetry.models import Incident, UsageSummary


def forget(*, now: datetime) -> None:
    """Forget incidents of a month ago, and summaries of use that are older than their span.

    So all of a rental's are gone a month after its end.
    """
    Incident.objects.filter(told_at__lt=now - KEPT).delete()
    for span in SPANS:
        UsageSummary.objects.filter(step_s=span.step_s, at__lt=now - span.length).delete()
