"""What can be wrong with name servers, delegations, CAA records, wildcards and times: faults of a zone."""

from __future__ import annotations

from functools import partial
from typing import Any

from dnsbroker.lookup.address import Address
from dnsbroker.lookup.answer import Answer
from dnsbroker.lookup.exchange import Exchange, Untestable
from dnsbroker.testing import MemoryService
from doctor_scenes.scene import ERROR, NOTICE, WARNING, Act, Scene
from practice import CERTIFICATE, CHALLENGE, RECORDS, SERVERS, ZONE, Practice, leave

_SECOND = SERVERS[1]


def adding(*lines: str) -> Act:
    """Further records at both servers."""
    return lambda practice: practice.everywhere(*lines)


def behaving(**switches: object) -> Act:
    """The second server misbehaves."""

    def act(practice: Practice) -> None:
        for switch, value in switches.items():
            setattr(practice.tree.server(_SECOND).behaviour, switch, value)

    return act


def times(soa: str) -> Act:
    """An SOA with these: refresh, retry, expire, minimum."""

    def act(practice: Practice) -> None:
        for zone in practice.zones:
            zone.load(f"@ 86400 SOA ns1 host 1 {soa}\n{RECORDS}")

    return act


def demanding(practice: Practice) -> None:
    """Every server has to answer."""
    practice.tables["propagation"] = {"require": "all"}


def stopped(practice: Practice) -> None:
    """The second server is gone."""
    practice.tree.server(_SECOND).stop()


def dead(practice: Practice) -> None:
    """Both are."""
    for ip in SERVERS:
        practice.tree.server(ip).stop()


def two_families(practice: Practice) -> None:
    """The second server has an IPv6 address too, and every address has to answer."""
    demanding(practice)
    practice.everywhere("ns2 AAAA ::1")
    practice.tree.zone(ZONE, RECORDS + "ns2 AAAA ::1\n", "::1")


def without_udp(practice: Practice) -> None:
    """A firewall lets the second server's TCP through alone."""
    behaving(drop_udp=True)(practice)
    practice.exchange = partial(Exchange, 0.3, 2.0)


class WithoutIPv6(Exchange):
    """What a host has that lacks IPv6."""

    async def ask(self, address: Address, *question: Any, **options: Any) -> Answer:
        """As everywhere, but for the addresses of that family."""
        if address.is_v6:
            raise Untestable(address, "network is unreachable")
        return await super().ask(address, *question, **options)


def without_ipv6(practice: Practice) -> None:
    """This host has no IPv6."""
    practice.exchange = WithoutIPv6


def ahead(serial: int) -> Act:
    """The first server has that serial."""
    return lambda practice: practice.zones[0].bump(serial)


def third_server(practice: Practice) -> None:
    """The zone names a third server; the parent does not."""
    more = "@ NS ns3\nns3 A 127.0.0.23\n"
    practice.everywhere(*more.splitlines())
    practice.tree.zone(ZONE, RECORDS + more, "127.0.0.23")


def nameless_server(practice: Practice) -> None:
    """A server without an address, in the zone and in its parent."""
    practice.tree.delegate("example NS nowhere.example")
    practice.everywhere("@ NS nowhere")


def old_glue(practice: Practice) -> None:
    """The parent has one address too many."""
    practice.tree.delegate("ns2.example A 127.0.0.29")


def single(practice: Practice) -> None:
    """The second server is taken out, in the zone and in its parent."""
    practice.tree.test.remove(ZONE, "NS")
    practice.tree.delegate("example NS ns1.example")
    for zone in practice.zones:
        zone.remove(ZONE, "NS")
    practice.everywhere("@ NS ns1")


def ignoring(practice: Practice) -> None:
    """The second server is left out of every verdict."""
    practice.tables["propagation"] = {"ignore": [_SECOND]}


def other_zone(practice: Practice) -> None:
    """The service holds ``other.test`` too, at a server of its own."""
    practice.tree.zone("other.test.", "@ NS ns\nns A 127.0.0.31\n", "127.0.0.31")
    practice.tree.delegate("other NS ns.other", "ns.other A 127.0.0.31")
    practice.service = MemoryService(ZONE, "other.test.", CHALLENGE)


def aliased(practice: Practice) -> None:
    """The challenge name is an alias into that zone."""
    other_zone(practice)
    practice.everywhere("_acme-challenge CNAME x.other.test.")


def chained(hops: int) -> Act:
    """So many aliases lead there."""
    ends = [*(f"a{number}" for number in range(1, hops)), "x.other.test."]
    return adding(*(f"{a} CNAME {b}" for a, b in zip(["_acme-challenge", *ends], ends, strict=False)))


