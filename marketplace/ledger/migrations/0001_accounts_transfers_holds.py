"""This will make the tables of accounts, transfers and holds."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import marketplace.domain.ledger


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Account",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            (
                                marketplace.domain.ledger.AccountKind["WALLET"],
                                marketplace.domain.ledger.AccountKind["WALLET"],
                            ),
                            (
                                marketplace.domain.ledger.AccountKind["HOLD"],
                                marketplace.domain.ledger.AccountKind["HOLD"],
                            ),
                            (
                                marketplace.domain.ledger.AccountKind["EARNINGS"],
                                marketplace.domain.ledger.AccountKind["EARNINGS"],
                            ),
                            (
                                marketplace.domain.ledger.AccountKind["FEES"],
                                marketplace.domain.ledger.AccountKind["FEES"],
                            ),
                            (
                                marketplace.domain.ledger.AccountKind["OUTSIDE"],
                                marketplace.domain.ledger.AccountKind["OUTSIDE"],
                            ),
                            (
                                marketplace.domain.ledger.AccountKind["PROMO"],
                                marketplace.domain.ledger.AccountKind["PROMO"],
                            ),
                        ],
                        max_length=12,
                    ),
                ),
                ("debits_posted", models.BigIntegerField(default=0)),
                ("credits_posted", models.BigIntegerField(default=0)),
                (
                    "user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="accounts",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
            },
        ),
        migrations.CreateModel(
            name="Hold",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("cause", models.CharField(max_length=200, unique=True)),
                ("created_at", models.DateTimeField()),
                ("released_at", models.DateTimeField(null=True)),
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="hold",
                        to="ledger.account",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="holds",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("created_at", "id"),
            },
        ),
        migrations.CreateModel(
            name="Transfer",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("amount_microusd", models.BigIntegerField()),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            (
                                marketplace.domain.ledger.TransferKind["TOP_UP"],
                                marketplace.domain.ledger.TransferKind["TOP_UP"],
                            ),
                            (
                                marketplace.domain.ledger.TransferKind["TEST_CREDIT"],
                                marketplace.domain.ledger.TransferKind["TEST_CREDIT"],
                            ),
                            (
                                marketplace.domain.ledger.TransferKind["HOLD"],
                                marketplace.domain.ledger.TransferKind["HOLD"],
                            ),
                            (
                                marketplace.domain.ledger.TransferKind["RELEASE"],
                                marketplace.domain.ledger.TransferKind["RELEASE"],
                            ),
                            (
                                marketplace.domain.ledger.TransferKind["CHARGE"],
                                marketplace.domain.ledger.TransferKind["CHARGE"],
                            ),
                            (
                                marketplace.domain.ledger.TransferKind["FEE"],
                                marketplace.domain.ledger.TransferKind["FEE"],
                            ),
                            (
                                marketplace.domain.ledger.TransferKind["REFUND"],
                                marketplace.domain.ledger.TransferKind["REFUND"],
                            ),
                            (
                                marketplace.domain.ledger.TransferKind["PAYOUT"],
                                marketplace.domain.ledger.TransferKind["PAYOUT"],
                            ),
                        ],
                        max_length=12,
                    ),
                ),
                ("cause", models.CharField(max_length=200, unique=True)),
                ("note", models.CharField(blank=True, max_length=200)),
                ("at", models.DateTimeField()),
                (
                    "credit",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credits",
                        to="ledger.account",
                    ),
                ),
                (
                    "debit",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="debits",
                        to="ledger.account",
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
                "base_manager_name": "objects",
            },
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.CheckConstraint(
                condition=models.Q(("credits_posted__gte", 0), ("debits_posted__gte", 0)),
                name="account_counters_count_up",
            ),
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        (
                            "kind__in",
                            (
                                marketplace.domain.ledger.AccountKind["WALLET"],
                                marketplace.domain.ledger.AccountKind["HOLD"],
                                marketplace.domain.ledger.AccountKind["EARNINGS"],
                            ),
                        ),
                        _negated=True,
                    ),
                    ("credits_posted__gte", models.F("debits_posted")),
                    _connector="OR",
                ),
                name="account_never_owes",
            ),
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        (
                            "kind__in",
                            (
                                marketplace.domain.ledger.AccountKind["FEES"],
                                marketplace.domain.ledger.AccountKind["OUTSIDE"],
                                marketplace.domain.ledger.AccountKind["PROMO"],
                            ),
                        ),
                        ("user", None),
                    ),
                    models.Q(
                        models.Q(
                            (
                                "kind__in",
                                (
                                    marketplace.domain.ledger.AccountKind["FEES"],
                                    marketplace.domain.ledger.AccountKind["OUTSIDE"],
                                    marketplace.domain.ledger.AccountKind["PROMO"],
                                ),
                            ),
                            _negated=True,
                        ),
                        ("user__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="account_owner_fits_kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        (
                            marketplace.domain.ledger.AccountKind["WALLET"],
                            marketplace.domain.ledger.AccountKind["EARNINGS"],
                        ),
                    )
                ),
                fields=("user", "kind"),
                name="account_one_per_person",
            ),
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        (
                            marketplace.domain.ledger.AccountKind["FEES"],
                            marketplace.domain.ledger.AccountKind["OUTSIDE"],
                            marketplace.domain.ledger.AccountKind["PROMO"],
                        ),
                    )
                ),
                fields=("kind",),
                name="account_one_per_site",
            ),
        ),
        migrations.AddIndex(
            model_name="hold",
            index=models.Index(
                condition=models.Q(("released_at", None)), fields=["user"], name="hold_open_by_user"
            ),
        ),
        migrations.AddIndex(
            model_name="transfer",
            index=models.Index(fields=["debit", "id"], name="transfer_by_debit"),
        ),
        migrations.AddIndex(
            model_name="transfer",
            index=models.Index(fields=["credit", "id"], name="transfer_by_credit"),
        ),
        migrations.AddConstraint(
            model_name="transfer",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_microusd__gt", 0)), name="transfer_moves_something"
            ),
        ),
        migrations.AddConstraint(
            model_name="transfer",
            constraint=models.CheckConstraint(
                condition=models.Q(("debit", models.F("credit")), _negated=True),
                name="transfer_between_two_accounts",
            ),
        ),
    ]
