"""The suite that every adapter passes: each promise of ``dnsbroker.adapter`` as a test.

An adapter's own test file subclasses AdapterContract and supplies one fixture, ``stage``, that opens a Scene: a fresh
adapter, a zone of its own, and a side door through which records are planted and seen behind the adapter's back. Rule:
what stands in the zone is judged through the side door, never through the adapter alone. The tests are plain
functions with an event loop each. docs/adapters.md shows a complete example.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable

import pytest

from dnsbroker.adapter import KeepsNotes, TellsSerial, TellsServers
from dnsbroker.errors import Conflict, ProviderError, ZoneMissing
from dnsbroker.names import owner
from dnsbroker.records import Add, Record, RecordType, Remove, Swap, rfc1982_newer
from dnsbroker.settings import described
from dnsbroker.testing.stage import Scene, Stage, played

TTL = 60
FOREIGN_TTL = 3600

TEXTS = {
    "token": "gfj9Xq-_Rg85nM",
    "blanks": "  two  blanks ",
    "quotes": 'say "hello"',
    "backslash": r"back\slash \065 \" end\\",
    "semicolon": "v=STSv1; id=1;",
    "brackets": "(one line) @ $TTL",
    "utf-8": "Grüße, 世界",
    "255 octets": "a" * 255,
    "256 octets": "b" * 256,
    "700 octets": "0123456789" * 70,
    "utf-8 across the border": "x" * 254 + "ü" + "y" * 10,
}

ONE = "3 1 1 " + "ab" * 32
TWO = "3 1 1 " + "cd" * 32


async def _seen(scene: Scene, type: RecordType = "TXT", name: str = "") -> tuple[int, set[str]] | None:
    """TTL and values at ``name`` (default: the scene's) through the side door, after the adapter agreed with it."""
    truth = await scene.foreign.see(name or scene.name, type)
    assert await scene.adapter.read(scene.zone, name or scene.name, type) == truth
    return (truth.ttl, set(truth.values)) if truth else None


def _add(scene: Scene, value: str, type: RecordType = "TXT", name: str = "") -> Add:
    return Add(Record(name or scene.name, type, value), TTL)


def _remove(scene: Scene, value: str, type: RecordType = "TXT", name: str = "") -> Remove:
    return Remove(Record(name or scene.name, type, value))


def _swap(scene: Scene, expected: Iterable[str], desired: Iterable[str], type: RecordType = "TLSA") -> Swap:
    return Swap(scene.name, type, frozenset(expected), frozenset(desired), TTL)


class AdapterContract:
    """Every promise of an adapter. Subclass it as ``Test…`` and supply ``stage``."""

    @pytest.fixture
    def stage(self) -> Stage:
        """Opens a Scene; called once for each test."""
        raise NotImplementedError("supply the fixture 'stage'")

    # What an adapter is

    @played
    async def test_its_settings_describe_themselves(self, scene: Scene) -> None:
        """Every configuration key has a sentence for the reference, and the class says its defaults in seconds."""
        for field in dataclasses.fields(scene.adapter.Settings):
            assert described(field).doc, field.name
        assert scene.adapter.default_ttl >= 1
        assert scene.adapter.default_settle >= 0
        assert 0 < scene.adapter.request_timeout <= 120

    @played
    async def test_closing_twice_is_closing_once(self, scene: Scene) -> None:
        """Connections can be given back more than once, used or not."""
        await scene.adapter.aclose()
        await scene.adapter.aclose()

    # Zones

    @played
    async def test_its_zones_include_the_zone(self, scene: Scene) -> None:
        """A service that can list its zones lists this one by its owner name; one that cannot says None."""
        zones = await scene.adapter.zones()
        assert zones is None or scene.zone in zones

    @played
    async def test_a_name_belongs_to_the_zone_that_holds_it(self, scene: Scene) -> None:
        """The apex, a name below it and one several labels below it, in any case, lead to the zone."""
        for name in (scene.zone, scene.name, "a.b.c." + scene.zone, scene.name.upper()):
            assert await scene.adapter.find_zone(name) == scene.zone

    @played
    async def test_zones_match_on_label_boundaries(self, scene: Scene) -> None:
        """A name that merely ends in the zone's letters is not in it: ample.com holds no name of example.com."""
        found = await scene.adapter.find_zone("_acme-challenge.ex" + scene.zone)
        assert found != scene.zone
        assert await scene.adapter.find_zone(scene.missing) is None

    @played
    async def test_the_longest_zone_wins(self, scene: Scene) -> None:
        """A name below a child zone belongs to the child, its neighbour to the parent."""
        if scene.child:
            assert await scene.adapter.find_zone("_acme-challenge." + scene.child) == scene.child
        assert await scene.adapter.find_zone("beside." + scene.zone) == scene.zone

    @played
    async def test_an_unknown_zone_is_a_missing_zone(self, scene: Scene) -> None:
        """ZoneMissing names the provider and the zone."""
        with pytest.raises(ZoneMissing) as caught:
            await scene.adapter.apply(scene.missing, [_add(scene, "x", name="a." + scene.missing)])
        assert (caught.value.provider, caught.value.zone) == ("contract", scene.missing)
        assert not caught.value.transient

    # Adding

    @played
    async def test_add_makes_a_new_rrset(self, scene: Scene) -> None:
        """Where nothing stands, the value stands afterwards with the TTL asked for."""
        receipt = await scene.adapter.apply(scene.zone, [_add(scene, "ours")])
        assert receipt.changed
        assert await _seen(scene) == (TTL, {"ours"})

    @played
    async def test_add_keeps_foreign_values_and_their_ttl(self, scene: Scene) -> None:
        """What somebody else put there stays, and its TTL becomes ours."""
        await scene.foreign.plant(scene.name, "TXT", FOREIGN_TTL, ["foreign", 'also; "foreign"'])
        assert (await scene.adapter.apply(scene.zone, [_add(scene, "ours")])).changed
        assert await _seen(scene) == (FOREIGN_TTL, {"foreign", 'also; "foreign"', "ours"})

    @played
    async def test_adding_twice_adds_once(self, scene: Scene) -> None:
        """The second time is success without a write, in a call of its own and within one call."""
        change = _add(scene, "ours")
        assert (await scene.adapter.apply(scene.zone, [change, change])).changed
        before = await scene.foreign.writes()
        assert not (await scene.adapter.apply(scene.zone, [change])).changed
        assert await scene.foreign.writes() == before
        assert await _seen(scene) == (TTL, {"ours"})

    @played
    async def test_several_changes_are_one_write(self, scene: Scene) -> None:
        """Apex and wildcard are two values at one name: both appear in one write, beside another name's."""
        before = await scene.foreign.writes()
        other = f"_acme-challenge.other.{scene.zone}"
        changes = [_add(scene, "apex"), _add(scene, "wildcard"), _add(scene, "third", name=other)]
        receipt = await scene.adapter.apply(scene.zone, changes)
        after = await scene.foreign.writes()
        assert await _seen(scene) == (TTL, {"apex", "wildcard"})
        assert await _seen(scene, name=other) == (TTL, {"third"})
        if before is not None and after is not None and receipt.atomic:
            assert after - before == 1

    @played
    async def test_applies_one_after_another_build_on_each_other(self, scene: Scene) -> None:
        """No call forgets what an earlier one wrote."""
        for number in range(4):
            await scene.adapter.apply(scene.zone, [_add(scene, f"value-{number}")])
        assert await _seen(scene) == (TTL, {f"value-{number}" for number in range(4)})

    @played
    async def test_concurrent_applies_to_different_zones_do_not_mix(self, scene: Scene) -> None:
        """Calls for two zones at once each change their own, and reads at once, also of one zone, tell it."""
        places = [(scene.zone, scene.name)]
        if scene.child:
            places.append((scene.child, f"_acme-challenge.contract.{scene.child}"))
        calls = (scene.adapter.apply(zone, [_add(scene, zone, name=name)]) for zone, name in places)
        assert all(receipt.changed for receipt in await asyncio.gather(*calls))
        rrsets = await asyncio.gather(*(scene.adapter.read(zone, name, "TXT") for zone, name in places * 2))
        assert [rrset and set(rrset.values) for rrset in rrsets] == [{zone} for zone, _ in places * 2]

    @played
    async def test_types_at_one_name_do_not_mix(self, scene: Scene) -> None:
        """A TXT value leaves the TLSA RRset of the same name alone, in both directions."""
        await scene.foreign.plant(scene.name, "TLSA", FOREIGN_TTL, [ONE])
        await scene.adapter.apply(scene.zone, [_add(scene, "ours")])
        await scene.adapter.apply(scene.zone, [_remove(scene, "ours"), _remove(scene, ONE, type="TXT")])
        assert await _seen(scene, "TLSA") == (FOREIGN_TTL, {ONE})
        assert await _seen(scene, "TXT") is None

    # Removing

    @played
    async def test_remove_takes_one_of_two(self, scene: Scene) -> None:
        """The other value stays with its TTL."""
        await scene.foreign.plant(scene.name, "TXT", FOREIGN_TTL, ["foreign", "ours"])
        assert (await scene.adapter.apply(scene.zone, [_remove(scene, "ours")])).changed
        assert await _seen(scene) == (FOREIGN_TTL, {"foreign"})

    @played
    async def test_removing_the_last_value_removes_the_rrset(self, scene: Scene) -> None:
        """Nothing stands at the name afterwards."""
        await scene.adapter.apply(scene.zone, [_add(scene, "a"), _add(scene, "b")])
        await scene.adapter.apply(scene.zone, [_remove(scene, "a"), _remove(scene, "b")])
        assert await _seen(scene) is None

    @played
    async def test_removing_what_is_absent_writes_nothing(self, scene: Scene) -> None:
        """It is success, whether nothing stands there or only other values do; a longer value is another value."""
        assert not (await scene.adapter.apply(scene.zone, [_remove(scene, "ours")])).changed
        await scene.foreign.plant(scene.name, "TXT", FOREIGN_TTL, ["ours, longer", "OURS"])
        before = await scene.foreign.writes()
        receipt = await scene.adapter.apply(scene.zone, [_remove(scene, "ours")])
        assert not receipt.changed
        assert await scene.foreign.writes() == before
        assert await _seen(scene) == (FOREIGN_TTL, {"ours, longer", "OURS"})

    @played
    async def test_a_value_can_be_replaced_in_one_write(self, scene: Scene) -> None:
        """Removing one value and adding another in the same call leaves the new one beside the foreign one."""
        await scene.foreign.plant(scene.name, "TXT", FOREIGN_TTL, ["foreign", "old"])
        await scene.adapter.apply(scene.zone, [_remove(scene, "old"), _add(scene, "new")])
        assert await _seen(scene) == (FOREIGN_TTL, {"foreign", "new"})

    # Swapping

    @played
    async def test_swap_makes_the_rrset_exactly_what_is_desired(self, scene: Scene) -> None:
        """From nothing to one, from one to another, and to nothing again."""
        for expected, desired in (((), (ONE,)), ((ONE,), (TWO,)), ((TWO,), (ONE, TWO))):
            assert (await scene.adapter.apply(scene.zone, [_swap(scene, expected, desired)])).changed
            assert await _seen(scene, "TLSA") == (TTL, set(desired))
        assert (await scene.adapter.apply(scene.zone, [_swap(scene, (ONE, TWO), ())])).changed
        assert await _seen(scene, "TLSA") is None

    @played
    async def test_swap_refuses_what_it_does_not_expect(self, scene: Scene) -> None:
        """Conflict tells what was expected and found; nothing is changed, by any change of the call."""
        await scene.foreign.plant(scene.name, "TLSA", FOREIGN_TTL, [ONE, TWO])
        other = f"_acme-challenge.other.{scene.zone}"
        with pytest.raises(Conflict) as caught:
            await scene.adapter.apply(scene.zone, [_add(scene, "x", name=other), _swap(scene, (ONE,), (TWO,))])
        assert caught.value.expected == (ONE,)
        assert set(caught.value.found) == {ONE, TWO}
        assert await _seen(scene, "TLSA") == (FOREIGN_TTL, {ONE, TWO})
        assert await _seen(scene, name=other) is None

    @played
    async def test_swap_expecting_a_record_refuses_an_empty_place(self, scene: Scene) -> None:
        """The negative twin of swapping from nothing."""
        with pytest.raises(Conflict):
            await scene.adapter.apply(scene.zone, [_swap(scene, (ONE,), (TWO,))])
        assert await _seen(scene, "TLSA") is None

    @played
    async def test_swap_to_what_is_so_already_writes_nothing(self, scene: Scene) -> None:
        """It is success even though the RRset is no longer what was expected."""
        await scene.foreign.plant(scene.name, "TLSA", FOREIGN_TTL, [TWO])
        before = await scene.foreign.writes()
        receipt = await scene.adapter.apply(scene.zone, [_swap(scene, (ONE,), (TWO,))])
        assert not receipt.changed
        assert await scene.foreign.writes() == before
        assert await _seen(scene, "TLSA") == (FOREIGN_TTL, {TWO})

    # Values and names

    @pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
    def test_a_text_arrives_as_it_is(self, stage: Stage, text: str) -> None:
        """Written, read, known again and withdrawn octet by octet, beside a foreign value of the same making."""

        async def play() -> None:
            async with stage() as scene:
                await scene.foreign.plant(scene.name, "TXT", FOREIGN_TTL, [text + "!"])
                assert (await scene.adapter.apply(scene.zone, [_add(scene, text)])).changed
                assert await _seen(scene) == (FOREIGN_TTL, {text, text + "!"})
                assert not (await scene.adapter.apply(scene.zone, [_add(scene, text)])).changed
                assert (await scene.adapter.apply(scene.zone, [_remove(scene, text)])).changed
                assert await _seen(scene) == (FOREIGN_TTL, {text + "!"})

        asyncio.run(play())

    @played
    async def test_tlsa_is_compared_by_value(self, scene: Scene) -> None:
        """Upper-case hex is the same record."""
        await scene.foreign.plant(scene.name, "TLSA", FOREIGN_TTL, [ONE])
        assert not (await scene.adapter.apply(scene.zone, [_add(scene, ONE.upper(), "TLSA")])).changed
        assert (await scene.adapter.apply(scene.zone, [_add(scene, TWO.upper(), "TLSA")])).changed
        assert await _seen(scene, "TLSA") == (FOREIGN_TTL, {ONE, TWO})
        assert (await scene.adapter.apply(scene.zone, [_remove(scene, ONE.upper(), "TLSA")])).changed
        assert await _seen(scene, "TLSA") == (FOREIGN_TTL, {TWO})

    @played
    async def test_a_name_in_capitals_is_the_same_name(self, scene: Scene) -> None:
        """Owner names are made canonical, of zone and record, given with or without the final dot."""
        await scene.adapter.apply(scene.zone.upper(), [_add(scene, "a", name=scene.name.upper())])
        undotted = scene.name.title().rstrip(".")
        assert not (await scene.adapter.apply(scene.zone.rstrip("."), [_add(scene, "a", name=undotted)])).changed
        assert await _seen(scene) == (TTL, {"a"})

    @played
    async def test_underscores_and_a_wildcard_are_owner_names(self, scene: Scene) -> None:
        """TLSA stands at _443._tcp, and a wildcard may own records."""
        for name in (f"_443._tcp.www.{scene.zone}", f"*.contract.{scene.zone}"):
            assert (await scene.adapter.apply(scene.zone, [_add(scene, ONE, "TLSA", name)])).changed
            assert await _seen(scene, "TLSA", name) == (TTL, {ONE})

    @played
    async def test_a_name_outside_the_zone_is_refused(self, scene: Scene) -> None:
        """The error is the provider's; the change beside it is not made."""
        with pytest.raises(ProviderError):
            await scene.adapter.apply(scene.zone, [_add(scene, "in"), _add(scene, "out", name="a." + scene.missing)])
        assert await _seen(scene) is None

    @played
    async def test_an_error_that_says_that_nothing_was_done_is_right(self, scene: Scene) -> None:
        """It need not say so; but who says it while something stands leaves that to nobody."""
        await scene.foreign.plant(scene.name, "TLSA", FOREIGN_TTL, [TWO])
        for change in (_add(scene, "out", name="a." + scene.missing), _swap(scene, (ONE,), ())):
            before = await scene.foreign.writes()
            with pytest.raises(ProviderError) as caught:
                await scene.adapter.apply(scene.zone, [_add(scene, "in"), change])
            if caught.value.nothing_done:
                assert await scene.foreign.writes() == before
                assert await _seen(scene) is None

    # Receipts

    @played
    async def test_no_changes_are_a_mistake_of_the_caller(self, scene: Scene) -> None:
        """ValueError before any I/O: the zone need not even exist."""
        with pytest.raises(ValueError, match="change"):
            await scene.adapter.apply(scene.missing, [])

    @played
    async def test_the_receipts_serial_is_what_is_served(self, scene: Scene) -> None:
        """It is newer than before by RFC 1982, and the service serves it or a later one."""
        for change in (_add(scene, "a"), _add(scene, "b"), _remove(scene, "a")):
            before = await scene.foreign.serial(scene.zone)
            receipt = await scene.adapter.apply(scene.zone, [change])
            after = await scene.foreign.serial(scene.zone)
            if before is not None and after is not None:
                assert receipt.serial is not None
                assert rfc1982_newer(receipt.serial, before)
                assert not rfc1982_newer(receipt.serial, after)

    @played
    async def test_reading_nothing_is_none(self, scene: Scene) -> None:
        """A name without records has no RRset."""
        assert await scene.adapter.read(scene.zone, scene.name, "TXT") is None

    # What it can tell beyond the promise, where it can

    @played
    async def test_a_note_is_kept_with_its_record_and_served_by_nobody(self, scene: Scene) -> None:
        """It comes back as it was, a later one of ours for an earlier one, and goes with its record."""
        early, late = (f"dnsbroker: delete after 20{year}-01-01T00:00:00Z" for year in (30, 31))
        await scene.foreign.plant(scene.name, "TXT", FOREIGN_TTL, ["foreign"])
        ours, other = Record(scene.name, "TXT", "ours"), Record(scene.name, "TXT", "other")
        await scene.adapter.apply(scene.zone, [Add(ours, TTL, "a note of ours"), Add(other, TTL, early)])
        assert await _seen(scene) == (FOREIGN_TTL, {"foreign", "ours", "other"})
        assert not (await scene.adapter.apply(scene.zone, [Add(ours, TTL, "another note")])).changed
        for note in (late, early):
            await scene.adapter.apply(scene.zone, [Add(ours, TTL, note), Add(other, TTL, note)])
        if isinstance(scene.adapter, KeepsNotes):
            assert dict(await scene.adapter.notes(scene.zone)) == {ours: "a note of ours", other: late}
        assert (await scene.adapter.apply(scene.zone, [Remove(ours)])).changed
        assert await _seen(scene) == (FOREIGN_TTL, {"foreign", "other"})
        if isinstance(scene.adapter, KeepsNotes):
            assert dict(await scene.adapter.notes(scene.zone)) == {other: late}

    @played
    async def test_notes_are_those_of_txt_records_in_a_zone_that_is_held(self, scene: Scene) -> None:
        """A TLSA record's note is nobody's business; of a zone that the service does not hold there are none."""
        await scene.adapter.apply(scene.zone, [Add(Record(scene.name, "TLSA", ONE), TTL, "a note of ours")])
        if isinstance(scene.adapter, KeepsNotes):
            assert dict(await scene.adapter.notes(scene.zone)) == {}
            with pytest.raises(ProviderError):
                await scene.adapter.notes(scene.missing)

    @played
    async def test_the_servers_it_tells_are_owner_names(self, scene: Scene) -> None:
        """Perhaps none, where the service does not know; it knows none for a zone that it does not hold."""
        if isinstance(scene.adapter, TellsServers):
            servers = await scene.adapter.name_servers(scene.zone)
            assert servers == {owner(server) for server in servers}
            with pytest.raises(ProviderError):
                await scene.adapter.name_servers(scene.missing)

    @played
    async def test_the_serial_it_tells_is_no_older_than_that_of_its_receipts(self, scene: Scene) -> None:
        """A signer may have gone on since the change; none where nobody has to follow it."""
        if isinstance(scene.adapter, TellsSerial):
            receipt = await scene.adapter.apply(scene.zone, [Add(Record(scene.name, "TXT", "serial"), TTL)])
            told = await scene.adapter.serial(scene.zone)
            if told is not None and receipt.serial is not None:
                assert told == receipt.serial or rfc1982_newer(told, receipt.serial)
            with pytest.raises(ProviderError):
                await scene.adapter.serial(scene.missing)
