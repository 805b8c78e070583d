"""Stops that keep files, changes of what runs, and what a machine tells of ports."""

from django.db import migrations, models

import marketplace.domain.placement


class Migration(migrations.Migration):
    dependencies = [
        ("machines", "0004_attendance"),
        ("placements", "0009_want_to_stop"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="placement",
            name="placement_live_has_deadline",
        ),
        migrations.RemoveConstraint(
            model_name="placement",
            name="placement_live_holds",
        ),
        migrations.RemoveConstraint(
            model_name="placement",
            name="placement_live_is_not_gone",
        ),
        migrations.RemoveIndex(
            model_name="placement",
            name="placement_paid_out",
        ),
        migrations.AddField(
            model_name="placement",
            name="change_code",
            field=models.CharField(blank=True, default="", max_length=64),
        ),
        migrations.AddField(
            model_name="placement",
            name="change_reason",
            field=models.CharField(blank=True, default="", max_length=1000),
        ),
        migrations.AddField(
            model_name="placement",
            name="edition",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="placement",
            name="former_edition",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="placement",
            name="former_workload",
            field=models.JSONField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="placement",
            name="holds_compute",
            field=models.BooleanField(default=True),
        ),
        migrations.AddField(
            model_name="placement",
            name="newest_edition",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="placement",
            name="ports",
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name="placement",
            name="registry_login",
            field=models.TextField(blank=True, default=""),
        ),
        migrations.AddField(
            model_name="placement",
            name="resets",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="placement",
            name="restarts",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="placement",
            name="starts",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="placement",
            name="stop_revision",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AlterField(
            model_name="placement",
            name="state",
            field=models.CharField(
                choices=[
                    ("offered", "offered"),
                    ("accepted", "accepted"),
                    ("preparing", "preparing"),
                    ("running", "running"),
                    ("stopping", "stopping"),
                    ("stopped", "stopped"),
                    ("collecting", "collecting"),
                    ("released", "released"),
                    ("refused", "refused"),
                    ("failed", "failed"),
                ],
                default=marketplace.domain.placement.PlacementState["OFFERED"],
                max_length=16,
            ),
        ),
        migrations.AddIndex(
            model_name="placement",
            index=models.Index(
                condition=models.Q(
                    (
                        "state__in",
                        (
                            marketplace.domain.placement.PlacementState["RUNNING"],
                            marketplace.domain.placement.PlacementState["STOPPING"],
                            marketplace.domain.placement.PlacementState["STOPPED"],
                        ),
                    )
                ),
                fields=["funded_until"],
                name="placement_paid_out",
            ),
        ),
        migrations.AddConstraint(
            model_name="placement",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("deadline_at__isnull", False),
                        ("ended_at__isnull", True),
                        (
                            "state__in",
                            (
                                marketplace.domain.placement.PlacementState["OFFERED"],
                                marketplace.domain.placement.PlacementState["ACCEPTED"],
                                marketplace.domain.placement.PlacementState["PREPARING"],
                                marketplace.domain.placement.PlacementState["RUNNING"],
                                marketplace.domain.placement.PlacementState["STOPPING"],
                                marketplace.domain.placement.PlacementState["STOPPED"],
                                marketplace.domain.placement.PlacementState["COLLECTING"],
                            ),
                        ),
                    ),
                    models.Q(
                        models.Q(
                            (
                                "state__in",
                                (
                                    marketplace.domain.placement.PlacementState["OFFERED"],
                                    marketplace.domain.placement.PlacementState["ACCEPTED"],
                                    marketplace.domain.placement.PlacementState["PREPARING"],
                                    marketplace.domain.placement.PlacementState["RUNNING"],
                                    marketplace.domain.placement.PlacementState["STOPPING"],
                                    marketplace.domain.placement.PlacementState["STOPPED"],
                                    marketplace.domain.placement.PlacementState["COLLECTING"],
                                ),
                            ),
                            _negated=True,
                        ),
                        ("deadline_at__isnull", True),
                        ("ended_at__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="placement_live_has_deadline",
            ),
        ),
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
                                marketplace.domain.placement.PlacementState["STOPPING"],
                                marketplace.domain.placement.PlacementState["STOPPED"],
                                marketplace.domain.placement.PlacementState["COLLECTING"],
                            ),
                        ),
                        _negated=True,
                    ),
                    ("freed_at__isnull", True),
                    _connector="OR",
                ),
                name="placement_live_holds",
            ),
        ),
        migrations.AddConstraint(
            model_name="placement",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("holds_compute", True),
                    models.Q(
                        (
                            "state__in",
                            (
                                marketplace.domain.placement.PlacementState["OFFERED"],
                                marketplace.domain.placement.PlacementState["ACCEPTED"],
                                marketplace.domain.placement.PlacementState["PREPARING"],
                                marketplace.domain.placement.PlacementState["RUNNING"],
                                marketplace.domain.placement.PlacementState["STOPPING"],
                                marketplace.domain.placement.PlacementState["STOPPED"],
                                marketplace.domain.placement.PlacementState["COLLECTING"],
                            ),
                        ),
                        _negated=True,
                    ),
                    (
                        "state__in",
                        (
                            marketplace.domain.placement.PlacementState["STOPPED"],
                            marketplace.domain.placement.PlacementState["COLLECTING"],
                        ),
                    ),
                    _connector="OR",
                ),
                name="placement_without_compute_is_stopped",
            ),
        ),
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
                                marketplace.domain.placement.PlacementState["STOPPING"],
                                marketplace.domain.placement.PlacementState["STOPPED"],
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
