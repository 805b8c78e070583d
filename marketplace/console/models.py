"""This will store who works for the site and in which roles."""

from django.conf import settings
from django.db import models

from marketplace.domain.oversight import Role
from marketplace.rentals.models import RentalProof


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


class Ban(models.Model):
    """Why somebody was shut out, and since when; who did it stands in the log of acts."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="bans"
    )
    #: they read it
    reason = models.CharField(max_length=500)
    banned_at = models.DateTimeField()
    #: None: it stands
    lifted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(
                fields=("user",), condition=models.Q(lifted_at=None), name="ban_once_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return f"ban of {self.user_id}"


class Ruling(models.Model):
    """What staff decided of a proof that its renter and a validator do not agree about."""

    proof = models.OneToOneField(RentalProof, on_delete=models.CASCADE, related_name="ruling")
    #: False: it stays as it was
    for_renter = models.BooleanField()
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"ruling of {self.proof_id}"
