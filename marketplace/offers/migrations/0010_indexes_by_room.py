"""This will let each index of offers tell those with room from those without."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("machines", "0003_interruptible"),
        ("offers", "0009_has_room"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="offer",
            name="offer_by_price",
        ),
        migrations.RemoveIndex(
            model_name="offer",
            name="offer_by_value",
        ),
        migrations.RemoveIndex(
            model_name="offer",
            name="offer_by_away",
        ),
        migrations.RemoveIndex(
            model_name="offer",
            name="offer_by_start",
        ),
        migrations.RemoveIndex(
            model_name="offer",
            name="offer_of_gpu_by_price",
        ),
        migrations.RemoveIndex(
            model_name="offer",
            name="offer_of_gpu_by_value",
        ),
        migrations.RemoveIndex(
            model_name="offer",
            name="offer_of_country_by_price",
        ),
        migrations.AddIndex(
            model_name="offer",
            index=models.Index(
                condition=models.Q(("listed", True)),
                fields=["has_room", "price_hour_microusd", "id"],
                name="offer_by_price",
            ),
        ),
        migrations.AddIndex(
            model_name="offer",
            index=models.Index(
                condition=models.Q(("listed", True)),
                fields=["has_room", "value_microusd", "id"],
                name="offer_by_value",
            ),
        ),
        migrations.AddIndex(
            model_name="offer",
            index=models.Index(
                condition=models.Q(("listed", True)),
                fields=["has_room", "away_ppm", "id"],
                name="offer_by_away",
            ),
        ),
        migrations.AddIndex(
            model_name="offer",
            index=models.Index(
                condition=models.Q(("listed", True)),
                fields=["has_room", "start_p50_ms", "id"],
                name="offer_by_start",
            ),
        ),
        migrations.AddIndex(
            model_name="offer",
            index=models.Index(
                condition=models.Q(("listed", True)),
                fields=["gpu_model", "vram_bytes", "has_room", "price_hour_microusd", "id"],
                name="offer_of_gpu_by_price",
            ),
        ),
        migrations.AddIndex(
            model_name="offer",
            index=models.Index(
                condition=models.Q(("listed", True)),
                fields=["gpu_model", "vram_bytes", "has_room", "value_microusd", "id"],
                name="offer_of_gpu_by_value",
            ),
        ),
        migrations.AddIndex(
            model_name="offer",
            index=models.Index(
                condition=models.Q(("listed", True)),
                fields=["country", "has_room", "price_hour_microusd", "id"],
                name="offer_of_country_by_price",
            ),
        ),
    ]
