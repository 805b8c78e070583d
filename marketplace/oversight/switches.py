"""This will let an action go on only where its feature is not turned off."""

from marketplace.domain.features import SENTENCES, Feature
from marketplace.domain.problem import Refused
from marketplace.oversight.models import Switch


class FeatureOff(Refused):
    """Operators turned this off for now."""

    code = "feature_off"
    status = 503


def check(feature: Feature) -> None:
    """Go on where the feature is on.

    :raises FeatureOff: when it is off, with the operator's words.
    """
    said = sentence(feature)
    if said:
        raise FeatureOff(said)


def is_off(feature: Feature) -> bool:
    """Say whether it is off."""
    return Switch.objects.filter(name=feature.value).exists()


def sentence(feature: Feature) -> str:
    """Return what people read where it is off; empty: it is on."""
    off = Switch.objects.filter(name=feature.value).first()
    return "" if off is None else f"{SENTENCES[feature]} {off.words}".strip()
