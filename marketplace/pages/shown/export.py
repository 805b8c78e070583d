"""This will prepare exports of what is kept about somebody for pages."""

from collections.abc import Sequence

from marketplace.own_data.actions import export
from marketplace.own_data.models import Export
from marketplace.pages.shown.moment import Moment


def shown(exports: Sequence[Export], below: str) -> list[dict[str, object]]:
    """Return each export; its file lies below the page's own address."""
    return [
        {
            "url": f"{below}{one.pk}.zip",
            "at": Moment.of(one.asked_at),
            "until": Moment.of(one.asked_at + export.KEPT_FOR),
            "kilobytes": -(-one.size_bytes // 1000),
            "ready": one.ready_at is not None,
            "given_up": one.is_given_up,
        }
        for one in exports
    ]
