"""What an error of the Cloudflare adapter says of the change: done perhaps, and then withdrawn later; or surely not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloudflare import NONE, NOT_JSON, Cloudflare, Fault, Zone, errors, only, page
from cloudflare.replies import success
from cloudflare_clients import Adapter, adapter, add, played, secret
from dnsbroker.config import Config, ProviderConfig
from dnsbroker.errors import ProviderError, ProviderUnavailable
from dnsbroker.events import Emitter
from dnsbroker.journal import Journal, Leases
from dnsbroker.records import Record
from dnsbroker.routing import Target
from dnsbroker.run import Run
from dnsbroker.sweeping import sweep_out
from dnsbroker.testing import FakeClock
from dnsbroker_cloudflare import CloudflareSettings
from loopback import Request

ZONE = "example.com."
NAME = "_acme-challenge.example.com."
NOBODY = Fault(
    success([], info={"page": 1, "per_page": 100, "count": 0, "total_count": 0, "total_pages": 1}).response()
)


class Fickle(Cloudflare):
    """Once something was written, every look at records meets ``trouble``, and every change ``refusal``.

    ``looked`` is told of each look.
    """

    trouble: Fault | None = None
    refusal: Fault | None = None
    looked: Callable[[], object] = staticmethod(lambda: None)

    def _fault(self, request: Request) -> Fault | None:
        if request.method == "GET" and "dns_records" in request.target:
            self.looked()
            if self.trouble and self.changing:
                return self.trouble
        if request.method == "POST" and self.refusal and self.changing:
            return self.refusal
        return super()._fault(request)


@pytest.fixture
def service() -> Iterator[Fickle]:
    """With one zone."""
    with Fickle() as started:
        started.add_zone("example.com")
        yield started


@pytest.fixture
def zone(service: Cloudflare) -> Zone:
    """The zone."""
    return service.zones[0]


class Host:
    """Runs over one state directory, one after another."""

    def __init__(self, state_dir: Path, service: Cloudflare) -> None:
        self.clock = FakeClock()
        settings = CloudflareSettings(base_url=service.url, api_token=secret(service.add_token().secret))
        self.config = replace(
            Config.from_dict({"state_dir": str(state_dir), "dns": {"resolvers": ["127.0.0.1"]}}),
            providers={"cf": ProviderConfig("cf", Adapter, settings, "cloudflare")},
        )

    def alone(self, story: Callable[[Run], Coroutine[Any, Any, Any]]) -> Any:
        """What ``story`` returns, played with a run of its own."""

        async def play() -> Any:
            async with Run(self.config, self.clock, Emitter(self.clock, None)) as run:
                return await story(run)

        return asyncio.run(play())

    def fail(self, *values: str) -> None:
        """Have a run fail to write ``values``, and end without a further word."""

        async def story(run: Run) -> None:
            target = Target("cf", ZONE)
            with run.writer.announce([target]) as announcement, pytest.raises(ProviderError):
                await run.writer.add(
                    target, [Record(NAME, "TXT", value) for value in values], ttl=60, announcement=announcement
                )

        self.alone(story)

    def open(self) -> list[str]:
        """The values of open leases."""
        journal = Journal(self.config.state_dir)
        leases = Leases(journal, "looking", self.clock).open()
        journal.close()
        return [lease.record.value for lease in leases]


@pytest.fixture
def host(service: Cloudflare, tmp_path: Path) -> Host:
    """One that may do everything at the service."""
    return Host(tmp_path, service)


@pytest.mark.parametrize(
    "trouble",
    [errors(403, 10000), errors(404, 7003), page(302), NOT_JSON, NOBODY],
    ids=["refused", "missing", "moved", "unreadable", "stale"],
)
def test_what_could_not_be_read_back_is_withdrawn_by_the_next_run(
    service: Fickle, zone: Zone, host: Host, trouble: Fault
) -> None:
    """It stands, whatever the look at it met: the journal goes on knowing of it."""
    service.trouble = trouble
    host.fail("ours")
    assert service.texts(zone, NAME) == ["ours"]
    assert host.open() == ["ours"]
    service.trouble = None
    assert host.alone(sweep_out) == {}
    assert service.texts(zone, NAME) == []
    assert host.open() == []


@pytest.mark.parametrize("reply", [NOT_JSON, page(403), page(302)], ids=["unreadable", "edge", "moved"])
def test_what_was_answered_by_who_knows_whom_is_withdrawn_by_the_next_run(
    service: Fickle, zone: Zone, host: Host, reply: Fault
) -> None:
    """The reply to the change is none of the API's own."""
    service.fail_next(Fault(reply.response, stored=True), "POST", "/batch")
    host.fail("ours")
    assert (service.texts(zone, NAME), host.open()) == (["ours"], ["ours"])
    assert host.alone(sweep_out) == {}
    assert (service.texts(zone, NAME), host.open()) == ([], [])


def test_the_first_of_two_batches_is_withdrawn_by_the_next_run(service: Fickle, zone: Zone, host: Host) -> None:
    """The second was refused, and not all is as before therefore."""
    service.refusal = errors(403, 10000)
    host.fail(*(f"value-{number}" for number in range(201)))
    service.refusal = None
    assert len(service.texts(zone, NAME)) == 200
    assert len(host.open()) == 201
    assert host.alone(sweep_out) == {}
    assert (service.texts(zone, NAME), host.open()) == ([], [])


def test_what_the_service_refused_is_forgotten_at_once(service: Fickle, zone: Zone, host: Host) -> None:
    """The twin: nothing was done, so nobody has to wait for it or clean up."""
    service.fail_next(errors(403, 10000), "POST", "/batch")
    host.fail("ours")
    assert (service.texts(zone, NAME), host.open()) == ([], [])


def test_what_was_never_sent_is_forgotten_at_once(service: Fickle, zone: Zone, host: Host) -> None:
    """The look before the change failed, for good."""
    service.fail_next(page(502), "GET", "dns_records", times=99)
    host.fail("ours")
    assert (service.changing, host.open()) == ([], [])


def test_a_token_that_may_only_read_leaves_nothing(service: Fickle, zone: Zone) -> None:
    """The service's own refusal says that nothing was done."""
    token = service.add_token(zone_read=only(zone), dns_edit=NONE, dns_read=only(zone))
    with pytest.raises(ProviderError) as caught:
        played(adapter(service.url, token.secret), lambda client: client.apply(ZONE, [add(NAME)]))
    assert caught.value.nothing_done
    assert service.see(zone) == []


def test_what_would_come_late_is_not_sent(service: Fickle) -> None:
    """Looking took as long as all may take: a change would take effect when nobody reckons with it any more."""
    clock = FakeClock()
    service.looked = lambda: clock.turn(Adapter.request_timeout + 1)
    client = adapter(service.url, service.add_token().secret, clock=clock)
    with pytest.raises(ProviderUnavailable, match="too long") as caught:
        played(client, lambda client: client.apply(ZONE, [add(NAME)]))
    assert caught.value.nothing_done
    assert service.changing == []


def test_what_comes_in_time_is_sent(service: Fickle, zone: Zone) -> None:
    """The twin: looking took nearly as long."""
    clock = FakeClock()
    service.looked = lambda: clock.turn(Adapter.request_timeout - 1)
    client = adapter(service.url, service.add_token().secret, clock=clock)
    assert played(client, lambda client: client.apply(ZONE, [add(NAME)])).changed
    assert service.texts(zone, NAME) == ["ours"]
