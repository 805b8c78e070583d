"""This will keep why a machine can start nothing."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("machines", "0003_interruptible"),
    ]

    operations = [
        migrations.AddField(
            model_name="machine",
            name="problem",
            field=models.CharField(blank=True, db_default="", default="", max_length=1000),
        ),
    ]
