"""What the CA's words mean for a second try: about a validation that failed, and about an order it refused."""

from __future__ import annotations

from typing import cast

import pytest

from dnsbroker.errors import OrderFailed, Problem
from dnsbroker.events import Emitter, Event
from dnsbroker.issuance import Commission, Issuance, _is_denial, _is_timeout
from dnsbroker.publishing import Publisher
from fake_ca import Stage, opened, refusal, scenario
from loopback import Response

#: What Pebble 2.4 says when its resolver answers with the response code #.
PEBBLE = (
    r'Error retrieving TXT records for DNS challenge ("DNS lookup for \"_acme-challenge.www.example.org\" '
    r"""returned an unsuccessful response: '\\x0#'")"""
)


def refused(detail: str, *, type: str = "unauthorized", identifier: str = "www.example.org") -> OrderFailed:
    return OrderFailed("failed", problem_type=type, detail=detail, identifier=identifier)


@pytest.mark.parametrize(
    ("error", "is_timeout", "is_denial"),
    [
        (refused("DNS problem: NXDOMAIN looking up TXT", type="dns"), False, True),
        (refused("No TXT record found at _acme-challenge.www.example.org"), False, True),
        (refused(PEBBLE.replace("#", "3")), False, True),
        (refused(PEBBLE.replace("#", "2")), False, False),
        (refused("No TXT records found for DNS challenge"), False, True),
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


async def asked(stage: Stage, *refusals: Response, profile_required: bool = False) -> list[dict[str, object]]:
    """What was asked for, order by order, of a CA that refuses the first ones so."""
    stage.ca.meta["profiles"] = {"short": ""}
    stage.ca.windows["AAAA.AQ"] = {}
    stage.ca.scripts["new-order"] = list(refusals)
    told: list[Event] = []
    commission = Commission(
        ("a.test",), b"", {}, profile="short", profile_required=profile_required, replaces="AAAA.AQ"
    )
    unused = cast("Publisher", None)  # nothing is published before the order is there
    async with opened(stage.ca, clock=stage.clock) as client:
        client.account_url = stage.client.account_url
        issuance = Issuance(client, unused, stage.clock, timeout=60.0, cache_limit=None)
        await issuance._opened(commission, Emitter(stage.clock, told.append))
    orders = [post.json() for post in stage.ca.posts if post.path == "new-order"]
    return [{key: order[key] for key in ("profile", "replaces") if key in order} for order in orders]


BOTH, UNPROFILED, UNREPLACING = (
    {"profile": "short", "replaces": "AAAA.AQ"},
    {"replaces": "AAAA.AQ"},
    {"profile": "short"},
)


@scenario
async def test_what_another_account_ordered_is_renewed_without_saying_so(stage: Stage) -> None:
    """As after an account was closed or lost: Let's Encrypt would refuse every renewal for ever."""
    assert await asked(stage, refusal(403, "unauthorized", "another account ordered it")) == [BOTH, UNREPLACING]


@scenario
async def test_a_ca_may_object_to_the_profile_and_to_what_is_replaced(stage: Stage) -> None:
    """One after the other; each is left away."""
    objections = refusal(400, "invalidProfile", "not for you"), refusal(409, "alreadyReplaced", "another order did")
    assert await asked(stage, *objections) == [BOTH, UNPROFILED, {}]
    assert await asked(stage, *reversed(objections)) == [BOTH, UNPROFILED, {}, BOTH, UNREPLACING, {}]


@scenario
async def test_fail_an_order_that_is_refused_for_itself(stage: Stage) -> None:
    """An account that may not order may not order without the addition either; a limit is not tried again."""
    closed = refusal(403, "unauthorized", "the account is closed")
    with pytest.raises(Problem, match="closed"):
        await asked(stage, closed, closed)
    with pytest.raises(Problem, match="too many"):
        await asked(stage, refusal(429, "rateLimited", "too many"))
    with pytest.raises(Problem, match="not for you"):
        await asked(stage, refusal(400, "invalidProfile", "not for you"), profile_required=True)
