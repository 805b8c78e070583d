from django.db import migrations, models

ROWS_AT_ONCE = 500


def read_from_the_signed_verdicts(apps, schema_editor):
    record = apps.get_model("verification", "VerdictRecord")
    changed = []
    for verdict in record.objects.order_by("id").iterator(chunk_size=ROWS_AT_ONCE):
        measured = verdict.signed["verdict"].get("measurement")
        if not measured or not measured.get("cpus") or not measured.get("cpu_hash_rate"):
            continue
        verdict.hash_rate_per_cpu = measured["cpu_hash_rate"] // measured["cpus"]
        changed.append(verdict)
    record.objects.bulk_update(changed, ["hash_rate_per_cpu"], batch_size=ROWS_AT_ONCE)


class Migration(migrations.Migration):
    dependencies = [("verification", "0001_validators_and_verdicts")]

    operations = [
        migrations.AddField(
            model_name="verdictrecord",
            name="hash_rate_per_cpu",
            field=models.BigIntegerField(blank=True, null=True),
        ),
        # Nothing to undo: the column goes, and the signed verdicts still hold what was in it.
        migrations.RunPython(read_from_the_signed_verdicts, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name="verdictrecord",
            index=models.Index(
                condition=models.Q(("hash_rate_per_cpu__isnull", False)),
                fields=["machine", "-checked_at"],
                name="verdict_measured",
            ),
        ),
    ]
