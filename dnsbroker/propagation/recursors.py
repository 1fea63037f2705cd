"""``require = "resolvers"``: the configured resolvers are asked, and nobody else.

For hosts that may not speak to authoritative servers. Each resolver is asked until it has the values, none before the
caller has let the record settle: one that is asked too early keeps the denial.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from dnsbroker.clock import Clock, Deadline
from dnsbroker.errors import NotPropagated
from dnsbroker.lookup.address import Address
from dnsbroker.lookup.exchange import Exchange, Silent
from dnsbroker.lookup.zone import Place
from dnsbroker.names import shown
from dnsbroker.tasks import together

_LONGEST_PAUSE = 5.0
_GROWTH = 1.5
#: Even at the deadline a resolver gets so many seconds for its answer.
_LEAST = 2.0


class Recursors:
    """Waits for resolvers. ``interval`` is the first pause between two questions, in seconds."""

    def __init__(
        self, exchange: Exchange, resolvers: Callable[[], Sequence[Address]], clock: Clock, interval: float
    ) -> None:
        self._exchange = exchange
        self._resolvers = resolvers
        self._clock = clock
        self._interval = interval

    async def wait(self, place: Place, type: str, values: frozenset[str], deadline: Deadline) -> int:
        """Wait until each resolver has ``values`` for the challenge; the largest TTL seen, in seconds.

        Each is asked once, even where ``deadline`` has passed. Raises NotPropagated then.
        """
        begun = self._clock.monotonic()
        seen: dict[str, str] = {}
        asking = (self._wait_for(address, place, type, values, deadline, seen) for address in self._resolvers())
        ttls = await together(asking)
        if not seen:
            return max(ttls, default=0)
        told = "; ".join(f"{resolver} {words}" for resolver, words in seen.items())
        raise NotPropagated(
            f"{shown(place.challenge)} is not at every resolver: {told}",
            name=place.challenge,
            expected=sorted(values),
            seen_by_server=seen,
            waited=round(self._clock.monotonic() - begun, 1),
            hint=f"raise propagation.settle: what a resolver learnt before that it keeps for up to "
            f"{place.zone.soa.negative_ttl} s",
        )

    async def _wait_for(
        self,
        address: Address,
        place: Place,
        type: str,
        values: frozenset[str],
        deadline: Deadline,
        seen: dict[str, str],
    ) -> int:
        """The TTL at one resolver; where it has not all values in the end, what it has goes into ``seen``."""
        pause = self._interval
        while True:
            try:
                async with asyncio.timeout(max(_LEAST, deadline.left())):
                    answer = await self._exchange.ask(address, place.challenge, type, recursion=True)
                found, words = answer.values(place.owner, type), f"answers {answer.rcode}"
            except (Silent, TimeoutError) as error:
                found, words = frozenset[str](), error.reason if isinstance(error, Silent) else "does not answer"
            else:
                if values <= found:
                    return answer.ttl(place.owner, type) or 0
            if deadline.has_passed():
                seen[str(address)] = f"has {len(values & found)} of {len(values)} values" if found else words
                return 0
            await self._clock.sleep(min(pause, deadline.left()))
            pause = min(_LONGEST_PAUSE, pause * _GROWTH)
