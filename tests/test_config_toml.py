import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsbroker.config.toml import written, written_key

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(TEXTS, VALUES)
def test_what_is_written_is_read_back(name: str, value: object) -> None:
    """Whatever its signs are: quotes, line ends, controls, emptiness."""
    assert tomllib.loads(f"{written_key(name)} = {written(value)}") == {name: value}


def test_keys_are_quoted_only_where_they_need_it() -> None:
    """As people write them."""
    assert [written_key(name) for name in ("mode", "a-b_1", "example.org", "")] == [
        "mode",
        "a-b_1",
        '"example.org"',
        '""',
    ]


def test_what_toml_does_not_hold_is_refused() -> None:
    """There is no null, and no secret is written."""
    for value in (None, object()):
        with pytest.raises(TypeError):
            written(value)
