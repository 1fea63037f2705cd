"""New certificates of other clients, before they go live: what is damaged, or would lose a service, does not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dnsbroker.cli import exit_status
from dnsbroker.errors import KeyGuarded
from dnsbroker.events import Emitter
from dnsbroker.hooking import Answer
from dnsbroker.run import Run
from dnsbroker.testing import FakeClock
from dnsbroker.testing.nameserver import NameServers, Zone
from dnsbroker.testing.tree import Tree
from hooked_host import KEY, NEW, NEWER, Host, admitted, chain, digest

RECORDS = "@ NS ns\nns A 127.0.0.12\nwww A 127.0.0.1\n"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """One on which dehydrated has a certificate that is live."""
    found = Host(tmp_path)
    found.kept.renew(KEY, chain(KEY, 1))
    return found


@pytest.fixture
def example(host: Host) -> Iterator[Zone]:
    """``a.test.`` on a name server, without a TLSA record; the guard is at work."""
    with NameServers() as servers:
        tree = Tree(servers)
        tree.delegate("a NS ns.a", "ns.a A 127.0.0.12")
        config = tree.config()
        host.dns = {"resolvers": list(config.resolvers), "nameserver_port": config.nameserver_port}
        host.settings["tlsa_guard"] = True
        yield tree.zone("a.test.", RECORDS, "127.0.0.12")[0]


def test_what_is_whole_may_go_live(host: Host) -> None:
    """Nothing is said, written or deployed for it."""
    assert host.call(admitted(host.kept, NEW, chain(NEW, 2))) == Answer()
    assert (host.events, host.said()) == ([], [])


def test_so_may_the_first_one(tmp_path: Path) -> None:
    """There is nothing that it could take the place of."""
    host = Host(tmp_path)
    assert host.call(admitted(host.kept, NEW, chain(NEW, 1))) == Answer()


def test_a_key_that_is_not_there_is_told_by_the_certificate(host: Host, example: Zone) -> None:
    """Its client keeps it, or never had it; where a record names the present one, a new one is seen all the same."""
    same = admitted(host.kept, KEY, chain(KEY, 2))
    same.key.unlink()
    assert host.call(same) == Answer()
    example.add(f"_443._tcp TLSA {digest(KEY)}")
    assert host.call(same) == Answer()
    other = admitted(host.kept, NEW, chain(NEW, 3))
    other.key.unlink()
    (failure,) = host.call(other).failures
    assert isinstance(failure, KeyGuarded)


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("fullchain", "", "there is none in PEM form"),
        ("fullchain", chain(NEW, 2)[:-100], "one is cut off"),
        ("fullchain", chain(NEWER, 3), "it is not the first one of"),
        ("cert", "nonsense", "there is none in PEM form"),
        ("key", KEY, "it is not that of"),
        ("key", "", "there is none in PEM form"),
    ],
)
def test_what_is_damaged_or_does_not_fit_does_not_go_live(host: Host, file: str, text: str, words: str) -> None:
    """With the file and what to do; the client aborts by any status but 0."""
    call = admitted(host.kept, NEW, chain(NEW, 2))
    path: Path = getattr(call, file)
    path.write_text(text)
    (failure,) = host.call(call).failures
    assert exit_status.of(failure) == exit_status.FAILED
    assert words in failure.message
    assert str(path) in failure.message or file == "fullchain"
    assert failure.hint


@pytest.mark.parametrize("file", ["cert", "fullchain"])
def test_what_is_missing_does_not_go_live(host: Host, file: str) -> None:
    """But for the key."""
    call = replace(admitted(host.kept, NEW, chain(NEW, 2)), **{file: host.directory / "missing"})
    (failure,) = host.call(call).failures
    assert exit_status.of(failure) == exit_status.FAILED
    assert "missing: cannot be read" in failure.message


def test_a_key_that_no_record_names_does_not_take_the_place_of_one_that_is_named(host: Host, example: Zone) -> None:
    """The next run comes with another key: once that is published, or the record gone, it goes live."""
    example.add(f"_25._tcp TLSA {digest(KEY)}")
    (failure,) = host.call(admitted(host.kept, NEW, chain(NEW, 2))).failures
    assert isinstance(failure, KeyGuarded)
    assert failure.names == ("_25._tcp.a.test.",)
    assert exit_status.of(failure) != exit_status.DONE
    assert 'PRIVATE_KEY_RENEW="no"' in failure.hint
    assert "tlsa_guard = false" in failure.hint
    example.add(f"_25._tcp TLSA {digest(NEWER)}")
    assert host.call(admitted(host.kept, NEWER, chain(NEWER, 3))) == Answer()
    assert host.call(admitted(host.kept, NEW, chain(NEW, 4))).failures


def test_without_the_guard_it_does(host: Host, example: Zone) -> None:
    """The twin."""
    example.add(f"_25._tcp TLSA {digest(KEY)}")
    host.settings["tlsa_guard"] = False
    assert host.call(admitted(host.kept, NEW, chain(NEW, 2))) == Answer()


def test_the_present_key_may_go_on(host: Host, example: Zone) -> None:
    """For that nobody is asked."""
    example.add(f"_25._tcp TLSA {digest(KEY)}")
    assert host.call(admitted(host.kept, KEY, chain(KEY, 2))) == Answer()


@pytest.mark.usefixtures("example")
def test_a_record_that_nobody_has_is_in_nobody_s_way(host: Host) -> None:
    """Denials let the new key through."""
    assert host.call(admitted(host.kept, NEW, chain(NEW, 2))) == Answer()


def test_in_place_of_a_damaged_one_anything_whole_may_go_live(
    host: Host, example: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which key is served is not known by then; it is told."""
    monkeypatch.setattr("dnsbroker.lineages.reading.PAUSES", (0.0,))
    example.add(f"_25._tcp TLSA {digest(KEY)}")
    call = admitted(host.kept, NEW, chain(NEW, 2))
    host.kept.chain.resolve().write_text("nonsense")
    assert host.call(call) == Answer()
    assert len(host.warnings()) == 1


