"""A part of a card has a name of its own, so a lease needs no number beside it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("placements", "0012_event_unseen"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="lease", name="gpu_leased_once"),
        migrations.RemoveField(model_name="lease", name="slot"),
        migrations.AddConstraint(
            model_name="lease",
            constraint=models.UniqueConstraint(
                fields=("machine", "gpu_uuid"), name="gpu_leased_once"
            ),
        ),
    ]
