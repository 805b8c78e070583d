"""This will keep and read how rentals begin on each kind of machine."""

from collections.abc import Mapping

from django.db import transaction

from marketplace.domain.starts import Starts
from marketplace.offers.models import KindStarts


def note(found: Mapping[str, Starts]) -> None:
    """Keep these in place of all that was known; the pass that counts them runs alone."""
    with transaction.atomic():
        KindStarts.objects.exclude(gpu_model__in=found).delete()
        KindStarts.objects.bulk_create(
            [
                KindStarts(
                    gpu_model=gpu_model,
                    p50_ms=of.p50_ms,
                    p95_ms=of.p95_ms,
                    came_up=of.came_up,
                    failed=of.failed,
                )
                for gpu_model, of in found.items()
            ],
            update_conflicts=True,
            unique_fields=["gpu_model"],
            update_fields=["p50_ms", "p95_ms", "came_up", "failed"],
        )


def by_kind() -> Mapping[str, Starts]:
    """Return how rentals began, by the machine's model of GPU; one query."""
    rows = KindStarts.objects.order_by("gpu_model")
    return {
        row.gpu_model: Starts(row.p50_ms, row.p95_ms, came_up=row.came_up, failed=row.failed)
        for row in rows
    }
