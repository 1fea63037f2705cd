"""What is not published, since clients would fail, or nobody would see it; each with what cures it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dane_house import DAY, IPS, ORIGIN, House, played
from dnsbroker import keys
from dnsbroker.errors import NotPropagated, PreflightFailed
from dnsbroker.settings import Duration
from signing import ZoneKey
from tls_service import HangUp, Talk


def test_nothing_is_written_where_another_key_is_served(tmp_path: Path) -> None:
    """Case 18: clients would refuse the service at once; --adopt covers what is served, too."""

    async def story(house: House) -> None:
        await house.manage()
        other = keys.generate("ecdsa-p256")
        house.daemon.present(other, house.issue(other))
        refused = await house.publish()
        assert isinstance(refused.error, PreflightFailed)
        assert refused.error.checks == ("not-served",)
        assert "--adopt" in refused.error.hint
        progress = house.run.rollovers.progress("mail")
        assert progress is not None
        assert progress.objections == (f"{refused.error.message}; {refused.error.hint}",)
        assert (house.records, house.writes) == (frozenset(), 0)
        adopted = await house.publish(adopt=True)
        assert adopted.error is None
        assert house.records == {house.names(key) for key in (house.key, other, house.next_key())}

    played(tmp_path, story)


def test_a_service_that_cannot_be_seen_gets_no_first_records(tmp_path: Path) -> None:
    """Case 17: without TLS nobody can match them."""

    async def silent(talk: Talk) -> None:
        raise HangUp

    async def story(house: House) -> None:
        await house.manage()
        refused = await house.publish()
        assert isinstance(refused.error, PreflightFailed)
        assert refused.error.checks == ("not-seen",)
        assert "connect" in refused.error.hint
        assert house.writes == 0

    played(tmp_path, story, script=silent)


def test_an_unsigned_zone_gets_none(tmp_path: Path) -> None:
    """Case 32: they would have no effect."""

    async def story(house: House) -> None:
        house.tree.test.remove("example.test.", "DS")
        await house.manage()
        refused = await house.publish()
        assert isinstance(refused.error, PreflightFailed)
        assert refused.error.checks == ("not-signed",)
        assert house.writes == 0

    played(tmp_path, story)


def test_broken_signatures_keep_records_away(tmp_path: Path) -> None:
    """Case 33: clients that validate would see no answer at all."""

    async def story(house: House) -> None:
        house.zone_key = ZoneKey(ORIGIN)
        house.mirror()
        await house.manage()
        refused = await house.publish()
        assert isinstance(refused.error, PreflightFailed)
        assert "ds-mismatch" in refused.error.checks
        assert house.writes == 0

    played(tmp_path, story)


def test_a_host_that_lives_by_a_wildcard_is_not_shadowed(tmp_path: Path) -> None:
    """Case 6: it would lose its address; the hint says what to add first."""

    async def story(house: House) -> None:
        await house.manage()
        refused = await house.publish()
        assert isinstance(refused.error, PreflightFailed)
        assert refused.error.checks == ("wildcard-shadowing",)
        assert "first add" in refused.error.hint
        assert house.writes == 0

    played(tmp_path, story, hosts="* A 127.0.0.1\n")


@pytest.mark.parametrize(
    ("records", "check"),
    [
        (("3 0 1",), "whole-certificate"),
        (("3 1 2",), "sha512-alone"),
        (("3 1 0",), "full-data"),
    ],
)
def test_kinds_that_fail_clients_are_refused_until_they_are_allowed(
    tmp_path: Path, records: tuple[str, ...], check: str
) -> None:
    """Cases 13 and 14, by the words of `tlsa compute`."""

    async def story(house: House) -> None:
        await house.manage(records=records)
        refused = await house.publish()
        assert isinstance(refused.error, PreflightFailed)
        assert refused.error.checks == (check,)
        assert house.writes == 0
        await house.manage(records=records, allow=(check,))
        assert (await house.publish()).error is None
        assert house.names(house.chain, records[0]) in house.records

    played(tmp_path, story)


def test_a_leaf_that_is_not_for_the_host_has_no_records_of_cas(tmp_path: Path) -> None:
    """Case 23: clients look at names then; 3 1 1 alone is fine."""

    async def story(house: House) -> None:
        chain = house.issue(names=["other.example.test"])
        house.save("mail", house.key, chain)
        house.daemon.present(house.key, chain)
        await house.manage(records=("3 1 1", "2 1 1"))
        refused = await house.publish()
        assert isinstance(refused.error, PreflightFailed)
        assert refused.error.checks == ("host-name",)
        await house.manage()
        assert (await house.publish()).error is None

    played(tmp_path, story)


def test_a_wait_that_no_renewal_leaves_is_a_mistake_in_the_plan(tmp_path: Path) -> None:
    """Case 58: what a renewal brings would be too late."""

    async def story(house: House) -> None:
        await house.manage(min_wait=Duration(31 * DAY))
        refused = await house.publish()
        assert isinstance(refused.error, PreflightFailed)
        assert refused.error.checks == ("no-time",)
        assert house.writes == 0

    played(tmp_path, story)


def test_the_ttl_that_records_have_counts_and_not_the_one_that_is_configured(tmp_path: Path) -> None:
    """What is added gets the TTL of what stands there, and caches go by that."""

    async def story(house: House) -> None:
        for days, checks in ((16, ("no-time",)), (14, None)):
            house.service.plant(ORIGIN, house.owner, "TLSA", int(days * DAY), {house.names(house.key)})
            house.mirror()
            await house.manage()
            error = (await house.publish()).error
            assert getattr(error, "checks", None) == checks
            assert checks is None or "lower the TTL" in str(getattr(error, "hint", ""))

    played(tmp_path, story)


def test_a_set_that_a_late_server_still_has_is_not_written_again_yet(tmp_path: Path) -> None:
    """Nobody could tell whether that server has arrived; a person is told to come again, a run goes on later."""

    async def story(house: House) -> None:
        await house.manage()
        await house.publish()
        house.lagging = {IPS[1]}
        house.take_out(house.names(house.next_key()))
        waiting = await house.publish()
        assert isinstance(waiting.error, NotPropagated)
        assert (await house.bring()).error is None
        assert house.records == {house.names(house.key)}
        house.lagging = set()
        house.mirror()
        assert (await house.publish()).error is None
        assert house.records == {house.names(house.key), house.names(house.next_key())}

    played(tmp_path, story)
