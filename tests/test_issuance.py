"""What the CA's words about a failed validation mean for a second try."""

from __future__ import annotations

import pytest

from dnsbroker.errors import OrderFailed
from dnsbroker.issuance import _is_denial, _is_timeout


def refused(detail: str, *, type: str = "unauthorized", identifier: str = "www.example.org") -> OrderFailed:
    return OrderFailed("failed", problem_type=type, detail=detail, identifier=identifier)


@pytest.mark.parametrize(
    ("error", "is_timeout", "is_denial"),
    [
        (refused("DNS problem: NXDOMAIN looking up TXT", type="dns"), False, True),
        (refused("No TXT record found at _acme-challenge.www.example.org"), False, True),
        (refused("DNS problem: query timed out looking up TXT", type="dns"), True, True),
        (refused("read udp: i/o timeout", type="dns"), True, True),
        (refused("Incorrect TXT record found"), False, False),
        (
            refused("DNS problem: NXDOMAIN for timeout.example.org", type="dns", identifier="timeout.example.org"),
            False,
            True,
        ),
        (refused("Incorrect TXT at nxdomain.example.org", identifier="*.nxdomain.example.org"), False, False),
    ],
)
def test_time_outs_and_denials_are_told_by_the_words(error: OrderFailed, is_timeout: bool, is_denial: bool) -> None:
    """Names that happen to contain such a word say nothing."""
    assert (_is_timeout(error), _is_denial(error)) == (is_timeout, is_denial)
