"""What an error of the RFC 2136 adapter says of the change: done perhaps, or surely not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import dns.flags
import dns.message
import dns.rcode
import pytest

from dnsbroker.errors import ProviderError, ProviderUnavailable
from dnsbroker.records import Add, Record
from dnsbroker.testing import FakeClock
from dnsbroker_rfc2136 import RFC2136
from scripted_updates import Message, Scripted, adapter_for

ZONE = "example.org."


def add(name: str = "_acme-challenge", value: str = "ours") -> Add:
    """A value to add."""
    return Add(Record(f"{name}.{ZONE}", "TXT", value), 5)


@pytest.fixture
def server() -> Iterator[Scripted]:
    """A server that does as it is told, and what updates ask for not at all."""
    with Scripted() as scripted:
        yield scripted


def failed(server: Scripted, *changes: Add, clock: FakeClock | None = None) -> ProviderError:
    """The error that comes of ``changes``."""
    with pytest.raises(ProviderError) as caught:
        asyncio.run(adapter_for(server, clock).apply(ZONE, changes or (add(),)))
    return caught.value


@pytest.mark.parametrize(
    ("code", "is_sure"), [("REFUSED", True), ("NOTAUTH", True), ("YXRRSET", True), ("SERVFAIL", False)]
)
def test_a_refusal_is_sure_and_a_failure_is_not(server: Scripted, code: str, is_sure: bool) -> None:
    """A server may fail in the middle of an update, or of passing it on to the primary."""
    server.update = lambda answer: answer.set_rcode(dns.rcode.from_text(code))
    assert failed(server).nothing_done is is_sure
    assert server.updates


def test_what_was_accepted_and_is_not_shown_may_yet_appear(server: Scripted) -> None:
    """A secondary that forwards updates says NOERROR, too."""
    assert not failed(server).nothing_done


def test_the_first_of_two_messages_may_stand_where_the_second_is_refused(server: Scripted) -> None:
    """And the message that takes it back, too."""

    def second(answer: Message) -> None:
        if len(server.updates) > 1:
            answer.set_rcode(dns.rcode.REFUSED)

    server.update = second
    changes = [add(f"_acme-challenge.w{number}", "x" * 240) for number in range(400)]
    assert not failed(server, *changes).nothing_done
    assert len(server.updates) > 1


def test_what_fails_before_the_update_has_done_nothing(server: Scripted) -> None:
    """Here the zone is not the server's."""
    server.question = lambda answer: answer.set_rcode(dns.rcode.REFUSED)
    assert failed(server).nothing_done
    assert not server.updates


def test_what_would_come_late_is_not_sent(server: Scripted) -> None:
    """Looking took as long as all may take."""
    clock = FakeClock()
    server.question = lambda answer: clock.turn(RFC2136.request_timeout + 1)
    error = failed(server, clock=clock)
    assert isinstance(error, ProviderUnavailable)
    assert error.nothing_done
    assert not server.updates
