"""A refusal is a code, a status and a sentence."""

from marketplace.domain.problem import Refused


class Closed(Refused):
    code = "closed"
    sentence = "The shop is closed."


def test_a_refusal_says_its_own_sentence() -> None:
    assert Closed().detail == "The shop is closed."


def test_a_refusal_may_say_more() -> None:
    assert Closed("The shop opens at nine.").detail == "The shop opens at nine."
