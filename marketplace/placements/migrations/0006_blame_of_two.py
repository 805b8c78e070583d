"""This will drop the platform from whom may be to blame: its own silence ends nothing (ADR 9)."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("placements", "0005_price_of_meters_alone")]

    operations = [
        migrations.AlterField(
            model_name="placement",
            name="blame",
            field=models.CharField(
                blank=True,
                choices=[("renter", "renter"), ("machine", "machine")],
                default="",
                max_length=16,
            ),
        ),
    ]
