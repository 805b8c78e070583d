"""This will drop when an offer was first listed: nothing ever read it."""

from django.db import migrations, models


def when_its_machine_came(apps, schema_editor) -> None:
    offers = apps.get_model("offers", "Offer").objects
    for offer in offers.select_related("machine").iterator(chunk_size=500):
        offers.filter(pk=offer.pk).update(listed_at=offer.machine.enrolled_at)


class Migration(migrations.Migration):
    dependencies = [("offers", "0003_prices_above_zero")]

    operations = [
        # Back, an offer was listed when its machine was enrolled, as it nearly was.
        migrations.AlterField(
            model_name="offer", name="listed_at", field=models.DateTimeField(null=True)
        ),
        migrations.RunPython(migrations.RunPython.noop, when_its_machine_came),
        migrations.RemoveField(model_name="offer", name="listed_at"),
    ]
