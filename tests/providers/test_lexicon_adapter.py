"""The bridge to dns-lexicon with its PowerDNS driver and literal replies: what it asks, reads, and lets out."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from dnsbroker.adapter import Examines, KeepsNotes, TellsServers
from dnsbroker.errors import AuthRejected, ProviderError, ProviderUnavailable, RecordRejected, ZoneMissing
from dnsbroker.findings import Severity
from dnsbroker.records import RRset
from dnsbroker.settings import Secret
from dnsbroker.testing import surroundings
from dnsbroker_lexicon import Lexicon, LexiconSettings
from lexicon_shelf import NAME, ZONE, add
from literal_powerdns import CLOSED, SILENT, Literal, done, rrset, text, told, zone
from loopback import Response

KEY = "s3cret-key"


class Hasty(Lexicon):
    """Waits for no exchange longer than this."""

    exchange_timeout: ClassVar[float] = 0.1


class Restless(Lexicon):
    """Waits for no driver longer than this."""

    patience: ClassVar[float] = 0.3


def adapter(url: str, *zones: str, cls: type[Lexicon] = Lexicon, **options: Any) -> Lexicon:
    """With dns-lexicon's driver for PowerDNS."""
    secrets = {"auth_token": Secret("the test", lambda: KEY)}
    settings = LexiconSettings(
        service="powerdns", secrets=secrets, options={"pdns_server": url, **options}, zones=zones or (ZONE,)
    )
    return cls(settings, surroundings("hoster"))


def play(server: Literal, story: Callable[[Lexicon], Awaitable[Any]], *zones: str, **more: Any) -> Any:
    """What ``story`` makes of an adapter for ``server``."""

    async def played() -> Any:
        async with server:
            return await story(adapter(server.url, *zones, **more))

    return asyncio.run(played())


def served(*rrsets: dict[str, Any]) -> Literal:
    """A server with these RRsets, whatever is written."""
    return Literal(read=[told(zone(*rrsets))], patch=[done()])


def test_it_tells_what_it_can_and_no_more() -> None:
    """It examines; servers and notes are not in dns-lexicon."""
    bridge = adapter("http://127.0.0.1:1")
    assert isinstance(bridge, Examines)
    assert not isinstance(bridge, TellsServers)
    assert not isinstance(bridge, KeepsNotes)
    assert asyncio.run(bridge.zones()) is None


def test_a_zone_is_found_among_those_configured_and_nobody_is_asked() -> None:
    """On label boundaries, the longest first; at this port nobody listens."""
    bridge = adapter("http://127.0.0.1:1", "example.org", "sub.example.org", "co.uk")

    async def found(*names: str) -> list[str | None]:
        return [await bridge.find_zone(name) for name in names]

    names = ("a.Example.ORG", "a.sub.example.org", "example.org", "xsub.example.org", "ample.org", "a.co.uk", "uk")
    assert asyncio.run(found(*names)) == [
        "example.org.",
        "sub.example.org.",
        "example.org.",
        "example.org.",
        None,
        "co.uk.",
        None,
    ]


def test_another_zone_is_refused_without_a_question() -> None:
    """The hint names the key."""
    bridge = adapter("http://127.0.0.1:1")
    for call in (bridge.apply("sub.example.org.", [add()]), bridge.read("org.", NAME, "TXT")):
        with pytest.raises(ZoneMissing) as caught:
            asyncio.run(_awaited(call))
        assert "to the zones of this provider" in caught.value.hint
    with pytest.raises(RecordRejected, match="is not in it"):
        asyncio.run(bridge.apply(ZONE, [add(name="a.ex" + ZONE)]))


async def _awaited(call: Awaitable[object]) -> object:
    return await call


@pytest.mark.parametrize("name", ["_acme-challenge.a.b.example.co.uk.", "github.io.", "co.uk.", "example.org."])
def test_the_driver_is_told_the_zone_as_it_is(name: str) -> None:
    """Also one that a list of public suffixes would cut elsewhere, or one below another."""
    server = served()
    play(server, lambda bridge: bridge.read(name, f"x.{name}", "TXT"), name)
    assert server.requests[0].target.endswith(f"/zones/{name}")


