from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.offer_query import PAGE_ROWS_MAX, Cursor, CursorInvalid, OfferQuery


@given(key=st.integers(0, 1 << 62), offer_id=st.uuids())
def test_a_cursor_survives_its_way_through_an_address(key: int, offer_id: UUID) -> None:
    assert Cursor.decode(Cursor(key=key, offer_id=offer_id).encode()) == Cursor(key, offer_id)


@given(text=st.text(max_size=60))
def test_any_other_text_is_refused_as_a_cursor(text: str) -> None:
    with pytest.raises(CursorInvalid):
        Cursor.decode(text)


@pytest.mark.parametrize("text", ["WzEsIDJd", "WzEuNSwgIjAwIl0", "e30", "bnVsbA"])
def test_json_of_another_shape_is_refused_as_a_cursor(text: str) -> None:
    with pytest.raises(CursorInvalid):
        Cursor.decode(text)


@pytest.mark.parametrize(("asked", "got"), [(0, 1), (50, 50), (10_000, PAGE_ROWS_MAX)])
def test_a_page_has_a_limit(asked: int, got: int) -> None:
    assert OfferQuery(rows_max=asked).rows_max == got
