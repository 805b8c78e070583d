"""This will show meters and intervals to operators, who may change neither."""

from django.contrib import admin

from marketplace.accounts.read_only import ReadOnly
from marketplace.metering.models import Meter, SignedIntervalRow

admin.site.register((Meter, SignedIntervalRow), ReadOnly)
