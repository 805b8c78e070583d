from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("metering", "0001_meters_and_intervals"),
        ("placements", "0003_running_by_funded_time"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="signedintervalrow",
            index=models.Index(
                condition=models.Q(("billable_to__isnull", False)),
                fields=["billable_to"],
                name="interval_counted",
            ),
        ),
    ]
