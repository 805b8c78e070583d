"""This will count the milliseconds of all stored intervals in their meter."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("metering", "0004_whose_hold_it_is_pays"),
    ]

    operations = [
        migrations.AddField(
            model_name="meter",
            name="signed_ms",
            field=models.BigIntegerField(default=0),
        ),
    ]
