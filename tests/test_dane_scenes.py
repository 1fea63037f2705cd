"""What one look has shown, put together: which key counts as served everywhere, and what stays for whose sake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from dnsbroker.config.dane import DaneConfig
from dnsbroker.dane.looking import Presence
from dnsbroker.dane.places import Post, Service
from dnsbroker.dane.remembering import digest
from dnsbroker.dane.scenes import Scene, Wish
from dnsbroker.dane.subjects import Subject
from dnsbroker.endpoints import parse
from dnsbroker.errors import StoreError
from dnsbroker.journal.rollovers import Progress, Served
from dnsbroker.lookup.answer import SOA
from dnsbroker.lookup.zone import Place, Zone
from dnsbroker.settings import Duration
from dnsbroker.tlsa.computing import Presented
from rolling_values import OWNER, chain, look, records, remembered

ONE, TWO = "192.0.2.1", "192.0.2.2"
OLD, NEW, RSA, THEIRS = (chain(name, "A") for name in ("old", "new", "rsa", "theirs"))
NOW = 1_000_000.0
ZONE = Zone("example.org.", (), SOA("example.org.", "ns1.example.org.", 1, 3600, 60, 3600))
Seen = Mapping[str, Sequence[Presented]]


def service(name: str, *certificates: str) -> Service:
    """One at ``name`` that serves ``certificates``, and old records of which stay for a minute."""
    endpoint = f"smtp://{name}.example.org"
    table = DaneConfig(endpoint=(endpoint,), certificate=certificates, records=("3 1 1",), min_wait=Duration(120.0))
    return Service(parse(endpoint), (table,), certificates=certificates)


def at_address(which: Service, address: str, chain: Presented, *, first: float = 0.0) -> Served:
    """What the journal has of it."""
    return Served(str(which.endpoint), address, digest(chain), first, NOW)


def scene(seen: Mapping[Service, Seen], live: Mapping[str, Presented], *, since: float = 0.0) -> Scene:
    """A look at services of one owner name, at which records of ours stand for OLD, and for all that is ``live``.

    Where an address shows nothing it is unseen; what it shows it does ``since`` then.
    """
    presences = {
        str(one.endpoint): Presence(
            one.endpoint,
            {address: tuple(chains) for address, chains in addresses.items() if chains},
            {address: "nothing is seen" for address, chains in addresses.items() if not chains},
        )
        for one, addresses in seen.items()
    }
    served = {
        str(one.endpoint): [at_address(one, a, each, first=since) for a, chains in addresses.items() for each in chains]
        for one, addresses in seen.items()
    }
    standing = records(OLD, *live.values())
    return Scene(
        NOW,
        (Post(Place(OWNER, OWNER, ZONE), (OWNER,), tuple(seen)),),
        {name: Subject(name, live=each, serial=name) for name, each in live.items()},
        presences,
        {OWNER: remembered(look(0, standing))},
        {OWNER: standing},
        {},
        served,
    )


MAIL = service("mail", "mail")
BOTH = service("mail", "mail", "rsa")


def is_everything_kept(found: Scene) -> bool:
    """Whether old records stay; else nothing does."""
    kept = found.kept(found.posts[0])
    assert kept in (found.ours[OWNER], frozenset())
    return bool(kept)


def test_a_key_is_verified_once_each_address_serves_it() -> None:
    """Since the last of them does; until a moment later old records stay."""
    seen = scene({MAIL: {ONE: [NEW], TWO: [NEW]}}, {"mail": NEW}, since=NOW - 59)
    assert seen.verified_since("mail") == NOW - 59
    assert is_everything_kept(seen)
    rows = [at_address(MAIL, ONE, NEW), at_address(MAIL, TWO, NEW, first=NOW)]
    later = replace(seen, served={str(MAIL.endpoint): rows})
    assert later.verified_since("mail") == NOW
    assert not is_everything_kept(scene({MAIL: {ONE: [NEW], TWO: [NEW]}}, {"mail": NEW}, since=NOW - 60))


@pytest.mark.parametrize("elsewhere", [[OLD], [], [THEIRS]], ids=["the old key", "nothing", "somebody's"])
def test_one_address_that_does_not_serve_it_keeps_old_records(elsewhere: list[Presented]) -> None:
    """Cases 49 and 52: whatever that one serves, and also where it cannot be seen."""
    seen = scene({MAIL: {ONE: [NEW], TWO: elsewhere}}, {"mail": NEW})
    assert seen.verified_since("mail") is None
    assert is_everything_kept(seen)


def test_an_old_key_that_is_served_beside_the_new_one_keeps_its_records() -> None:
    """To clients of another algorithm alone: these get what no record would name."""
    seen = scene({MAIL: {ONE: [NEW, OLD]}}, {"mail": NEW})
    assert seen.verified_since("mail") is None
    assert is_everything_kept(seen)


def test_a_second_certificate_that_is_live_itself_is_no_old_key() -> None:
    """The negative twin."""
    seen = scene({BOTH: {ONE: [NEW, RSA]}}, {"mail": NEW, "rsa": RSA})
    assert seen.verified_since("mail") == seen.verified_since("rsa") == 0.0
    assert not is_everything_kept(seen)


def test_a_service_of_which_nothing_is_seen_verifies_nothing() -> None:
    """No address at all is not every address."""
    assert scene({MAIL: {}}, {"mail": NEW}).verified_since("mail") is None


@pytest.mark.parametrize("is_behind", [True, False])
def test_at_a_shared_owner_name_old_records_stay_until_every_certificate_is_verified(*, is_behind: bool) -> None:
    """What is old for the one may be what the other one's service still presents."""
    other = service("imap", "imap")
    seen = {MAIL: {ONE: [NEW]}, other: {TWO: [OLD if is_behind else THEIRS]}}
    assert is_everything_kept(scene(seen, {"mail": NEW, "imap": THEIRS})) is is_behind