def test_no_driver_is_handed_what_another_zone_holds() -> None:
    """The RRset is read by its exact name."""
    server = served(rrset('"ours"'), rrset('"theirs"', name=f"x{NAME}"), rrset('"theirs"', name=f"sub.{NAME}"))
    assert play(server, lambda bridge: bridge.read(ZONE, NAME, "TXT")) == RRset(NAME, "TXT", 60, frozenset({"ours"}))


# Trouble


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (text(401, "Unauthorized"), AuthRejected),
        (text(404, "Not Found"), ZoneMissing),
        (text(500, "Internal Server Error"), ProviderUnavailable),
        (told({"rrsets": None}), ProviderError),
        (text(200, "<html>"), ProviderError),
        (CLOSED, ProviderUnavailable),
    ],
)
def test_what_the_service_says_is_an_error_of_its_kind(reply: Any, kind: type[ProviderError]) -> None:
    """And a finding, where it is examined."""
    with pytest.raises(kind) as caught:
        play(Literal(read=[reply]), lambda bridge: bridge.apply(ZONE, [add()]))
    assert KEY not in f"{caught.value} {caught.value.hint} {caught.value.fields()}"
    (finding,) = play(Literal(read=[reply]), lambda bridge: bridge.examine([ZONE, "other.org."], fix=False))
    assert (finding.severity, finding.subject) == (Severity.ERROR, "example.org")
    assert finding.check in {AuthRejected: "auth", ZoneMissing: "zone-missing"}.get(kind, "provider-fails")
    assert finding.hint
    assert finding.evidence[0].server == "hoster"


@pytest.mark.parametrize("reply", [text(401, "Unauthorized"), text(404, "Not Found"), text(200, "<html>"), CLOSED])
def test_what_fails_before_a_write_says_that_nothing_was_done(reply: Any) -> None:
    """So that nobody looks after it; a zone and a name that are not ours are refused here."""

    async def refused(bridge: Lexicon, where: str, name: str) -> None:
        with pytest.raises(ProviderError) as caught:
            await bridge.apply(where, [add(name=name)])
        assert caught.value.nothing_done

    async def all_refused(bridge: Lexicon) -> None:
        await refused(bridge, ZONE, NAME)
        await refused(bridge, "other.org.", NAME)
        await refused(bridge, ZONE, "a.other.org.")

    play(Literal(read=[reply]), all_refused)


@pytest.mark.parametrize("reply", [text(401, "Unauthorized"), text(422, "no"), text(500, "oh"), text(200, ""), CLOSED])
def test_what_fails_after_a_write_does_not_say_so(reply: Any) -> None:
    """The twin. Not even where it was refused: a driver may make a record first, and be refused what belongs to it."""
    server = Literal(read=[told(zone())], patch=[reply])
    with pytest.raises(ProviderError) as caught:
        play(server, lambda bridge: bridge.apply(ZONE, [add()]))
    assert "patch" in server.asked()
    assert not caught.value.nothing_done


def test_a_driver_that_does_not_come_back_may_have_written() -> None:
    """Nobody knows how far it is."""
    server = Literal(read=[Response(body=b" " * 1000, drip=0.02)])
    with pytest.raises(ProviderUnavailable) as caught:
        play(server, lambda bridge: bridge.apply(ZONE, [add()]), cls=Restless)
    assert not caught.value.nothing_done


def test_nothing_is_found_where_all_is_well() -> None:
    """The twin; and nothing was written to find that out."""
    server = served()
    assert play(server, lambda bridge: bridge.examine([ZONE], fix=True)) == []
    assert set(server.asked()) == {"read"}


def test_a_silent_service_is_given_up() -> None:
    """The driver itself would wait for ever: its exchange has a time-out, although it sets none."""
    server = Literal(read=[SILENT])
    with pytest.raises(ProviderUnavailable) as caught:
        play(server, lambda bridge: bridge.read(ZONE, NAME, "TXT"), cls=Hasty)
    assert str(caught.value) == "provider hoster, zone example.org: powerdns: 127.0.0.1: timed out"


