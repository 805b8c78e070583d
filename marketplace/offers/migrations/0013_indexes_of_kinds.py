"""This will let the best of each kind of GPU be found by reliability and by time to start, too."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("offers", "0012_kind_starts"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="offer",
            index=models.Index(
                name="offer_of_gpu_by_away",
                fields=["gpu_model", "vram_bytes", "has_room", "away_ppm", "id"],
                condition=models.Q(listed=True),
            ),
        ),
        migrations.AddIndex(
            model_name="offer",
            index=models.Index(
                name="offer_of_gpu_by_start",
                fields=["gpu_model", "vram_bytes", "has_room", "start_p50_ms", "id"],
                condition=models.Q(listed=True),
            ),
        ),
    ]
