"""This will drop a meter's payer: it is whose hold the meter charges."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def the_holds_own(apps, schema_editor) -> None:
    meters = apps.get_model("metering", "Meter").objects
    for meter in meters.select_related("hold").iterator(chunk_size=500):
        meters.filter(pk=meter.pk).update(payer_id=meter.hold.user_id)


class Migration(migrations.Migration):
    dependencies = [
        ("metering", "0003_charged_until"),
        ("ledger", "0001_accounts_transfers_holds"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        # Back, the column must be empty before it can be filled.
        migrations.AlterField(
            model_name="meter",
            name="payer",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="meters_paid",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.RunPython(migrations.RunPython.noop, the_holds_own),
        migrations.RemoveField(model_name="meter", name="payer"),
    ]