def test_a_driver_that_does_not_come_back_is_given_up() -> None:
    """Whatever it does there; the reply drips, so that no exchange is ever silent for long."""
    server = Literal(read=[Response(body=b" " * 1000, drip=0.02)])
    with pytest.raises(ProviderUnavailable, match=r"did not answer dns-lexicon within 0\.3 s"):
        play(server, lambda bridge: bridge.read(ZONE, NAME, "TXT"), cls=Restless)


def test_an_option_that_the_driver_does_not_know_is_named() -> None:
    """Before anybody is asked."""
    server = served()
    with pytest.raises(ProviderError, match="pdns_sever_id is no option of it; the nearest is pdns_server"):
        play(server, lambda bridge: bridge.read(ZONE, NAME, "TXT"), pdns_sever_id="x")
    assert server.requests == []
    play(server, lambda bridge: bridge.read(ZONE, NAME, "TXT"), **{"pdns-disable-notify": True})
    assert server.requests


# What gets out


def test_what_the_driver_logs_stays_with_us(caplog: pytest.LogCaptureFixture) -> None:
    """Its requests and replies are in there. What others log through the same loggers is logged."""
    with caplog.at_level(logging.DEBUG):
        play(served(), lambda bridge: bridge.read(ZONE, NAME, "TXT"))
        assert [record for record in caplog.records if record.name.startswith(("lexicon", "urllib3", "root"))] == []
        logging.getLogger("urllib3.connectionpool").debug("somebody else's")
        assert "somebody else's" in caplog.text


#: Runs in a process of its own, with an environment, a directory and a home that say other things than we do.
ELSEWHERE = """
import asyncio, sys
reached = []
def watch(event, arguments):
    if event == "socket.getaddrinfo" and arguments[0] not in ("127.0.0.1", None):
        reached.append(arguments[0])
        raise OSError("not from here")
sys.addaudithook(watch)
from dnsbroker.settings import Secret
from dnsbroker.testing import surroundings
from dnsbroker_lexicon import Lexicon, LexiconSettings
from literal_powerdns import Literal, told, zone
async def play():
    async with Literal(read=[told(zone())]) as server:
        settings = LexiconSettings(
            service="powerdns", zones=("example.co.uk",), options={"pdns_server": server.url},
            secrets={"auth_token": Secret("here", lambda: "from-us")},
        )
        await Lexicon(settings, surroundings()).read("example.co.uk.", "a.example.co.uk.", "TXT")
        print(server.requests[0].headers["x-api-key"], server.requests[0].target.rsplit("/", 1)[1], reached)
asyncio.run(play())
if "twin" in sys.argv:
    from lexicon.client import Client
    Client({"provider_name": "powerdns", "domain": "www.example.co.uk"})
    print(bool(reached))
"""


def elsewhere(directory: Path, *arguments: str) -> list[str]:
    """What the program prints where dns-lexicon would find settings of its own everywhere."""
    (directory / "lexicon.yml").write_text("delegated: other.example\npowerdns:\n  auth_token: from-a-file\n")
    (directory / "lexicon_powerdns.yml").write_text("auth_token: from-a-file\npdns_server: http://192.0.2.1\n")
    rig = str(Path(__file__).parent.parent / "rig")
    environment = {
        "HOME": str(directory),
        "PATH": os.defpath,
        "PYTHONPATH": rig,
        "LEXICON_POWERDNS_AUTH_TOKEN": "from-the-environment",
        "LEXICON_DOMAIN": "other.example",
        "LEXICON_TTL": "7",
    }
    command = [sys.executable, "-W", "ignore", "-c", ELSEWHERE, *arguments]
    done_ = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    return done_.stdout.splitlines()


def test_neither_environment_nor_files_are_read_and_no_list_of_suffixes_is_fetched(tmp_path: Path) -> None:
    """Only the configured server is reached, with our key and our zone."""
    assert elsewhere(tmp_path) == ["from-us example.co.uk. []"]
    assert not (tmp_path / ".lexicon_tld_set").exists()


