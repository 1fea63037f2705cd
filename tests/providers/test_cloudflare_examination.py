"""What the Cloudflare adapter tells a person of its credentials and zones, and that it is silent where all is well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cloudflare import BAD_GATEWAY, NONE, Cloudflare, only
from cloudflare_clients import Adapter, adapter, played, secret
from dnsbroker.adapter import Examines
from dnsbroker.findings import Finding, Severity
from dnsbroker.testing import FakeClock

ZONE = "example.com."


@pytest.fixture
def service() -> Iterator[Cloudflare]:
    """With one zone that is as it should be."""
    with Cloudflare() as started:
        started.add_zone("example.com")
        yield started


def after(days: float) -> str:
    """A moment from now, as the service writes it."""
    return (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds").replace("+00:00", "Z")


def found(service: Cloudflare, *zones: str, **settings: Any) -> Sequence[Finding]:
    """What an examination finds; it shows no secret and changes nothing."""
    client = adapter(service.url, clock=FakeClock(datetime.now(UTC)), **settings)
    assert isinstance(client, Examines)

    async def act(client: Adapter) -> Sequence[Finding]:
        return await client.examine(zones or (ZONE,), fix=True)

    findings = played(client, act)
    for token in service.tokens:
        assert token.secret not in str(findings)
    assert service.changing == []
    assert all(finding.evidence and finding.hint for finding in findings)
    return findings


def of_token(service: Cloudflare, *zones: str, **rights: Any) -> Sequence[Finding]:
    """The same with a token of these rights."""
    return found(service, *zones, api_token=secret(service.add_token(**rights).secret))


def one(findings: Sequence[Finding], check: str, severity: Severity, subject: str = "provider cf") -> Finding:
    """The only finding, which is as described."""
    (finding,) = findings
    assert (finding.check, finding.severity, finding.subject) == (check, severity, subject)
    return finding


@pytest.mark.parametrize("rights", [{}, {"expires_on": after(60), "not_before": after(-1)}, {"account_owned": True}])
def test_where_all_is_well_nothing_is_found(service: Cloudflare, rights: dict[str, Any]) -> None:
    """A token without end, one with a far end, and one that belongs to an account and is not verified as a user's."""
    assert of_token(service, **rights) == ()


def test_a_token_for_the_zone_alone_is_enough(service: Cloudflare) -> None:
    """It may list nothing else, and needs not."""
    mine = only(service.zones[0])
    assert of_token(service, zone_read=mine, dns_edit=mine) == ()


def unseen(findings: Sequence[Finding]) -> None:
    """Nothing is wrong, and of the right to write it is said that nobody saw it."""
    finding = one(findings, "no-edit-right", Severity.NOTICE, ZONE)
    assert "could not be seen" in finding.message
    assert "DNS:Edit" in finding.hint


def test_two_tokens_and_ids_are_well_too(service: Cloudflare) -> None:
    """Each token for its own errand; but one that must not read its zone does not hear what it may do there."""
    mine = only(service.zones[0])
    editing, looking = service.add_token(zone_read=NONE, dns_edit=mine), service.add_token(dns_edit=NONE)
    split = {"api_token": secret(editing.secret), "zone_api_token": secret(looking.secret)}
    unseen(found(service, **split))
    service.requests.clear()
    unseen(found(service, api_token=secret(editing.secret), zone_ids={"example.com": service.zones[0].id}))
    assert "/zones" not in {seen.path for seen in service.requests}


@pytest.mark.parametrize("status", ["disabled", "expired"])
def test_a_token_that_does_not_work_is_told(service: Cloudflare, status: str) -> None:
    """Once, and not again for each zone."""
    finding = one(of_token(service, status=status), "token-inactive", Severity.ERROR)
    assert status in finding.message
    assert "api_token" in finding.hint
    assert finding.hint.startswith("enable it in the dashboard, or make a new token") == (status == "disabled")


def test_a_token_that_nobody_knows_is_told(service: Cloudflare) -> None:
    """With the service's own words."""
    finding = one(found(service, api_token=secret("x" * 40)), "auth", Severity.ERROR)
    assert "9109" in finding.message


def test_a_token_that_is_over_is_told(service: Cloudflare) -> None:
    """By its dates, whatever its status."""
    one(of_token(service, expires_on=after(-1)), "token-inactive", Severity.ERROR)
    finding = one(of_token(service, not_before=after(2)), "token-inactive", Severity.ERROR)
    assert "not to be used before" in finding.message


def test_a_token_that_ends_soon_is_told_in_time(service: Cloudflare) -> None:
    """Thirty days before, with the day; a day earlier not yet."""
    finding = one(of_token(service, expires_on=after(29)), "token-expires", Severity.WARNING)
    assert after(29)[:10] in finding.message
    assert of_token(service, expires_on=after(31)) == ()


