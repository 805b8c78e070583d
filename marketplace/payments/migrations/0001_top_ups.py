"""This will make the table of top-ups."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import marketplace.payments.models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="TopUp",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("amount_microusd", models.BigIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            (
                                marketplace.payments.models.TopUpState["PENDING"],
                                marketplace.payments.models.TopUpState["PENDING"],
                            ),
                            (
                                marketplace.payments.models.TopUpState["PAID"],
                                marketplace.payments.models.TopUpState["PAID"],
                            ),
                            (
                                marketplace.payments.models.TopUpState["REFUSED"],
                                marketplace.payments.models.TopUpState["REFUSED"],
                            ),
                        ],
                        default=marketplace.payments.models.TopUpState["PENDING"],
                        max_length=8,
                    ),
                ),
                ("gateway", models.CharField(max_length=20)),
                ("reference", models.CharField(blank=True, max_length=200)),
                ("reason", models.CharField(blank=True, max_length=200)),
                ("cause", models.CharField(max_length=200, unique=True)),
                ("created_at", models.DateTimeField()),
                ("settled_at", models.DateTimeField(null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="top_ups",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("-created_at", "id"),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount_microusd__gt", 0)), name="top_up_adds_something"
                    )
                ],
            },
        ),
    ]
