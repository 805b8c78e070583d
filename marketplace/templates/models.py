"""This will store people's templates. What a version says stays; a template gets newer ones."""

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q


class Template(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="templates"
    )
    name = models.CharField(max_length=40)
    #: everybody may see and use it, in those of its versions that were saved for everybody
    public = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    #: nobody finds it any more
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="template_name_once", fields=["owner", "name"], condition=Q(deleted_at=None)
            )
        ]
        indexes = [
            models.Index(
                name="template_public",
                fields=["-created_at"],
                condition=Q(public=True, deleted_at=None),
            )
        ]

    def __str__(self) -> str:
        return self.name


class TemplateVersion(models.Model):
    template = models.ForeignKey(Template, on_delete=models.CASCADE, related_name="versions")
    #: from 1 on
    number = models.PositiveIntegerField()
    #: these four are placements.workload.Parts
    image = models.CharField(max_length=500)
    command = models.JSONField(default=list, blank=True)
    environment = models.JSONField(default=dict, blank=True)
    ports = models.JSONField(default=list, blank=True)
    #: a search that a machine fulfils where it can run; empty: any
    needs = models.CharField(max_length=500, blank=True, default="")
    #: what it is for and how it is used
    note = models.TextField(max_length=4000, blank=True, default="")
    #: saved when its template was for everybody: its owner alone knows the others, which may hold
    #: what a public one must not
    public = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="template_version_once", fields=["template", "number"])
        ]

    def __str__(self) -> str:
        return f"{self.template_id}@{self.number}"
