from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0008_kept_answers"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="keptanswer",
            index=models.Index(fields=["user", "expires_at"], name="answers_of_a_user"),
        ),
    ]
