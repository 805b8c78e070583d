"""This will let next Friday and the month's end come: ``python -m scripts.demo.later``.

Payouts are decided on Fridays and invoices after a month. These are the site's own passes, called
with the time of then, as its scheduler will call them; nothing else moves its clock.
"""

import json
import os
from datetime import datetime, timedelta

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")
django.setup()

from django.utils import timezone  # noqa: E402 - Django has to be set up first

from marketplace.domain.invoice import month_after, month_of  # noqa: E402
from marketplace.domain.payout import next_friday  # noqa: E402
from marketplace.papers.actions.issue_invoices import SETTLED_AFTER, issue_invoices  # noqa: E402
from marketplace.payouts.actions.open_payouts import open_payouts  # noqa: E402
from marketplace.payouts.actions.send_payouts import send_payouts  # noqa: E402

#: asked for, sent, and seen to arrive
STEPS = 3


def pay_hosts(friday: datetime) -> None:
    """Decide what is paid out on that day, send it, and see it arrive."""
    open_payouts(now=friday)
    for number in range(STEPS):
        send_payouts(now=friday + timedelta(hours=number))


def bill_renters(month_end: datetime) -> None:
    """Make out everybody's invoice of the month before."""
    while issue_invoices(now=month_end + SETTLED_AFTER):
        pass


def main() -> None:
    """Do both, and say which times they were."""
    now = timezone.now()
    friday, month_end = next_friday(now), month_after(month_of(now))
    pay_hosts(friday)
    bill_renters(month_end)
    print(json.dumps({"friday": f"{friday:%-d %B}", "month_end": f"{month_end:%-d %B}"}))


if __name__ == "__main__":
    main()
