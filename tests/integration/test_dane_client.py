"""The tests' own DANE client: that it accepts means something, for it refuses whatever it should."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from authority import Authority
from dane_client import Client, Watch, accepts, digest
from dane_lab import TTL, ZONE, DaneLab, Machine, WebServer
from dnsbroker import keys
from dnsbroker.store import Access, Provenance, Store
from lab.processes import look_until
from lab.rig import Lab
from lab.topology import RESOLVER

HOST = "www.dane.test"
ENDPOINT = f"https://{HOST}"
OTHER_KEY = "3 1 1 " + "ab" * 32


@pytest.fixture(scope="module")
def dane(running_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaneLab]:
    """The zones, and a web server whose certificate nobody ordered."""
    running_lab.clean()
    with DaneLab(running_lab, tmp_path_factory.mktemp("dane")) as dane:
        served(dane.machine("www", {}))
        yield dane


def served(machine: Machine) -> None:
    """Let the machine serve a new key."""
    key, now = keys.generate("ecdsa-p256"), datetime.now(UTC)
    chain = Authority().issue(key, [HOST], not_before=now - timedelta(hours=1))
    Store(machine.state).save("www", key, chain, Access(), Provenance("https://ca.example/dir", now))
    machine.serve(WebServer, ["www"], ["127.0.0.101", "::1"])


def published(dane: DaneLab, *records: str, ttl: int = TTL) -> None:
    """Write these records, until every server has them and the resolver no others."""
    owner = f"_443._tcp.{HOST}"
    dane.lab.powerdns.replace(ZONE.name, owner, records, record_type="TLSA", ttl=ttl)
    dane.lab.powerdns.notify(ZONE.name)
    for member in ZONE.members:
        look_until(lambda member=member: dane.tlsa(owner, member) == frozenset(records), f"the records at {member}")  # type: ignore[misc]
    dane.lab.unbound.flush()


def test_it_accepts_what_is_covered(dane: DaneLab) -> None:
    """The key, the CA that is sent along, and a key to come; at both addresses."""
    published(dane)
    first, second = Client(RESOLVER).look(ENDPOINT)
    assert {first.address, second.address} == {"127.0.0.101", "::1"}
    published(dane, f"3 1 1 {first.key}", OTHER_KEY, f"2 1 1 {digest('2 1 1', first.chain[-1])}")
    with Watch(RESOLVER, [ENDPOINT]) as watch:
        look_until(lambda: len(watch.seen) >= 4, "two looks")
    assert watch.refusals == []
    assert watch.keys(ENDPOINT) == [first.key]


def test_fail_it_refuses_what_is_not(dane: DaneLab) -> None:
    """Another key; a CA that is the leaf; a kind that names nothing served, which a mere client would pass over."""
    published(dane)
    leaf = Client(RESOLVER).look(ENDPOINT)[0].key
    published(dane, OTHER_KEY)
    assert accepts(ENDPOINT, RESOLVER) == "OpenSSL says: no matching DANE TLSA records"
    published(dane, f"2 1 1 {leaf}")
    assert accepts(ENDPOINT, RESOLVER).startswith("OpenSSL says: ")
    published(dane, f"3 1 1 {leaf}", OTHER_KEY.replace("3", "2", 1))
    assert accepts(ENDPOINT, RESOLVER).endswith("where no 2 1 1 names the chain")


def test_fail_it_remembers_what_a_cache_behind_the_resolver_may_hold(dane: DaneLab) -> None:
    """An RRset that did not cover the key, and is no longer at the resolver, for as long as twice its TTL."""
    client = Client(RESOLVER)
    published(dane)
    leaf = client.look(ENDPOINT)[0].key
    published(dane, OTHER_KEY, ttl=30)
    assert all(seen.refusal for seen in client.look(ENDPOINT))
    published(dane, f"3 1 1 {leaf}")
    assert {seen.refusal for seen in client.look(ENDPOINT)} == {
        "a cache may hold 3 1 1 abababab, where no 3 1 1 names the chain"
    }
    assert accepts(ENDPOINT, RESOLVER) == ""  # who never heard of it


def test_fail_it_refuses_what_is_not_secure_and_what_does_not_answer(dane: DaneLab) -> None:
    """An address in an unsigned zone; a name that has none; a port at which nobody is."""
    assert accepts("https://flaky.test", RESOLVER) == "flaky.test A: the answer is not secure"
    assert accepts("https://nobody.dane.test", RESOLVER) == "nobody.dane.test has no address"
    assert accepts(f"{ENDPOINT}:444", RESOLVER).startswith("no handshake with 127.0.0.101:444: ")
