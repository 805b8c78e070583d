"""This will remember when a machine sent what it last said."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("machines", "0001_machines_gpus_tokens")]

    operations = [
        migrations.AddField(
            model_name="machine",
            name="sent_at_ms",
            field=models.BigIntegerField(default=0),
        ),
    ]
