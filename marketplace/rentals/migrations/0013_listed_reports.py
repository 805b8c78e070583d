"""This will let lists of reports be read by an index, the newest first."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("rentals", "0012_rental_reports")]

    operations = [
        migrations.AddIndex(
            model_name="rentalreport",
            index=models.Index(fields=["-made_at", "id"], name="rental_report_newest"),
        ),
        migrations.AddIndex(
            model_name="rentalreport",
            index=models.Index(
                fields=["-closed_at", "id"],
                name="rental_report_taken",
                condition=models.Q(host_microusd__gt=0),
            ),
        ),
    ]
