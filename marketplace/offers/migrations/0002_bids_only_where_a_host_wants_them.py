"""This will take bids only where a host set a floor for them."""

from django.db import migrations, models


def no_floor(apps, schema_editor) -> None:
    # Every floor was set by default, not by a host.
    apps.get_model("offers", "Offer").objects.update(bid_floor_microusd=None)


def the_price_as_floor(apps, schema_editor) -> None:
    # A bid of the price itself is no discount.
    floorless = apps.get_model("offers", "Offer").objects.filter(bid_floor_microusd=None)
    floorless.update(bid_floor_microusd=models.F("price_hour_microusd"))


class Migration(migrations.Migration):
    dependencies = [("offers", "0001_offers")]

    operations = [
        migrations.AlterField(
            model_name="offer",
            name="bid_floor_microusd",
            field=models.BigIntegerField(blank=True, null=True),
        ),
        migrations.RunPython(no_floor, the_price_as_floor),
    ]
