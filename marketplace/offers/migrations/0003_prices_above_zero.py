"""This will have every offer cost something: what costs nothing could set no money aside."""

from django.db import migrations, models


def at_least_a_micro_usd(apps, schema_editor) -> None:
    offers = apps.get_model("offers", "Offer").objects
    offers.filter(price_gpu_hour_microusd=0).update(price_gpu_hour_microusd=1)
    offers.filter(price_cpu_hour_microusd=0).update(price_cpu_hour_microusd=1)


class Migration(migrations.Migration):
    dependencies = [("offers", "0002_bids_only_where_a_host_wants_them")]

    operations = [
        # Back, a price of a micro-USD stays: nothing tells which ones were zero.
        migrations.RunPython(at_least_a_micro_usd, migrations.RunPython.noop),
        migrations.RemoveConstraint(model_name="offer", name="offer_prices_not_negative"),
        migrations.AddConstraint(
            model_name="offer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("price_gpu_hour_microusd__gt", 0),
                    ("price_cpu_hour_microusd__gt", 0),
                    ("bid_floor_microusd__gte", 0),
                    ("longest_term_s__gt", 0),
                ),
                name="offer_prices_above_zero",
            ),
        ),
    ]
