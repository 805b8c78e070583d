"""This will write a paper under the next number of its kind."""

import logging
from datetime import datetime

from django.db import transaction

from marketplace.papers.content import Content, as_json
from marketplace.papers.models import Paper, PaperKind, Series
from marketplace.payments.models import TopUp

log = logging.getLogger(__name__)


def issue(
    *,
    user_id: int,
    kind: PaperKind,
    content: Content,
    now: datetime,
    month: datetime | None = None,
    edition: int = 1,
    top_up: TopUp | None = None,
    corrects: Paper | None = None,
) -> Paper:
    """Return the paper.

    The counter's row stays locked until the paper is written, so whoever comes meanwhile waits, and
    whoever fails takes no number (tests/concurrency/test_papers.py).
    """
    with transaction.atomic():
        Series.objects.get_or_create(kind=kind)
        series = Series.objects.select_for_update().get(kind=kind)
        series.last += 1
        series.save(update_fields=["last"])
        paper = Paper.objects.create(
            user_id=user_id,
            kind=kind,
            serial=series.last,
            month=month,
            edition=edition,
            top_up=top_up,
            corrects=corrects,
            total_microusd=content.total_microusd,
            content=as_json(content),
            issued_at=now,
        )
    log.info("Paper issued", extra={"paper": paper.number})
    return paper
