from django.db import migrations, models
from django.db.models import F

import marketplace.domain.placement


def look_at_open_doors(apps, schema_editor):
    seen = apps.get_model("placements", "Placement").objects.filter(reachable_at__isnull=False)
    seen.update(
        door_open_since=F("reachable_at"),
        door_seen_at=F("reachable_at"),
        look_due_at=F("reachable_at"),
    )


class Migration(migrations.Migration):
    dependencies = [
        ("machines", "0001_machines_gpus_tokens"),
        ("placements", "0001_placements_and_leases"),
    ]

    operations = [
        migrations.AddField(
            model_name="placement",
            name="door_missed_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="placement",
            name="door_misses",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="placement",
            name="door_open_since",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="placement",
            name="door_seen_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="placement",
            name="look_due_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        # Going back needs no step: the columns go.
        migrations.RunPython(look_at_open_doors, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name="placement",
            index=models.Index(
                condition=models.Q(
                    ("look_due_at__isnull", False),
                    ("state", marketplace.domain.placement.PlacementState["RUNNING"]),
                ),
                fields=["look_due_at"],
                name="placement_look_due",
            ),
        ),
    ]
