"""One question, one server: every way in which an answer may come, or fail to."""

from __future__ import annotations

import asyncio
import gc
import socket
import subprocess
import sys
from collections.abc import Iterator

import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsbroker.lookup import exchange as module
from dnsbroker.lookup import wire
from dnsbroker.lookup.exchange import Address, Answer, Exchange, Silent, parse_address
from dnsbroker.testing.nameserver import NameServers, Server

ZONE = """
@ SOA ns host 7 3600 600 86400 60
@ NS ns
ns A 127.0.0.21
www A 192.0.2.1
"""
NAME = "www.example.test."


@pytest.fixture
def servers() -> Iterator[NameServers]:
    """A group with one server for ``example.test.``."""
    with NameServers() as group:
        group.server("127.0.0.21").zone("example.test.", ZONE)
        yield group


@pytest.fixture
def server(servers: NameServers) -> Server:
    """That server."""
    return servers.servers[0]


def ask(servers: NameServers, name: str = NAME, type: str = "A", **options: bool) -> Answer:
    """Its answer; each transport may take a fifth of a second."""

    async def asking() -> Answer:
        return await Exchange(0.2, 0.2).ask(Address("127.0.0.21", servers.port), name, type, **options)

    return asyncio.run(asking())


class TestTransport:
    """UDP, and TCP where UDP is not enough."""

    def test_udp_is_enough_where_it_answers(self, servers: NameServers) -> None:
        """No TCP connection is made for an answer that fits."""
        answer = ask(servers)
        assert answer.values(NAME, "A") == {"192.0.2.1"}
        assert (answer.rcode, answer.authoritative, answer.tcp, answer.udp_silent) == ("NOERROR", True, False, False)
        assert [entry.tcp for entry in servers.log] == [False]

    def test_n8_a_truncated_answer_is_fetched_by_tcp(self, servers: NameServers, server: Server) -> None:
        """N8: TC leads to TCP, which says nothing against UDP."""
        server.behaviour.truncate_udp = True
        answer = ask(servers)
        assert answer.values(NAME, "A") == {"192.0.2.1"}
        assert (answer.tcp, answer.udp_silent, answer.tcp_refused) == (True, False, False)

    def test_n9_dropped_udp_is_answered_by_tcp_and_told(self, servers: NameServers, server: Server) -> None:
        """N9: silence by UDP leads to TCP too, and the answer says so."""
        server.behaviour.drop_udp = True
        answer = ask(servers)
        assert answer.values(NAME, "A") == {"192.0.2.1"}
        assert (answer.tcp, answer.udp_silent) == (True, True)

    def test_a_truncated_answer_without_tcp_is_still_an_answer(self, servers: NameServers, server: Server) -> None:
        """With TCP closed what came by UDP is given, marked as what it is."""
        server.behaviour.truncate_udp = True
        server.behaviour.close_tcp = True
        answer = ask(servers)
        assert (answer.tcp_refused, answer.tcp) == (True, False)
        assert answer.values(NAME, "A") == frozenset()

    def test_tcp_alone_where_it_is_asked_for(self, servers: NameServers) -> None:
        """``tcp`` leaves UDP out."""
        assert ask(servers, tcp=True).tcp
        assert [entry.tcp for entry in servers.log] == [True]

    def test_a_closed_tcp_port_is_silence_where_tcp_is_asked_for(self, servers: NameServers, server: Server) -> None:
        """The negative twin: UDP's answer does not cover for TCP."""
        server.behaviour.close_tcp = True
        assert ask(servers).authoritative
        with pytest.raises(Silent, match="TCP: connection reset by peer"):
            ask(servers, tcp=True)

    def test_silence_names_both_transports(self, servers: NameServers, server: Server) -> None:
        """A silent server is told apart from one that refuses."""
        server.behaviour.silent = True
        with pytest.raises(Silent, match=r"UDP: no answer within 0.2 s; TCP: no answer within 0.2 s"):
            ask(servers)
        server.stop()
        with pytest.raises(Silent, match="UDP: connection refused; TCP: connection refused"):
            ask(servers)

    def test_cancelling_closes_the_sockets(self, servers: NameServers, server: Server) -> None:
        """A question that is given up leaves no socket behind, neither UDP's nor TCP's."""
        server.behaviour.silent = True

        async def giving_up(tcp: bool) -> None:
            asking = Exchange().ask(Address("127.0.0.21", servers.port), NAME, "A", tcp=tcp)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asking, 0.1)

        for tcp in (False, True):
            asyncio.run(giving_up(tcp))
        gc.collect()  # an open socket would be a ResourceWarning, hence an error

    def test_n3_a_missing_address_family_is_untestable(self) -> None:
        """N3: on a host without address and route the server is untested, not silent."""
        outcome = subprocess.run(
            ["unshare", "--map-root-user", "--net", sys.executable, "-c", WITHOUT_ROUTES],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        assert outcome.stdout.split() == ["Untestable"] * 4


WITHOUT_ROUTES = """
import asyncio
from dnsbroker.lookup.exchange import Address, Exchange, Silent

async def main():
    for ip in ("192.0.2.1", "2001:db8::1"):
        for tcp in (False, True):
            try:
                await Exchange(0.2, 0.2).ask(Address(ip), "example.test.", "A", tcp=tcp)
            except Silent as error:
                print(type(error).__name__)

asyncio.run(main())
"""


class TestQuestion:
    """What goes out, and that nothing but its echo comes in."""

    def test_every_question_is_new(self, servers: NameServers) -> None:
        """Source port and id differ from question to question, and so does the case of the letters."""
        for _ in range(8):
            ask(servers)
        assert len({entry.port for entry in servers.log}) == 8
        assert len({entry.id for entry in servers.log}) == 8
        assert len({entry.spelled for entry in servers.log}) > 1

    def test_flags(self, servers: NameServers) -> None:
        """Without recursion and DO unless asked; always with EDNS. A recursor gets the name as it is."""
        ask(servers)
        ask(servers, dnssec=True, recursion=True)
        plain, other = servers.log
        assert (plain.recursion, plain.dnssec, plain.edns) == (False, False, True)
        assert (other.recursion, other.dnssec, other.spelled) == (True, True, NAME)

    def test_formerr_leads_to_a_question_without_edns(self, servers: NameServers, server: Server) -> None:
        """A server from before EDNS is understood; one that always answers FORMERR gives just that."""
        server.behaviour.no_edns = True
        assert ask(servers, dnssec=True).values(NAME, "A") == {"192.0.2.1"}
        assert [entry.edns for entry in servers.log] == [True, False]
        server.behaviour.rcode = "FORMERR"
        assert ask(servers).rcode == "FORMERR"

    def test_a_server_that_changes_the_case_is_not_believed(self, servers: NameServers, server: Server) -> None:
        """A CA that randomises the case would not believe it either."""
        server.behaviour.lower_case = True
        with pytest.raises(Silent, match="UDP: what came back is unreadable, or does not repeat the question letter"):
            ask(servers, "a-long-name-that-is-never-lower-case-by-chance.example.test.")

    def test_a_recursor_may_change_the_case(self, servers: NameServers, server: Server) -> None:
        """The twin: nothing hangs on how a recursor spells, and it gets lower case anyway."""
        server.behaviour.lower_case = True
        assert ask(servers, recursion=True).rcode == "NOERROR"


QUESTION = dns.message.make_query(NAME, "A")


def reply(**changes: object) -> bytes:
    """An empty reply to QUESTION, with some of its attributes changed."""
    made = dns.message.make_response(QUESTION)
    for name, value in changes.items():
        setattr(made, name, value)
    return made.to_wire()


def with_answers(*rdata: bytes) -> bytes:
    """A reply to QUESTION with TLSA records of these octets."""
    head = bytearray(reply())
    head[6:8] = len(rdata).to_bytes(2, "big")
    fixed = b"\xc0\x0c" + bytes.fromhex("00340001 0000003c")
    return bytes(head) + b"".join(fixed + len(data).to_bytes(2, "big") + data for data in rdata)


class TestEcho:
    """What is taken for an answer at all."""

    def test_the_echo_is_taken(self) -> None:
        """A reply with our id and question is one."""
        assert module._reply(QUESTION, reply()) is not None

    @pytest.mark.parametrize(
        "octets",
        [
            b"",
            b"\x00" * 11,
            QUESTION.to_wire(),
            reply(id=(QUESTION.id + 1) % 65536),
            reply(question=[]),
            reply(question=dns.message.make_query(NAME, "AAAA").question),
            reply(question=dns.message.make_query("Www.example.test.", "A").question),
            reply()[:-3],
        ],
        ids=["nothing", "short", "the question", "other id", "no question", "other type", "other case", "cut off"],
    )
    def test_anything_else_is_not(self, octets: bytes) -> None:
        """Forged, foreign and broken messages are waited past."""
        assert module._reply(QUESTION, octets) is None

    def test_an_error_may_come_without_the_question(self) -> None:
        """A server that could not parse the question cannot repeat it; one that denies must have read it."""
        taken = [reply(question=[], flags=0x8000 | rcode) for rcode in (1, 2, 4, 5)]
        assert all(module._reply(QUESTION, octets) for octets in taken)
        assert module._reply(QUESTION, reply(question=[], flags=0x8003)) is None

    def test_a_truncated_message_may_break_off_anywhere(self) -> None:
        """With TC the header and the question are enough, for TCP will bring the rest."""
        whole = reply(flags=0x8200)
        broken = whole[:6] + b"\x00\x01" + whole[8:] + b"\xc0"
        assert module._reply(QUESTION, broken) is not None

    def test_a_tlsa_record_that_means_nothing_is_kept_as_it_is(self) -> None:
        """Its digest lacks an octet: it is a part of what is signed, and the records beside it stay."""
        cut_off, whole = bytes([3, 1, 1, *range(31)]), bytes([3, 1, 1, *range(32)])
        message = module._reply(QUESTION, with_answers(cut_off, whole))
        assert message is not None
        (rrset,) = message.answer
        assert sorted(rdata.to_generic().data for rdata in rrset) == [cut_off, whole]

    def test_only_what_means_nothing_is_put_back(self) -> None:
        """The twin: a record that was read stands there once."""
        whole = bytes([3, 1, 1, *range(32)])
        message = module._reply(QUESTION, with_answers(whole, whole[:-1], whole[:-2]))
        assert message is not None
        assert len(message.answer[0]) == 3

    def test_a_record_of_unknown_extent_makes_the_message_unreadable(self) -> None:
        """The twin: what is cut off with the message may be the record that matters."""
        whole = bytes([3, 1, 1, *range(32)])
        assert module._reply(QUESTION, with_answers(whole, whole)[:-1]) is None
        assert module._reply(QUESTION, with_answers(whole[:-1], whole)[:-1]) is None
        assert module._reply(QUESTION, with_answers(whole) + b"more") is None

    @given(st.binary(max_size=80))
    def test_no_octets_break_the_reader(self, octets: bytes) -> None:
        """Whatever arrives, it is an answer or it is not."""
        head = QUESTION.id.to_bytes(2, "big") + b"\x80\x00"
        assert module._reply(QUESTION, octets) is None
        module._reply(QUESTION, head + octets)
        module._reply(QUESTION, reply()[:12] + octets)

    def test_a_forged_datagram_does_not_end_the_wait(self) -> None:
        """By UDP the true answer still counts after a false one."""

        async def asking() -> bytes:
            loop = asyncio.get_running_loop()
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind(("127.0.0.1", 0))
            sock.setblocking(False)
            port = sock.getsockname()[1]
            accept = {b"true": b"true"}.get
            waiting = asyncio.ensure_future(wire.by_udp(Address("127.0.0.1", port), b"question", accept, 5))
            _, client = await loop.sock_recvfrom(sock, 100)
            await loop.sock_sendto(sock, b"false", client)
            await loop.sock_sendto(sock, b"true", client)
            sock.close()
            return await waiting

        assert asyncio.run(asking()) == b"true"


class TestAddress:
    """Addresses as the configuration writes them."""

    @pytest.mark.parametrize(
        ("text", "address", "shown"),
        [
            ("192.0.2.1", Address("192.0.2.1"), "192.0.2.1"),
            ("192.0.2.1:5353", Address("192.0.2.1", 5353), "192.0.2.1:5353"),
            ("2001:DB8::0:1", Address("2001:db8::1"), "2001:db8::1"),
            ("[2001:db8::1]:5353", Address("2001:db8::1", 5353), "[2001:db8::1]:5353"),
            ("[2001:db8::1]", Address("2001:db8::1"), "2001:db8::1"),
            ("fe80::1%eth0", Address("fe80::1%eth0"), "fe80::1%eth0"),
        ],
    )
    def test_are_read_and_shown(self, text: str, address: Address, shown: str) -> None:
        """Each form, and the shortest that says the same."""
        assert parse_address(text) == address
        assert str(address) == shown

    def test_the_default_port_is_an_argument(self) -> None:
        """It counts only where the text has none."""
        assert parse_address("192.0.2.1", 5300) == Address("192.0.2.1", 5300)
        assert parse_address("192.0.2.1:53", 5300) == Address("192.0.2.1", 53)

    @pytest.mark.parametrize(
        "text", ["", "ns.example.org", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:x", "[::1]x", "[::1"]
    )
    def test_anything_else_is_refused(self, text: str) -> None:
        """With words for a person."""
        with pytest.raises(ValueError, match="is not"):
            parse_address(text)
