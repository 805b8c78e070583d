"""This will keep which GPUs were rented, as machines may say another model any time."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import OuterRef, Subquery


def fill(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Take what each machine says now for what it said: nothing older is known."""
    offers = apps.get_model("offers", "Offer").objects.filter(pk=OuterRef("offer_id"))
    rentals = apps.get_model("rentals", "Rental").objects
    rentals.update(
        gpu_model=Subquery(offers.values("gpu_model")[:1]),
        gpu_vram_bytes=Subquery(offers.values("vram_bytes")[:1]),
    )


class Migration(migrations.Migration):
    """Two columns, and what they say of what is there."""

    dependencies = [("rentals", "0013_listed_reports")]

    operations = [
        migrations.AddField(
            model_name="rental",
            name="gpu_model",
            field=models.CharField(blank=True, db_default="", default="", max_length=200),
        ),
        migrations.AddField(
            model_name="rental",
            name="gpu_vram_bytes",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
