"""This will store who works for the site and in which roles."""

from django.conf import settings
from django.db import models

from marketplace.domain.oversight import Role


class StaffRole(models.Model):
    """One role of one person. A superuser needs none: they may do everything."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="staff_roles"
    )
    role = models.CharField(max_length=16, choices=[(role.value, role.value) for role in Role])
    given_at = models.DateTimeField()

    class Meta:
        ordering = ("id",)
        constraints = [models.UniqueConstraint(fields=("user", "role"), name="role_once")]

    def __str__(self) -> str:
        return f"{self.user_id} is {self.role}"
