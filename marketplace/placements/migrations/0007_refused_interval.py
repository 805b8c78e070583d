from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("placements", "0006_blame_of_two")]

    operations = [
        migrations.AddField(
            model_name="placement",
            name="refused_interval",
            field=models.JSONField(blank=True, null=True),
        ),
    ]
