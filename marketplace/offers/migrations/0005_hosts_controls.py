import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("machines", "0004_attendance"),
        ("offers", "0004_no_listed_at"),
    ]

    operations = [
        migrations.CreateModel(
            name="Guest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("email", models.EmailField(max_length=254)),
            ],
        ),
        migrations.AddField(
            model_name="offer",
            name="cpus_min",
            field=models.PositiveIntegerField(default=1),
        ),
        migrations.AddField(
            model_name="offer",
            name="ends_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="offer",
            name="gpus_min",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="offer",
            name="maintenance_from",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="offer",
            name="maintenance_until",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="offer",
            name="private",
            field=models.BooleanField(default=False),
        ),
        migrations.AddConstraint(
            model_name="offer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("maintenance_from__isnull", True), ("maintenance_until__isnull", True)
                    ),
                    ("maintenance_from__lt", models.F("maintenance_until")),
                    _connector="OR",
                ),
                name="offer_maintenance_is_a_window",
            ),
        ),
        migrations.AddField(
            model_name="guest",
            name="offer",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="guests",
                to="offers.offer",
            ),
        ),
        migrations.AddConstraint(
            model_name="guest",
            constraint=models.UniqueConstraint(
                fields=("offer", "email"), name="guest_once_an_offer"
            ),
        ),
    ]
