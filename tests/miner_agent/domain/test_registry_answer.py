"""What a renter hears of a registry: its answer, and never what it sent."""

import pytest

from miner_agent.domain.registry_answer import registry_answer

SECRET = "admin_token=s3cr3t"


@pytest.mark.parametrize(
    ("said", "sentence", "unknown"),
    [
        ("manifest unknown: manifest unknown", "manifest unknown", True),
        ("manifest for a/b:1 not found: x", "manifest unknown", True),
        (f'error parsing HTTP 404 response body: "{SECRET}"', "not found (HTTP 404)", True),
        (f'error parsing HTTP 403 response body: "{SECRET} not found"', "HTTP 403", False),
        ("errors:\ndenied: x\nunauthorized: y", "unauthorized", True),
        (f"denied: {SECRET}", "denied", False),
        ("received unexpected HTTP status: 500 Internal Server Error", "HTTP 500", False),
        ("toomanyrequests: slow down", "too many requests", False),
        ('Get "https://x/v2/": dial tcp: lookup x: no such host', "no such host", False),
        ("dial tcp 1.2.3.4:443: connect: connection refused", "connection refused", False),
        ("Docker does not answer: Read timed out.", "nothing in time", False),
        (f"{SECRET}", "with something that Docker cannot use", False),
    ],
)
def test_an_answer_is_told_in_our_own_words(said: str, sentence: str, unknown: bool) -> None:
    answer = registry_answer(said)
    assert (answer.sentence, answer.unknown) == (sentence, unknown)
    assert SECRET not in answer.sentence
