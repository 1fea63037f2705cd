"""Resolvers: which they are, and who of them answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnsbroker.config import DNSConfig
from dnsbroker.errors import LookupFailed
from dnsbroker.lookup.exchange import Address, Answer, Exchange
from dnsbroker.lookup.race import NoAnswer
from dnsbroker.lookup.recursor import Recursor, resolvers
from dnsbroker.testing.nameserver import NameServers


class TestWhich:
    """The configured, else the system's."""

    def test_the_configuration_wins(self, tmp_path: Path) -> None:
        """With ports."""
        configured = DNSConfig(resolvers=("192.0.2.53", "[2001:db8::53]:5353"))
        assert resolvers(configured, tmp_path) == (Address("192.0.2.53"), Address("2001:db8::53", 5353))

    def test_the_systems_file_is_read_as_the_c_library_reads_it(self, tmp_path: Path) -> None:
        """Comments, options and what is no address are skipped."""
        file = tmp_path / "resolv.conf"
        file.write_text(
            "# nameserver 192.0.2.1\nsearch example.org\nnameserver 192.0.2.2 # here\n\tnameserver\t2001:db8::2\n"
            "nameserver\nnameserver ns.example.org\nnameserver fe80::1%eth0\n"
        )
        found = resolvers(DNSConfig(), file)
        assert found == (Address("192.0.2.2"), Address("2001:db8::2"), Address("fe80::1%eth0"))

    def test_without_any_it_is_this_host(self, tmp_path: Path) -> None:
        """As resolv.conf(5) says, of an empty file and of none."""
        (tmp_path / "empty").write_text("")
        assert resolvers(DNSConfig(), tmp_path / "empty") == (Address("127.0.0.1"),)
        assert resolvers(DNSConfig(), tmp_path / "missing") == (Address("127.0.0.1"),)

    def test_a_file_that_cannot_be_read_is_an_error(self, tmp_path: Path) -> None:
        """With the cure."""
        with pytest.raises(LookupFailed, match="is a directory") as caught:
            resolvers(DNSConfig(), tmp_path)
        assert caught.value.hint == "set dns.resolvers"


class TestAsking:
    """All of them are as one."""

    @pytest.fixture
    def servers(self) -> Iterator[NameServers]:
        """Two resolvers that know one zone."""
        with NameServers() as group:
            group.resolver("127.0.0.53").zone("test.", "@ SOA ns host 1 1 1 1 1\n@ NS ns\nns A 127.0.0.1\n")
            group.resolver("127.0.0.54")
            yield group

    def ask(self, servers: NameServers, recursor: Recursor | None = None) -> Answer:
        """The answer of either."""
        return asyncio.run((recursor or self.recursor(servers)).ask("test.", "NS"))

    def recursor(self, servers: NameServers) -> Recursor:
        """Both, in their order."""
        return Recursor(Exchange(0.2, 0.2), tuple(Address(ip, servers.port) for ip in ("127.0.0.53", "127.0.0.54")))

    def test_the_first_is_enough(self, servers: NameServers) -> None:
        """And it is asked with RD."""
        assert self.ask(servers).values("test.", "NS") == {"ns.test."}
        assert [(entry.server, entry.recursion) for entry in servers.log] == [("127.0.0.53", True)]

    @pytest.mark.parametrize("fault", ["stopped", "SERVFAIL", "REFUSED"])
    def test_the_next_one_helps_and_is_remembered(self, servers: NameServers, fault: str) -> None:
        """A resolver that is down, or cannot, costs one question in all."""
        first = servers.servers[0]
        first.stop() if fault == "stopped" else setattr(first.behaviour, "rcode", fault)
        recursor = self.recursor(servers)
        for _ in range(2):
            assert self.ask(servers, recursor).values("test.", "NS") == {"ns.test."}
        asked = [entry.server for entry in servers.log]
        assert asked == ([] if fault == "stopped" else ["127.0.0.53"]) + ["127.0.0.54"] * 2

    def test_silence_of_all_names_them(self, servers: NameServers) -> None:
        """It is no lack of an answer about the name, but of resolvers."""
        for server in servers.servers:
            server.stop()
        with pytest.raises(LookupFailed, match=r"no resolver answers.*127.0.0.53.*127.0.0.54") as caught:
            self.ask(servers)
        assert "dns.resolvers" in caught.value.hint
        assert caught.value.transient

    def test_failure_of_all_is_an_answer_of_sorts(self, servers: NameServers) -> None:
        """The twin: they are there, but cannot tell."""
        for server in servers.servers:
            server.behaviour.rcode = "SERVFAIL"
        with pytest.raises(NoAnswer, match="SERVFAIL"):
            self.ask(servers)