def test_in_place_of_one_that_leads_nowhere_too(host: Host, example: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can serve what is not there; else its client would never be rid of it."""
    monkeypatch.setattr("dnsbroker.lineages.reading.PAUSES", (0.0,))
    example.add(f"_25._tcp TLSA {digest(KEY)}")
    call = admitted(host.kept, NEW, chain(NEW, 2))
    host.kept.link("fullchain", host.kept.directory / "gone.pem")
    assert host.call(call) == Answer()
    assert len(host.warnings()) == 1


def test_in_place_of_one_that_only_we_cannot_read_nothing_goes_live(
    host: Host, example: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its daemon reads it well, and its key may be in DNS. Without the guard, that is nobody's concern."""
    monkeypatch.setattr("dnsbroker.lineages.reading.PAUSES", (0.0,))
    example.add(f"_25._tcp TLSA {digest(KEY)}")
    call = admitted(host.kept, NEW, chain(NEW, 2))
    (host.directory / "elsewhere.pem").write_text(chain(KEY, 1))
    host.kept.link("fullchain", host.directory / "elsewhere.pem")
    (failure,) = host.call(call).failures
    assert exit_status.of(failure) == exit_status.FAILED
    assert "outside of" in failure.message
    assert "put the file itself below" in failure.hint
    host.settings["tlsa_guard"] = False
    assert host.call(call) == Answer()


def test_a_key_that_a_failed_renewal_left_is_not_the_present_one(host: Host, example: Zone) -> None:
    """The present one is told by the certificate, here too."""
    host.kept.key.resolve().write_text(NEW)
    example.add(f"_25._tcp TLSA {digest(KEY)}")
    assert host.call(admitted(host.kept, NEW, chain(NEW, 2))).failures


def test_for_certbot_a_warning_comes_when_it_is_live(host: Host, example: Zone) -> None:
    """Once, by service; `status` has it from then on, until a record names the new key."""
    host.deploy()
    assert host.warnings() == []
    example.add(f"_443._tcp TLSA {digest(KEY)}")
    host.kept.renew(NEW, chain(NEW, 2))
    assert host.deploy().failures == ()
    (warning,) = host.warnings()
    assert warning == "https://a.test: no TLSA record there matches the live certificate"
    assert observed(host) == [False]
    host.deploy(is_new=False)
    assert host.warnings() == []
    example.add(f"_443._tcp TLSA {digest(NEWER)}")
    host.kept.renew(NEWER, chain(NEWER, 3))
    host.deploy()
    assert host.warnings() == []
    assert observed(host) == [True]


def observed(host: Host) -> list[bool]:
    """Whether each service was covered when it was last looked at."""

    async def story() -> list[bool]:
        clock = FakeClock()
        async with Run(host.config(), clock, Emitter(clock, None)) as run:
            return [seen.covered for seen in run.observations.all()]

    return asyncio.run(story())