def test_where_a_service_cannot_be_followed_nothing_goes_at_the_name_it_had() -> None:
    """It may need any of them, and nobody has looked at it. The twin: at another owner name."""
    seen = scene({MAIL: {ONE: [NEW]}}, {"mail": NEW})
    assert is_everything_kept(replace(seen, doubtful=frozenset({OWNER})))
    assert not is_everything_kept(replace(seen, doubtful=frozenset({"_25._tcp.imap.example.org."})))


@pytest.mark.parametrize("is_read", [True, False])
def test_for_a_certificate_that_cannot_be_read_everything_stays(*, is_read: bool) -> None:
    """Its records would look like nobody's."""
    seen = scene({MAIL: {ONE: [NEW]}}, {"mail": NEW})
    trouble = None if is_read else StoreError("it is damaged", path="x")
    found = replace(seen, subjects={"mail": replace(seen.subjects["mail"], trouble=trouble)})
    assert is_everything_kept(found) is not is_read


def test_in_an_emergency_old_records_go_as_soon_as_the_new_key_is_seen() -> None:
    """Each moment more is one for whoever has the old key."""
    seen = scene({MAIL: {ONE: [NEW]}}, {"mail": NEW}, since=NOW)
    assert is_everything_kept(seen)
    emergency = Progress("mail", "deployed", 0.0, "", is_emergency=True)
    assert not is_everything_kept(replace(seen, progress={"mail": emergency}))


@pytest.mark.parametrize(("before", "is_kept"), [(OLD, False), (THEIRS, True)])
def test_once_the_new_key_is_live_they_do_all_the_same(before: Presented, *, is_kept: bool) -> None:
    """As long as the key served before it is the one that was given up; the twin, a roll-over later, has the grace."""
    seen = scene({MAIL: {ONE: [NEW]}}, {"mail": NEW}, since=NOW)
    (endpoint,) = seen.served
    earlier = (replace(at_address(MAIL, ONE, before), last=NOW - 1), replace(at_address(MAIL, ONE, OLD), last=NOW - 2))
    over = Progress("mail", "deployed", 0.0, "", given_up=digest(OLD))
    found = replace(seen, progress={"mail": over}, served={endpoint: [*earlier, *seen.served[endpoint]]})
    assert is_everything_kept(found) is is_kept


@pytest.mark.parametrize(("elsewhere", "is_old"), [(OLD, False), (THEIRS, True)])
def test_a_record_of_what_another_machine_serves_is_no_old_one(elsewhere: Presented, *, is_old: bool) -> None:
    """Else no roll-over would ever be over, and the next key never be used."""
    table = replace(MAIL.tables[0], addresses=(ONE,))
    one_of_two = replace(MAIL, tables=(table,))
    seen = scene({one_of_two: {ONE: [NEW], TWO: [elsewhere]}}, {"mail": NEW})
    assert seen.situation("mail", Wish()).has_old_records is is_old


def test_what_is_served_for_another_certificate_is_not_this_one_s() -> None:
    """It would look like what no record of this one names, and be taken back for it."""
    seen = scene({BOTH: {ONE: [NEW, RSA, OLD]}}, {"mail": NEW, "rsa": RSA})
    assert seen.situation("mail", Wish()).served == (NEW, OLD)
    assert seen.situation("rsa", Wish()).served == (RSA, OLD)


@pytest.mark.parametrize(
    ("known", "is_lost"),
    [((OLD,), True), ((OLD, NEW), False), ((), False), ((THEIRS,), False)],
    ids=["it had the key of before", "it had the live one since", "it never answered", "it had another one"],
)
def test_what_answered_before_and_not_since_is_lost(known: tuple[Presented, ...], *, is_lost: bool) -> None:
    """Only then what is live now may be to blame; and only who can go back asks."""
    seen = scene({MAIL: {ONE: [], TWO: [NEW]}}, {"mail": NEW})
    rows = [at_address(MAIL, ONE, each) for each in known] + [at_address(MAIL, TWO, OLD)]
    found = replace(seen, served={str(MAIL.endpoint): rows})
    assert bool(found.situation("mail", Wish(previous=OLD)).lost) is is_lost
    assert found.situation("mail", Wish()).lost == ()


def test_what_was_dark_long_before_is_not_lost_by_a_deployment() -> None:
    """A machine that is off says nothing about the new key, and nothing is taken back for it."""
    seen = scene({MAIL: {ONE: [], TWO: [NEW]}}, {"mail": NEW})
    earlier = replace(at_address(MAIL, ONE, OLD), first=NOW - 9e5, last=NOW - 86400)
    found = replace(seen, served={str(MAIL.endpoint): [earlier]})
    assert found.situation("mail", Wish(previous=OLD)).lost == ()