def test_dns_lexicon_by_itself_would_fetch_one(tmp_path: Path) -> None:
    """The twin: the same watch, and its own client."""
    assert elsewhere(tmp_path, "twin")[1:] == ["True"]


@pytest.mark.parametrize("service", ["godaddy", "namecheap"])
def test_a_driver_that_cuts_names_itself_has_the_list_at_hand(service: str) -> None:
    """Of the version that is installed, and reaches for no other."""
    code = (
        "import sys\n"
        "def watch(event, arguments):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo'): print(event, arguments)\n"
        "sys.addaudithook(watch)\n"
        "from dnsbroker_lexicon.driver import _copy\n"
        f"print(_copy({service!r}, 1.0).tldextract.extract('www.example.co.uk').suffix)\n"
    )
    done_ = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done_.stdout == "co.uk\n"


def test_drivers_are_bent_in_a_copy_only(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever else uses dns-lexicon in this process finds it as it was."""
    import requests
    from lexicon._private.providers import dnsservices, powerdns

    from dnsbroker_lexicon.driver import _copy

    ours = _copy("powerdns", 1.0)
    assert ours is not powerdns
    assert vars(powerdns)["requests"] is requests
    assert ours.requests is not requests
    assert ours.requests.exceptions is requests.exceptions
    assert "print" not in vars(dnsservices)
    _copy("dnsservices", 1.0).print("secret")
    assert capsys.readouterr().out == ""


def test_who_looks_at_every_module_is_not_failed() -> None:
    """As hypothesis does in the middle of any test: dns-lexicon leaves modules behind that warn when looked at."""
    import lexicon

    assert {lexicon, sys.modules["lexicon.cli"]} <= {*sys.modules.values()}
    for module in list(sys.modules.values()):
        getattr(module, "__file__", None)


@pytest.mark.parametrize("way", ["get", "request", "Session", "session"])
def test_each_way_to_ask_has_a_time_out(way: str) -> None:
    """Unless the driver sets one of its own."""
    from dnsbroker_lexicon.driver import _copy

    async def play_() -> None:
        async with Literal(read=[SILENT]) as server:
            asking = _copy("powerdns", 0.1).requests
            url = f"{server.url}/api/v1/servers/localhost/zones/x"
            session = {"Session": lambda: asking.Session().get, "session": lambda: asking.session().get}
            call = session[way]() if way in session else getattr(asking, way)
            arguments = ("GET", url) if way == "request" else (url,)
            with pytest.raises(asking.exceptions.ReadTimeout):
                await asyncio.to_thread(call, *arguments)

    asyncio.run(play_())


def test_what_is_late_sends_no_further_request() -> None:
    """Not even within one thing that a driver was asked for, which may take several; a change would come unseen."""
    from dnsbroker_lexicon.calls import Late, Leash
    from dnsbroker_lexicon.driver import opened

    def work(url: str) -> None:
        leash = Leash()
        driver = opened("powerdns", ZONE, {"pdns_server": url, "auth_token": KEY}, seconds=5.0, leash=leash)
        assert driver.standing((NAME, "TXT")).values == frozenset()
        leash.let_go()
        with pytest.raises(Late):
            driver._provider.create_record("TXT", NAME, "late")

    async def play_() -> None:
        async with served() as server:
            await asyncio.to_thread(work, server.url)
            assert "patch" not in server.asked()

    asyncio.run(play_())


def test_the_driver_for_updates_cannot_list() -> None:
    """So docs/lexicon.md sends people to an adapter of ours; when this fails, the page is to say something else."""
    from dnsbroker_lexicon.driver import _copy

    with pytest.raises(TypeError):
        _copy("ddns", 1.0)._identifier("TXT", NAME, "value")


def test_every_driver_can_be_copied() -> None:
    """Of those whose libraries are installed; each has the interface that we call."""
    from lexicon._private.discovery import find_providers

    from dnsbroker_lexicon.driver import _copy

    there = [name for name, has_all in find_providers().items() if has_all and name != "auto"]
    assert len(there) > 80
    for name in there:
        provider = _copy(name, 1.0).Provider
        assert {"authenticate", "list_records", "create_record", "delete_record", "cleanup"} <= set(dir(provider))
