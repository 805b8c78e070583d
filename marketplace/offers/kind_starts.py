"""This will keep and read how rentals begin on each kind of machine."""

from collections.abc import Mapping

from django.db import transaction

from marketplace.domain.starts import Starts
from marketplace.offers.models import KindStarts


def note(found: Mapping[str, Starts]) -> None:
    """Keep these in place of all that was known; the pass that counts them runs alone."""
    with transaction.atomic():
        KindStarts.objects.exclude(kind__in=found).delete()
        KindStarts.objects.bulk_create(
            [
                KindStarts(
                    kind=kind,
                    p50_ms=of.p50_ms,
                    p95_ms=of.p95_ms,
                    came_up=of.came_up,
                    failed=of.failed,
                )
                for kind, of in found.items()
            ],
            update_conflicts=True,
            unique_fields=["kind"],
            update_fields=["p50_ms", "p95_ms", "came_up", "failed"],
        )


def by_kind() -> Mapping[str, Starts]:
    """Return how rentals began, by the kind of machine; one query."""
    rows = KindStarts.objects.order_by("kind")
    return {
        row.kind: Starts(row.p50_ms, row.p95_ms, came_up=row.came_up, failed=row.failed)
        for row in rows
    }
