"""Who gives what comes back adds up to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.given_back import Shares, kept_microusd, shares
from marketplace.domain.money import PPM, fee_of

MONEY = st.integers(0, 10**12)


@pytest.mark.parametrize(
    ("site_alone", "earned", "host", "site"),
    [
        (False, 10_000, 950, 50),
        (False, 900, 900, 100),
        (False, 0, 0, 1000),
        (False, -5, 0, 1000),
        (True, 10_000, 0, 1000),
    ],
)
def test_what_a_host_does_not_have_the_site_gives(
    site_alone: bool, earned: int, host: int, site: int
) -> None:
    found = shares(1000, fee_microusd=50, site_alone=site_alone, earned_microusd=earned)
    assert found == Shares(host, site)  # type: ignore[arg-type]


@given(MONEY, st.integers(0, 1_000_000), st.booleans(), MONEY)
def test_both_parts_are_the_whole_and_no_host_gives_what_they_have_not(
    amount: int, fee_ppm: int, site_alone: bool, earned: int
) -> None:
    found = shares(
        amount, fee_microusd=fee_of(amount, fee_ppm), site_alone=site_alone, earned_microusd=earned
    )
    assert found.host_microusd + found.site_microusd == amount
    assert 0 <= found.host_microusd <= earned
    assert found.site_microusd >= 0
    # What is divided as a charge, after the fee, is what the host gave.
    kept = kept_microusd(found, fee_microusd=fee_of(amount, fee_ppm))
    assert 0 <= kept <= amount
    assert abs((amount - kept) * (PPM - fee_ppm) - found.host_microusd * PPM) < 2 * PPM
    assert not site_alone or kept == amount
