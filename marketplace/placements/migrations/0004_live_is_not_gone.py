from django.db import migrations, models

import marketplace.domain.placement


class Migration(migrations.Migration):
    dependencies = [
        ("machines", "0002_sent_at"),
        ("placements", "0003_running_by_funded_time"),
    ]

    operations = [
        migrations.AddConstraint(
            model_name="placement",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        (
                            "state__in",
                            (
                                marketplace.domain.placement.PlacementState["OFFERED"],
                                marketplace.domain.placement.PlacementState["ACCEPTED"],
                                marketplace.domain.placement.PlacementState["PREPARING"],
                                marketplace.domain.placement.PlacementState["RUNNING"],
                                marketplace.domain.placement.PlacementState["COLLECTING"],
                            ),
                        ),
                        _negated=True,
                    ),
                    ("gone_at__isnull", True),
                    _connector="OR",
                ),
                name="placement_live_is_not_gone",
            ),
        ),
    ]
