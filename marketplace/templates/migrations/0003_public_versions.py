"""This will keep which versions of templates were saved for everybody."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import OuterRef, Q, Subquery

#: whoever knows it can open the notebooks of all who rent by it
TOKEN = "JUPYTER_TOKEN"  # noqa: S105


def fill(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Take what is public now for saved so, but older versions that tell a token."""
    versions = apps.get_model("templates", "TemplateVersion").objects
    newest = versions.filter(template=OuterRef("template")).order_by("-number").values("pk")[:1]
    rows = versions.filter(template__public=True).filter(
        Q(pk=Subquery(newest)) | ~Q(environment__has_key=TOKEN)
    )
    versions.filter(pk__in=list(rows.values_list("pk", flat=True))).update(public=True)


class Migration(migrations.Migration):
    """One column, and what it says of what is there."""

    dependencies = [("templates", "0002_needs")]

    operations = [
        migrations.AddField(
            model_name="templateversion",
            name="public",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