def test_the_looking_token_is_examined_too(service: Cloudflare) -> None:
    """It is named by its own key."""
    looking = service.add_token(dns_edit=NONE, expires_on=after(3))
    tokens = {"api_token": secret(service.add_token().secret), "zone_api_token": secret(looking.secret)}
    finding = one(found(service, **tokens), "token-expires", Severity.WARNING)
    assert "zone_api_token" in finding.message


def test_the_global_key_is_a_finding_with_the_way_out(service: Cloudflare) -> None:
    """A warning, with the recipe for a token."""
    key = service.add_key()
    settings = {"api_email": key.email, "api_key": secret(key.key)}
    finding = one(found(service, **settings), "global-api-key", Severity.WARNING)
    for word in ("Edit zone DNS", "Zone:Read", "api_token"):
        assert word in finding.hint
    wrong = {**settings, "api_key": secret("0" * 37)}
    one(found(service, **wrong), "auth", Severity.ERROR)


def test_a_zone_that_is_not_there_is_told(service: Cloudflare) -> None:
    """Each by its name; its neighbour is none the worse."""
    finding = one(of_token(service, ZONE, "example.net."), "zone-missing", Severity.ERROR, "example.net.")
    assert "dashboard" in finding.hint


def test_a_zone_of_which_only_reading_is_allowed_is_told(service: Cloudflare) -> None:
    """Without trying to write."""
    mine = only(service.zones[0])
    finding = one(of_token(service, dns_edit=NONE, dns_read=mine), "no-edit-right", Severity.ERROR, ZONE)
    assert "DNS:Edit" in finding.hint


@pytest.mark.parametrize("split", [True, False], ids=["two tokens", "ids"])
@pytest.mark.parametrize("may_edit", [True, False])
def test_the_right_to_write_is_that_of_the_token_that_writes(service: Cloudflare, split: bool, may_edit: bool) -> None:
    """Whoever else looks zones up, and whether one is looked up at all."""
    mine = only(service.zones[0])
    writing = service.add_token(zone_read=mine, dns_edit=mine if may_edit else NONE, dns_read=mine)
    looking = {"zone_api_token": secret(service.add_token().secret)}
    more = looking if split else {"zone_ids": {"example.com": service.zones[0].id}}
    findings = found(service, api_token=secret(writing.secret), **more)
    if may_edit:
        assert findings == ()
    else:
        one(findings, "no-edit-right", Severity.ERROR, ZONE)


def test_a_zone_whose_records_must_not_be_read_is_told(service: Cloudflare) -> None:
    """By the service's refusal."""
    one(of_token(service, dns_edit=NONE), "auth", Severity.ERROR, ZONE)


@pytest.mark.parametrize("status", ["pending", "moved", "initializing"])
def test_a_zone_that_is_not_active_is_told(service: Cloudflare, status: str) -> None:
    """With the servers that it would have to be delegated to."""
    service.zones[0].status = status  # type: ignore[assignment]
    finding = one(of_token(service), "zone-inactive", Severity.WARNING, ZONE)
    assert status in finding.message
    assert "ada.ns.cloudflare.test, bob.ns.cloudflare.test" in finding.hint


def test_a_paused_zone_is_worth_a_word(service: Cloudflare) -> None:
    """DNS goes on, so it is a notice."""
    service.zones[0].paused = True
    one(of_token(service), "zone-paused", Severity.NOTICE, ZONE)


@pytest.mark.parametrize("ahead", [600.0, -600.0])
def test_a_clock_that_is_wrong_is_told(service: Cloudflare, ahead: float) -> None:
    """By the date of the service's replies, in seconds and direction."""
    service.skew = ahead
    finding = one(of_token(service), "clock-skew", Severity.WARNING)
    assert ("behind" if ahead > 0 else "ahead of") in finding.message


def test_a_service_that_is_down_is_a_finding(service: Cloudflare) -> None:
    """Nothing is raised."""
    service.fail_next(BAD_GATEWAY, times=99)
    assert "502" in one(of_token(service), "provider-fails", Severity.ERROR).message


def test_a_secret_that_cannot_be_had_is_a_finding(service: Cloudflare) -> None:
    """Before anything is asked."""
    one(found(service, api_token=secret("two words")), "misconfigured", Severity.ERROR)
    assert service.requests == []


def test_without_zones_the_credentials_alone_are_examined(service: Cloudflare) -> None:
    """As where no certificate is configured."""
    client = adapter(service.url, service.add_token().secret, clock=FakeClock(datetime.now(UTC)))
    assert played(client, lambda client: client.examine((), fix=False)) == ()
    assert [seen.path for seen in service.requests] == ["/user/tokens/verify"]
