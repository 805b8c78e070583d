"""This will keep beside an offer how much memory of its GPUs was filled and read back."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("offers", "0013_indexes_of_kinds"),
    ]

    operations = [
        migrations.AddField(
            model_name="offer",
            name="vram_bytes_proven",
            field=models.BigIntegerField(blank=True, null=True),
        ),
    ]