def cut(practice: Practice) -> None:
    """The challenge name is a zone of its own there."""
    other_zone(practice)
    practice.tree.zone(CHALLENGE, "@ NS ns.other.test.", "127.0.0.31")
    practice.everywhere("_acme-challenge NS ns.other.test.")


def losing(type: str) -> Act:
    """The second server lost what stands at the challenge name."""
    return lambda practice: practice.zones[1].remove(CHALLENGE, type)


def foreign(practice: Practice) -> None:
    """Nobody holds the zone any more."""
    practice.service = MemoryService("other.test.")


def host(practice: Practice) -> None:
    """The certificate is for a host of the zone's."""
    practice.tables["certificates"] = {"host.example.test": {}}


def unnamed(practice: Practice) -> None:
    """The CA does not publish by which name it goes."""
    practice.identities = []


def deaf_to_caa(practice: Practice) -> None:
    """No server can be asked for CAA."""
    for ip in SERVERS:
        practice.tree.server(ip).behaviour.failing = frozenset({"CAA"})


def left(practice: Practice) -> None:
    """A dead run's value stands at the challenge name."""
    leave(practice, "ours")


def nobodys(practice: Practice) -> None:
    """That name is in no certificate of this host's."""
    practice.tables["certificates"] = {"www.example.test": {}}


def withdrawn(practice: Practice) -> None:
    """A value was withdrawn, by the service's word."""
    leave(practice, "ours")
    practice.visit(fix=True, config=practice.config(CERTIFICATE))
    for zone in practice.zones:
        zone.remove(CHALLENGE, "TXT")


ZONES = (
    Scene("lame-server", WARNING, behaving(rcode="REFUSED")),
    Scene("lame-server", ERROR, behaving(rcode="REFUSED"), demanding),
    Scene("broken-server", ERROR, behaving(rcode="SERVFAIL"), demanding),
    Scene("silent-server", ERROR, stopped, demanding),
    Scene("silent-ipv6", ERROR, lambda practice: practice.tree.server("::1").stop(), two_families),
    Scene("no-tcp", WARNING, behaving(close_tcp=True)),
    Scene("no-udp", WARNING, without_udp),
    Scene("stale-server", ERROR, ahead(9)),
    Scene("serials-differ", ERROR, ahead(2**31 + 1)),
    Scene("ns-mismatch", WARNING, third_server),
    Scene("no-address", WARNING, nameless_server),
    Scene("glue-differs", WARNING, old_glue),
    Scene("one-server", NOTICE, single),
    Scene("ignored-server", NOTICE, ignoring),
    Scene("untested", NOTICE, without_ipv6, two_families),
    Scene("alias-missing", ERROR, losing("CNAME"), aliased),
    Scene("undelegated", ERROR, losing("NS"), cut),
    Scene("alias-loop", ERROR, adding("_acme-challenge CNAME a", "a CNAME _acme-challenge")),
    Scene("dangling-alias", ERROR, adding("_acme-challenge CNAME x.nowhere.")),
    Scene("long-chain", WARNING, chained(9), other_zone),
    Scene("long-chain", ERROR, chained(17), other_zone),
    Scene("wildcard-alias", NOTICE, adding("* CNAME x.other.test."), other_zone),
    Scene("no-zone", ERROR, dead),
    Scene("no-provider", ERROR, foreign),
    Scene("caa-account", NOTICE, adding('@ CAA 0 issue "ca.test; accounturi=https://ca.test/1"')),
    Scene("caa-forbids", ERROR, adding('@ CAA 0 issue "other.test"'), adding('@ CAA 0 issuemail "other.test"')),
    Scene("caa-servfail", WARNING, behaving(failing=frozenset({"CAA"}))),
    Scene("caa-servfail", ERROR, deaf_to_caa),
    Scene("caa-unknown", NOTICE, unnamed, adding('@ CAA 0 issue "ca.test"')),
    Scene("wildcard-shadowing", ERROR, adding("* A 127.0.0.100"), host),
    Scene("negative-ttl", NOTICE, times("3600 600 86400 7200")),
    Scene("odd-refresh", NOTICE, times("30 10 86400 60")),
    Scene("short-expire", WARNING, times("3600 600 4000 60")),
    Scene("left-behind", WARNING, left, nobodys),
    Scene("left-behind", WARNING, left),
    Scene("left-behind", NOTICE, adding(f'{CHALLENGE} 5 TXT "ours"'), withdrawn),
    Scene("foreign-values", NOTICE, adding(f'{CHALLENGE} 5 TXT "theirs"')),
    Scene("foreign-values", WARNING, adding(*(f'{CHALLENGE} 5 TXT "theirs-{number}"' for number in range(20)))),
    Scene("long-ttl", WARNING, adding(f'{CHALLENGE} 86400 TXT "theirs"')),
)
