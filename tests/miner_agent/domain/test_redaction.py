"""What looks like a secret leaves a text, and what does not stays readable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miner_agent.domain.redaction import GONE, redact

SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    "text",
    [
        f"https://bob:{SECRET}@proxy.example:3128/",
        f"Authorization: Bearer {SECRET}",
        f"Authorization: Basic {SECRET}",
        f"DB_PASSWORD={SECRET}",
        f'{{"api_key": "{SECRET}", "x": 1}}',
        f"'secret': '{SECRET} and more'",
        f"--token {SECRET}",
        f"registry-token: {SECRET}",
        f"-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRET}\n-----END OPENSSH PRIVATE KEY-----",
        f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}",
    ],
)
def test_what_looks_like_a_secret_is_removed(text: str) -> None:
    shown = redact(f"before {text} after")
    assert SECRET not in shown
    assert GONE in shown
    assert shown.startswith("before ")


@given(st.text(min_size=6, max_size=30).filter(lambda text: text.strip() == text))
def test_what_is_known_is_removed_wherever_it_is(secret: str) -> None:
    shown = redact(f"x{secret}y {secret}", secrets=[secret])
    assert secret not in shown.replace(GONE, "")


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21 10:00:00,000 INFO placement runs placement='1'",
        "https://berth.example/api/v1/rentals",
        '{"state": "running", "port": 20001}',
    ],
)
def test_the_rest_stays(text: str) -> None:
    assert redact(text, secrets=["1", "true", ""]) == text
