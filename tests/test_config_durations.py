import pytest

from dnsbroker.config.durations import parse, show
from dnsbroker.settings import Rejected


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("200ms", 0.2),
        ("90s", 90.0),
        ("10m", 600.0),
        ("2h", 7200.0),
        ("3d", 259200.0),
        ("1.5h", 5400.0),
        ("90", 90.0),
        ("0s", 0.0),
        (90, 90.0),
        (0.5, 0.5),
        (0, 0.0),
    ],
)
def test_a_duration_is_a_number_with_a_unit_or_seconds(written: object, seconds: float) -> None:
    """Each unit of the reference, and a bare number, is understood."""
    assert parse(written) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("10 min", "10m"),
        ("1h30m", "90m"),
        ("5 minutes", "5m"),
        ("2 hours", "2h"),
        ("1w", "7d"),
        ("1 day", "1d"),
        ("90S", "90s"),
        ("20 sec", "20s"),
    ],
)
def test_what_is_nearly_a_duration_is_refused_with_the_one_that_may_be_meant(written: str, meant: str) -> None:
    """Nothing is guessed, but the hint has the right spelling."""
    with pytest.raises(Rejected) as caught:
        parse(written)
    assert f'"{meant}"' in caught.value.hint


@pytest.mark.parametrize("written", ["", "s", "-5s", "soon", True, None, [], -1, float("inf"), float("nan"), "١s"])
def test_what_is_no_duration_is_refused_with_the_forms(written: object) -> None:
    """Negative, endless and wordy ones are refused, and booleans are no numbers."""
    with pytest.raises(Rejected) as caught:
        parse(written)
    assert '"90s", "10m"' in caught.value.hint


@pytest.mark.parametrize("text", ["0s", "200ms", "90s", "10m", "36h", "3d", "1500ms"])
def test_what_is_shown_is_read_back(text: str) -> None:
    """Showing takes the largest unit that leaves a whole number."""
    assert show(parse(text)) == text
