from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("machines", "0003_desired_at")]

    operations = [
        migrations.CreateModel(
            name="Attendance",
            fields=[
                ("name", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("seen_at", models.DateTimeField()),
                ("back_at", models.DateTimeField(null=True)),
            ],
        ),
    ]
