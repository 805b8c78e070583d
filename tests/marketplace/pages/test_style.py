"""Rules that hold for every template, style sheet and script of the site."""

import re
from itertools import product
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
SHEETS = sorted((ROOT / "static/css").glob("*.css"))
SCRIPTS = sorted((ROOT / "static/js").glob("*.js"))
#: WCAG 2.2, success criterion 1.4.3: text of normal size, read 2026-11-21
CONTRAST_MIN = 4.5
TEXTS = ("ink", "muted", "accent", "good", "warn", "bad")
TINTED = ("accent", "good", "warn", "bad")


def colours(scheme: int) -> dict[str, str]:
    """Return the colours of the light (0) or dark (1) scheme by name."""
    tokens = (ROOT / "static/css/tokens.css").read_text()
    pairs = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", tokens)
    return {name: (light, dark)[scheme] for name, light, dark in pairs}


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1])
def test_text_is_readable_on_every_ground(scheme: int) -> None:
    colour = colours(scheme)
    pairs = [*product(TEXTS, ("paper", "surface")), ("on-accent", "accent"), ("muted", "sunken")]
    pairs += [(name, f"{name}-soft") for name in TINTED]
    pairs += [("ink", f"{name}-soft") for name in TINTED]
    pairs += [("on-accent", "accent-hover")]
    low = {pair: contrast(colour[pair[0]], colour[pair[1]]) for pair in pairs}
    assert {pair: found for pair, found in low.items() if found < CONTRAST_MIN} == {}


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.name)
def test_every_rule_lies_in_a_layer_and_every_colour_is_a_token(sheet: Path) -> None:
    text = re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.DOTALL)
    outside = re.sub(r"@layer [\w, ]+;", "", text).strip()
    assert re.fullmatch(r"@layer \w+ \{.*\}", outside, flags=re.DOTALL)
    assert text.count("{") == text.count("}")
    if sheet.name != "tokens.css":
        assert not re.search(r"#[0-9a-f]{3,8}\b[^{]*;|rgb\(", text)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_template_carries_inline_code(template: Path) -> None:
    text = template.read_text()
    assert not re.search(r"\sstyle=|<style|\son\w+=|javascript:", text)
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_every_form_that_posts_is_safe_from_other_sites(template: Path) -> None:
    text = template.read_text()
    # Each of the two languages shows nothing for the other's word.
    token = "{{ csrf_input }}" if text.startswith("{# Jinja2 ") else "{% csrf_token %}"
    if "{% set csrf = csrf_input|string %}" in text:
        token = "{{ csrf }}"
    for form in re.findall(r"<form[^>]*method=\"post\".*?</form>", text, re.DOTALL):
        assert token in form


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_short(script: Path) -> None:
    assert len(script.read_text().splitlines()) < 120


def test_what_is_vendored_keeps_its_licence_and_version() -> None:
    for folder in (ROOT / "static/vendor").iterdir():
        assert (folder / "LICENSE").read_text().strip()
        assert re.search(r"\d+\.\d+\.\d+", (folder / "VERSION").read_text())
