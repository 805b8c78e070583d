"""This will drop the placement's price: it was always zero, and the meter has the real one."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("placements", "0004_live_is_not_gone")]

    operations = [migrations.RemoveField(model_name="placement", name="price_hour_microusd")]
