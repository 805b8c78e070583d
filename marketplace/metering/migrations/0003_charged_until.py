from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def mark_charged(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Note for what is charged in full that it is charged up to what is proven."""
    meters = apps.get_model("metering", "Meter").objects
    meters.filter(charged_ms=models.F("proven_ms")).update(charged_until=models.F("proven_until"))


class Migration(migrations.Migration):
    dependencies = [("metering", "0002_intervals_by_counted_time")]

    operations = [
        migrations.AddField(
            model_name="meter",
            name="charged_until",
            field=models.DateTimeField(null=True),
        ),
        migrations.RunPython(mark_charged, migrations.RunPython.noop),
    ]
