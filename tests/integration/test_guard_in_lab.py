"""The TLSA guard among real servers: a signed zone, its secondaries, a resolver that stretches denials."""

from __future__ import annotations

import asyncio
import hashlib
import time

from authority import Authority
from dnsbroker import keys
from dnsbroker.clock import SystemClock
from dnsbroker.config import DNSConfig
from dnsbroker.endpoints import parse
from dnsbroker.guarding import Guard, Guarded
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.place import Finder
from lab.rig import Lab
from lab.topology import RESOLVER

NAMES = ["example.test", "*.example.test"]
KEY = keys.generate("ecdsa-p256")
CHAIN = Authority().issue(KEY, NAMES)
HELD = f"3 1 1 {hashlib.sha256(keys.public_key_of(KEY)).hexdigest()}"


def blocked(*verify: str) -> tuple[Guarded, ...]:
    """What speaks against a new key."""
    new = keys.public_key_of(keys.generate("ecdsa-p256"))

    async def look() -> tuple[Guarded, ...]:
        exchange = Exchange()
        guard = Guard(Finder(DNSConfig(resolvers=(RESOLVER,)), exchange, SystemClock()), exchange)
        found = await guard.look(NAMES, [parse(text) for text in verify], CHAIN, new)
        return tuple(item for item in found if item.holds_key or item.by_certificate)

    return asyncio.run(look())


def test_a_record_of_a_mail_host_holds_the_key_though_the_primary_hangs(lab: Lab) -> None:
    """The secondaries tell; and no resolver hears of it, or of a host that is not there."""
    lab.powerdns.set_soa_edit_api("example.test", "INCREASE")
    lab.powerdns.replace("example.test", "example.test.", ["10 mx.example.test."], record_type="MX")
    lab.powerdns.replace("example.test", "mx.example.test.", ["192.0.2.1"], record_type="A")
    lab.powerdns.replace("example.test", "_25._tcp.mx.example.test.", [HELD], record_type="TLSA")
    # Transfers are whole: where the last change is, the others are too.
    lab.powerdns.replace("example.test", "last.example.test.", ['"there"'], record_type="TXT")
    lab.powerdns.notify("example.test")
    lab.await_values("last.example.test.", ["there"])
    lab.unbound.forget_queries()
    lab.freeze("powerdns")
    begun = time.monotonic()
    found = blocked("https://absent.example.test")
    assert time.monotonic() - begun < 30
    assert [(each.endpoint, each.by_key, each.unknown) for each in found] == [("smtp://mx.example.test", (HELD,), "")]
    assert not [query for query in lab.unbound.queries() if "example" in query.name]


def test_nothing_published_in_signed_zones_lets_the_new_key_through(lab: Lab) -> None:
    """The twin: real denials, with their proofs, are answers."""
    lab.powerdns.replace("example.test", "www.example.test.", ["192.0.2.1"], record_type="A")
    begun = time.monotonic()
    assert blocked("https://www.example.test", "smtp://www.bind.test") == ()
    assert time.monotonic() - begun < 14
