"""This will add up all money anew from its rows, by statements that share nothing with the code.

Each statement selects what is wrong, so an empty answer is a right one. ``balances`` are added up
from transfers and never from an account's own counters.
"""

from collections.abc import Iterator
from typing import Any

from django.db import connection

#: what each account has by its transfers alone
BALANCES = """
  balances AS MATERIALIZED (
    SELECT account.id, account.kind, account.user_id,
      coalesce((SELECT sum(amount_microusd) FROM ledger_transfer
        WHERE credit_id = account.id), 0) AS came,
      coalesce((SELECT sum(amount_microusd) FROM ledger_transfer
        WHERE debit_id = account.id), 0) AS went
    FROM ledger_account AS account
  )
"""
#: of each person, by what only the products' own rows say: paid in, given, sent back, lost, used
PEOPLE = """
  people AS MATERIALIZED (
    SELECT person.id,
      coalesce((SELECT sum(amount_microusd) FROM payments_topup
        WHERE user_id = person.id AND state = 'paid'), 0) AS paid_in,
      coalesce((SELECT sum(amount_microusd - expired_microusd) FROM ledger_creditgrant
        WHERE user_id = person.id), 0) AS given,
      coalesce((SELECT sum(refund.amount_microusd) FROM payments_refund AS refund
        JOIN payments_topup AS paid ON paid.id = refund.top_up_id
        WHERE paid.user_id = person.id AND refund.state <> 'failed'), 0) AS sent_back,
      coalesce((SELECT sum(dispute.amount_microusd - dispute.borne_microusd)
        FROM payments_dispute AS dispute JOIN payments_topup AS paid ON paid.id = dispute.top_up_id
        WHERE paid.user_id = person.id AND dispute.state = 'lost'), 0) AS lost,
      coalesce((SELECT sum(meter.charged_microusd
          + coalesce(side.storage_microusd + side.traffic_microusd, 0))
        FROM metering_meter AS meter JOIN ledger_hold AS hold ON hold.id = meter.hold_id
        LEFT JOIN metering_sidemeter AS side ON side.meter_id = meter.id
        WHERE hold.user_id = person.id), 0)
      - coalesce((SELECT sum(returned_microusd) FROM ledger_hold
        WHERE user_id = person.id), 0) AS used,
      coalesce((SELECT sum(dispute.frozen_microusd)
        FROM payments_dispute AS dispute JOIN payments_topup AS paid ON paid.id = dispute.top_up_id
        WHERE paid.user_id = person.id), 0) AS frozen,
      coalesce((SELECT sum(meter.charged_microusd - meter.fee_microusd
          + coalesce(side.storage_microusd + side.traffic_microusd - side.fee_microusd, 0))
        FROM metering_meter AS meter LEFT JOIN metering_sidemeter AS side
          ON side.meter_id = meter.id WHERE meter.host_id = person.id), 0) AS earned,
      coalesce((SELECT sum(amount_microusd) FROM payouts_payout
        WHERE host_id = person.id AND state <> 'failed'), 0) AS paid_out,
      coalesce((SELECT sum(back.amount_microusd) FROM ledger_transfer AS back
        JOIN ledger_account AS own ON own.id = back.debit_id
        WHERE own.user_id = person.id AND own.kind = 'earnings'
          AND back.kind IN ('refund', 'expiry')), 0) AS gave_back
    FROM accounts_user AS person
  ),
  have AS MATERIALIZED (
    SELECT person.id,
      coalesce((SELECT sum(came - went) FROM balances
        WHERE user_id = person.id AND kind IN ('wallet', 'credit', 'hold', 'frozen')), 0) AS funds,
      coalesce((SELECT sum(came - went) FROM balances
        WHERE user_id = person.id AND kind = 'hold'), 0) AS held,
      coalesce((SELECT sum(came - went) FROM balances
        WHERE user_id = person.id AND kind = 'frozen'), 0) AS frozen,
      coalesce((SELECT sum(came - went) FROM balances
        WHERE user_id = person.id AND kind = 'earnings'), 0) AS earnings
    FROM accounts_user AS person
  )
"""
WRONG = {
    "The ledger does not sum to zero": """
        SELECT sum(came - went) FROM balances HAVING sum(came - went) <> 0""",
    "An account counts what no row moved": """
        SELECT account.kind, account.credits_posted, came, account.debits_posted, went
        FROM balances JOIN ledger_account AS account ON account.id = balances.id
        WHERE account.credits_posted <> came OR account.debits_posted <> went""",
    "Somebody owes": """
        SELECT kind, user_id, came - went FROM balances
        WHERE came < went AND kind IN ('wallet', 'credit', 'hold', 'frozen', 'earnings')""",
    "A released hold has money": """
        SELECT hold.cause, came - went FROM balances JOIN ledger_hold AS hold
          ON hold.account_id = balances.id WHERE hold.released_at IS NOT NULL AND came <> went""",
    "A person has what nobody paid in, or lacks what they did": """
        SELECT people.id, funds, paid_in, given, sent_back, lost, used
        FROM people JOIN have ON have.id = people.id
        WHERE funds <> paid_in + given - sent_back - lost - used""",
    "More is held than was there": """
        SELECT people.id, held, paid_in, given FROM people JOIN have ON have.id = people.id
        WHERE held > paid_in + given - sent_back - lost - used - people.frozen""",
    "More or less is frozen than is disputed": """
        SELECT people.id, people.frozen, have.frozen
        FROM people JOIN have ON have.id = people.id WHERE people.frozen <> have.frozen""",
    "A host has other earnings than was charged and not paid out": """
        SELECT people.id, earnings, earned, paid_out, gave_back FROM people
        JOIN have ON have.id = people.id WHERE earnings <> earned - paid_out - gave_back""",
    "A host's days count other than came in": """
        SELECT people.id, earned, days.earned_microusd FROM people LEFT JOIN (
          SELECT host_id, sum(earned_microusd) AS earned_microusd FROM ledger_earnedday
          GROUP BY host_id) AS days ON days.host_id = people.id
        WHERE earned <> coalesce(days.earned_microusd, 0)""",
    "Days count other fees than were taken": """
        SELECT days.amount, moved.amount FROM
          (SELECT coalesce(sum(fee_microusd), 0) AS amount FROM ledger_earnedday) AS days,
          (SELECT coalesce(sum(amount_microusd), 0) AS amount FROM ledger_transfer
            WHERE kind = 'fee') AS moved
        WHERE days.amount <> moved.amount""",
    "What proofs and reports gave back is not what came back": """
        SELECT proofs.amount, reports.amount, holds.amount, told.amount, credited.amount FROM
          (SELECT coalesce(sum(returned_microusd), 0) AS amount FROM rentals_rentalproof) AS proofs,
          (SELECT coalesce(sum(credited_microusd), 0) AS amount
            FROM rentals_rentalreport) AS reports,
          (SELECT coalesce(sum(returned_microusd), 0) AS amount FROM ledger_hold) AS holds,
          (SELECT coalesce(sum(amount_microusd), 0) AS amount FROM ledger_transfer
            WHERE cause LIKE 'proof:%%' AND kind = 'refund') AS told,
          (SELECT coalesce(sum(amount_microusd), 0) AS amount FROM ledger_transfer
            WHERE cause LIKE 'report:%%' AND kind = 'refund') AS credited
        WHERE proofs.amount <> told.amount OR reports.amount <> credited.amount
          OR proofs.amount + reports.amount <> holds.amount""",
    "What reports took of hosts, or of the site alone, is not what they gave": """
        SELECT hosts.amount, moved.amount, alone.amount, holds.amount FROM
          (SELECT coalesce(sum(host_microusd), 0) AS amount FROM rentals_rentalreport) AS hosts,
          (SELECT coalesce(sum(amount_microusd), 0) AS amount
            FROM ledger_transfer JOIN ledger_account AS own ON own.id = debit_id
            WHERE cause LIKE 'report:%%' AND own.kind = 'earnings') AS moved,
          (SELECT coalesce(sum(credited_microusd), 0) AS amount FROM rentals_rentalreport
            WHERE payer = 'site') AS alone,
          (SELECT coalesce(sum(site_returned_microusd), 0) AS amount FROM ledger_hold) AS holds
        WHERE hosts.amount <> moved.amount OR alone.amount > holds.amount""",
    "A host gave other than holds take off what their machines earned": """
        SELECT people.id, gave_back, held.amount FROM people LEFT JOIN (
          SELECT meter.host_id, sum((hold.returned_microusd - hold.site_returned_microusd)
            * (1000000 - meter.fee_ppm)) AS amount
          FROM ledger_hold AS hold JOIN metering_meter AS meter ON meter.hold_id = hold.id
          WHERE hold.returned_microusd > 0 GROUP BY meter.host_id) AS held
          ON held.host_id = people.id
        WHERE abs(gave_back * 1000000 - coalesce(held.amount, 0)) > 2 * 1000000 * (
          SELECT count(*) FROM ledger_transfer WHERE kind = 'refund')""",
    "The site gave more for proofs than its share of what was charged": """
        SELECT site.amount, shares.amount FROM
          (SELECT coalesce(sum(amount_microusd), 0) AS amount
            FROM ledger_transfer JOIN ledger_account AS own ON own.id = debit_id
            WHERE cause LIKE 'proof:%%' AND own.kind = 'fees') AS site,
          (SELECT coalesce(sum(hold.returned_microusd * meter.fee_ppm), 0) AS amount
            FROM ledger_hold AS hold JOIN metering_meter AS meter ON meter.hold_id = hold.id
            WHERE hold.returned_microusd > 0) AS shares
        WHERE site.amount * 1000000 > shares.amount""",
    "More came back of a rental than it was charged": """
        SELECT hold.id, hold.returned_microusd, meter.charged_microusd, side.storage_microusd
        FROM ledger_hold AS hold JOIN metering_meter AS meter ON meter.hold_id = hold.id
        LEFT JOIN metering_sidemeter AS side ON side.meter_id = meter.id
        WHERE hold.returned_microusd > meter.charged_microusd
          + coalesce(side.storage_microusd + side.traffic_microusd, 0)""",
    "Credit is not what its grants have left": """
        SELECT balances.user_id, came - went FROM balances WHERE kind = 'credit' AND came - went
          <> coalesce((SELECT sum(left_microusd) FROM ledger_creditgrant
            WHERE user_id = balances.user_id), 0)""",
    "A meter was charged what no transfer moved": """
        SELECT meter.id, meter.charged_microusd, meter.fee_microusd, side.storage_microusd
        FROM metering_meter AS meter JOIN ledger_hold AS hold ON hold.id = meter.hold_id
        LEFT JOIN metering_sidemeter AS side ON side.meter_id = meter.id
        WHERE meter.charged_microusd + coalesce(side.storage_microusd + side.traffic_microusd, 0)
          <> coalesce((SELECT sum(amount_microusd) FROM ledger_transfer
            WHERE debit_id = hold.account_id
              AND kind IN ('charge', 'storage', 'network', 'fee')), 0)
          OR meter.fee_microusd + coalesce(side.fee_microusd, 0)
          <> coalesce((SELECT sum(amount_microusd) FROM ledger_transfer
            WHERE debit_id = hold.account_id AND kind = 'fee'), 0)""",
    "A rental costs more than was agreed": """
        SELECT rental.id, meter.charged_microusd, side.storage_microusd, worst_total_microusd
        FROM rentals_rental AS rental JOIN metering_meter AS meter ON meter.id = rental.meter_id
        LEFT JOIN metering_sidemeter AS side ON side.meter_id = meter.id
        WHERE meter.charged_microusd + coalesce(side.storage_microusd + side.traffic_microusd, 0)
          > worst_total_microusd""",
    "A closed meter's hold is open, or the other way round": """
        SELECT meter.id FROM metering_meter AS meter JOIN ledger_hold AS hold
          ON hold.id = meter.hold_id
        WHERE (meter.closed_at IS NULL) <> (hold.released_at IS NULL)""",
    "Two intervals of a placement are billed for the same time": """
        SELECT one.placement_id, one.sequence, other.sequence
        FROM metering_signedintervalrow AS one JOIN metering_signedintervalrow AS other
          ON other.placement_id = one.placement_id AND other.id > one.id
        WHERE one.billable_from < other.billable_to AND other.billable_from < one.billable_to""",
}


def problems() -> Iterator[str]:
    """Yield a sentence, with the rows, for everything that does not add up."""
    asked = " UNION ALL ".join(
        f"SELECT {number} AS number WHERE EXISTS ({statement})"
        for number, statement in enumerate(WRONG.values())
    )
    # All in one statement, which adds up each balance once.
    for (number,) in rows(f"WITH {BALANCES}, {PEOPLE} {asked}"):
        sentence, statement = list(WRONG.items())[number]
        yield f"{sentence}: {rows(f'WITH {BALANCES}, {PEOPLE} {statement}')}"


def rows(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Return what a statement selects."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())
