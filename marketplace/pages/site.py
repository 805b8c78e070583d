"""This will tell every page where the site's operator and the project's source are found."""

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, str]:
    """Return the addresses, empty where the operator named none."""
    contact: str = settings.CONTACT
    is_mail = contact and "://" not in contact
    return {
        "contact_url": f"mailto:{contact}" if is_mail else contact,
        "source_url": settings.SOURCE_URL,
    }
