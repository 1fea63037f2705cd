"""When the Cloudflare adapter cannot know: another client was first, a reply was lost, a duplicate that nobody sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest

from cloudflare import (
    BAD_GATEWAY,
    BAD_GATEWAY_AFTER,
    CLOSED_AFTER,
    PHANTOM,
    SILENCE_AFTER,
    Cloudflare,
    Fault,
    Zone,
    errors,
)
from cloudflare.replies import success
from cloudflare_clients import Adapter, adapter, add, played, remove
from dnsbroker.errors import Conflict, ProviderUnavailable
from dnsbroker.records import Change, Receipt
from loopback import Request

ZONE = "example.com."
NAME = "_acme-challenge.example.com."


class Crowded(Cloudflare):
    """Another client acts, once, at the very moment at which a fault is met."""

    meanwhile: Callable[[], object] = staticmethod(lambda: None)

    def _fault(self, request: Request) -> Fault | None:
        fault = super()._fault(request)
        if fault is not None:
            self.meanwhile()
        return fault


class Hasty(Adapter):
    """The adapter with little patience."""

    request_timeout: ClassVar[float] = 1.0


@pytest.fixture
def service() -> Iterator[Crowded]:
    """With one zone."""
    with Crowded() as started:
        started.add_zone("example.com")
        yield started


@pytest.fixture
def zone(service: Cloudflare) -> Zone:
    """The zone."""
    return service.zones[0]


def applied(service: Cloudflare, *changes: Change, make: type[Adapter] = Adapter) -> Receipt:
    """The receipt for the changes, from an adapter that knows nothing of earlier ones."""
    client = adapter(service.url, service.add_token().secret, make=make)
    return played(client, lambda client: client.apply(ZONE, changes))


def bodies(service: Cloudflare) -> list[Any]:
    """What the requests that change something said."""
    assert {seen.path.rpartition("/")[2] for seen in service.changing} <= {"batch"}
    return [seen.body for seen in service.changing]


# When somebody was first


@pytest.mark.parametrize("code", [81057, 81058])
def test_a_duplicate_is_a_success_once_it_is_seen(service: Crowded, zone: Zone, code: int) -> None:
    """Another client wrote the same between looking and writing: its neighbour is still written."""
    service.plant(zone, NAME, "TXT", '"ours"')
    hidden = dict(zone.records)
    zone.records.clear()
    service.meanwhile = lambda: zone.records.update(hidden)
    service.fail_next(errors(400, code), "POST", "/batch")
    receipt = applied(service, add(NAME), add("_acme-challenge.b.example.com."))
    assert receipt.changed
    assert [len(body["posts"]) for body in bodies(service)] == [2, 1]
    assert service.texts(zone, NAME) == ["ours"]


def test_a_duplicate_that_stands_alone_changes_nothing(service: Crowded, zone: Zone) -> None:
    """It is there, and we did not write it."""
    service.meanwhile = lambda: service.plant(zone, NAME, "TXT", "ours")
    service.fail_next(errors(400, 81058), "POST", "/batch")
    assert not applied(service, add(NAME)).changed


def test_a_phantom_is_tried_once_more_and_then_a_conflict(service: Cloudflare, zone: Zone) -> None:
    """A duplicate that no list shows is never taken for a success."""
    service.fail_next(PHANTOM, "POST", "/batch", times=2)
    with pytest.raises(Conflict, match="81057") as caught:
        applied(service, add(NAME))
    assert not caught.value.transient
    assert caught.value.rrset == f"{NAME} TXT"
    assert "dashboard" in caught.value.hint
    assert len(service.changing) == 2
    assert service.see(zone) == []


def test_a_phantom_that_passes_is_none(service: Cloudflare, zone: Zone) -> None:
    """The twin: the second time it is written."""
    service.fail_next(PHANTOM, "POST", "/batch")
    assert applied(service, add(NAME)).changed
    assert service.texts(zone, NAME) == ["ours"]


@pytest.mark.parametrize("goes", [True, False])
def test_what_is_gone_already_is_withdrawn(service: Crowded, zone: Zone, goes: bool) -> None:
    """Another client deleted it between looking and writing; a record that only pretends to be gone is a conflict."""
    service.plant(zone, NAME, "TXT", '"ours"', "foreign")
    service.fail_next(errors(404, 81044), "POST", "/batch", times=2)
    if goes:
        service.meanwhile = lambda: service.plant(zone, NAME, "TXT", "foreign")
        assert not applied(service, remove(NAME)).changed
        assert service.texts(zone, NAME) == ["foreign"]
    else:
        with pytest.raises(Conflict, match="81044"):
            applied(service, remove(NAME))


# When the outcome is not known


@pytest.mark.parametrize("fault", [SILENCE_AFTER, CLOSED_AFTER, BAD_GATEWAY_AFTER])
def test_a_lost_reply_is_made_up_for_by_looking(service: Cloudflare, zone: Zone, fault: Fault) -> None:
    """The records are there although nobody said so: nothing is sent twice."""
    service.fail_next(fault, "POST", "/batch")
    assert applied(service, add(NAME), make=Hasty).changed
    assert len(service.changing) == 1
    assert service.texts(zone, NAME) == ["ours"]


def test_a_request_that_came_to_nothing_is_sent_again_after_looking(service: Cloudflare, zone: Zone) -> None:
    """The twin: it was lost on the way there."""
    service.fail_next(BAD_GATEWAY, "POST", "/batch")
    assert applied(service, add(NAME)).changed
    kinds = [seen.method for seen in service.requests]
    assert kinds == ["GET", "GET", "POST", "GET", "POST", "GET"]
    assert service.texts(zone, NAME) == ["ours"]


def test_a_service_that_stays_down_is_given_up(service: Cloudflare) -> None:
    """After a few attempts, as what it is: whether anything was written is not known."""
    service.fail_next(BAD_GATEWAY, "POST", "/batch", times=9)
    with pytest.raises(ProviderUnavailable, match="502") as caught:
        applied(service, add(NAME))
    assert caught.value.transient
    assert len(service.changing) == 3


def test_what_was_taken_and_does_not_stand_is_no_success(service: Cloudflare, zone: Zone) -> None:
    """Another client takes it away at once, every time."""
    service.fail_next(Fault(success({"posts": []}).response()), "POST", "/batch", times=3)
    with pytest.raises(Conflict, match="does not show it") as caught:
        applied(service, add(NAME))
    assert caught.value.transient
