from django.db import migrations, models

import marketplace.domain.placement


class Migration(migrations.Migration):
    dependencies = [
        ("machines", "0002_sent_at"),
        ("placements", "0002_looks_at_doors"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="placement",
            index=models.Index(
                condition=models.Q(
                    ("state", marketplace.domain.placement.PlacementState["RUNNING"]),
                    ("stop_requested_at__isnull", True),
                ),
                fields=["funded_until"],
                name="placement_paid_out",
            ),
        ),
    ]
