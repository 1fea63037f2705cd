"""The library as a program uses it, against real servers: certificates, published values, errors, and good manners."""

from __future__ import annotations

import asyncio
import logging
import signal
import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dnsbroker import Broker, BrokerError, Certificate, Config
from dnsbroker.environment import variables
from lab.processes import run
from lab.rig import Lab

Configure = Callable[..., Path]

APEX = ["example.test", "*.example.test"]
CHALLENGE = "_acme-challenge.example.test"
NAME = "_acme-challenge.library.example.test."


def test_a_configured_certificate_by_name(lab: Lab, configure: Configure) -> None:
    """Its fields are what the files say; every event came on the way; a second call leaves it alone."""
    events: list[Mapping[str, object]] = []

    async def play() -> tuple[Certificate, Certificate]:
        config = Config.load(configure({"example.test": APEX}))
        async with Broker(config, on_event=events.append) as broker:
            return await broker.issue("example.test"), await broker.renew("example.test")

    first, second = asyncio.run(play())
    assert set(first.names) == set(APEX)
    assert first.not_after > datetime.now(UTC)
    assert first.path.name == "example.test"
    assert first.fullchain == (first.path / "fullchain.pem").read_text()
    assert first.private_key == (first.path / "privkey.pem").read_text()
    assert second.serial == first.serial
    seen = [event["event"] for event in events]
    assert [name for name in seen if name in ("order", "written", "propagated", "issued", "kept")] == [
        *("order", "written", "propagated", "issued", "kept")
    ]
    assert all(str(event["time"]).endswith("Z") for event in events)
    lab.await_values(CHALLENGE, [])


def test_names_that_no_file_describes(lab: Lab, configure: Configure, tmp_path: Path) -> None:
    """Issued under a name of their own with a key of the kind asked for, remembered, and known to the next broker."""
    path = configure({})

    async def issue() -> Certificate:
        async with Broker(Config.load(path)) as broker:
            return await broker.issue(names=["c17.example.test"], name="c17", key_type="rsa2048")

    async def renew() -> Certificate:
        async with Broker(Config.load(path)) as broker:
            return await broker.renew("c17")

    issued = asyncio.run(issue())
    assert issued.name == "c17"
    assert "RSA" in run(["openssl", "x509", "-noout", "-text", "-in", issued.path / "cert.pem"])
    remembered = tomllib.loads((tmp_path / "state" / "certificates" / "c17.toml").read_text())
    assert remembered == {"names": ["c17.example.test"], "key_type": "rsa2048"}
    assert asyncio.run(renew()).serial == issued.serial


def test_many_at_once_share_their_writes(lab: Lab, configure: Configure) -> None:
    """Three certificates of one zone, asked for together, are one write and one withdrawal."""
    events: list[Mapping[str, object]] = []
    names = [f"host{number}.example.test" for number in range(3)]

    async def play() -> list[Certificate]:
        async with Broker(Config.load(configure({})), on_event=events.append) as broker:
            return list(await asyncio.gather(*(broker.issue(names=[name]) for name in names)))

    assert [item.name for item in asyncio.run(play())] == names
    seen = [event["event"] for event in events]
    assert (seen.count("written"), seen.count("withdrawn")) == (1, 1)


def test_published_values_stand_everywhere_inside_the_block(lab: Lab, configure: Configure) -> None:
    """And nowhere after it."""

    async def play() -> dict[str, frozenset[str]]:
        async with Broker(Config.load(configure({}))) as broker, broker.published({NAME: ["one", "two"]}):
            return await asyncio.to_thread(lab.leftovers, NAME)

    assert asyncio.run(play()) == dict.fromkeys(lab.domain_of(NAME).members, frozenset({"one", "two"}))
    lab.await_values(NAME, [])


def test_published_values_go_however_the_block_ends(lab: Lab, configure: Configure) -> None:
    """The block's own error is what comes out."""

    async def play() -> None:
        async with Broker(Config.load(configure({}))) as broker, broker.published({NAME: ["one"]}):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(play())
    lab.await_values(NAME, [])


def test_a_cancelled_issuance_leaves_nothing(lab: Lab, configure: Configure) -> None:
    """Cancelled when the values have just been written."""

    async def play() -> None:
        def cancel(event: Mapping[str, object]) -> None:
            if event["event"] == "written":
                task.cancel()

        async with Broker(Config.load(configure({"example.test": APEX})), on_event=cancel) as broker:
            task = asyncio.ensure_future(broker.issue("example.test"))
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(play())
    lab.await_values(CHALLENGE, [])


def test_the_plain_front(lab: Lab, configure: Configure) -> None:
    """The same without an event loop."""
    with Broker(Config.load(configure({"example.test": APEX}))).sync() as broker:
        certificate = broker.issue("example.test")
        assert [item.serial for item in broker.certificates()] == [certificate.serial]
        with broker.published({NAME: ["one"]}):
            assert lab.values("nsd", NAME) == {"one"}
        with pytest.raises(BrokerError, match=r"no certificate 'nothing\.test' is configured"):
            broker.issue("nothing.test")
    lab.await_values(NAME, [])


def described(lab: Lab, state: Path, **powerdns: object) -> dict[str, Any]:
    """The lab's configuration as a program may have it, without a file."""
    return {
        "state_dir": str(state),
        "acme": {"directory": lab.pebble.url, "ca_bundle": str(lab.pebble.ca_file), "agree_tos": True},
        "dns": {"resolvers": [lab.unbound.address]},
        "providers": {"corp": {"type": "powerdns", "url": lab.powerdns.url, **powerdns}},
        "certificates": {"example.test": {"names": APEX}},
    }


def test_a_configuration_without_a_file(lab: Lab, tmp_path: Path) -> None:
    """A secret may be a function, which is called when the secret is needed and not before."""
    asked: list[str] = []

    def secret() -> str:
        asked.append("now")
        return lab.powerdns.api_key

    config = Config.from_dict(described(lab, tmp_path / "state", api_key=secret))
    assert asked == []

    async def play() -> Certificate:
        async with Broker(config) as broker:
            return await broker.issue("example.test")

    assert set(asyncio.run(play()).names) == set(APEX)
    assert asked


def test_errors_have_a_kind_and_a_hint_and_no_secret(lab: Lab, tmp_path: Path) -> None:
    """Whatever is wrong is a BrokerError."""
    config = Config.from_dict(described(lab, tmp_path / "state", api_key=lambda: "a-wrong-secret"))

    async def play() -> None:
        async with Broker(config) as broker:
            await broker.issue("example.test")

    with pytest.raises(BrokerError) as caught:
        asyncio.run(play())
    error = caught.value
    assert error.kind == "auth"
    assert error.hint
    assert not error.transient
    assert "a-wrong-secret" not in f"{error} {error.hint} {error.fields()} {config!r}"
    with pytest.raises(BrokerError) as mistyped:
        Config.from_dict({"acme": {"directry": "letsencrypt"}})
    assert "the nearest known key is directory" in str(mistyped.value)


def test_good_manners(lab: Lab, configure: Configure, capfd: pytest.CaptureFixture[str]) -> None:
    """No signal handler, nothing printed, no logging set up, no environment read or changed."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    handlers, environment = list(logging.getLogger().handlers), dict(variables())
    during: list[Any] = []

    def look(event: Mapping[str, object]) -> None:
        during.append([signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)])

    async def play() -> None:
        async with Broker(Config.load(configure({})), on_event=look) as broker:
            await broker.issue(names=["manners.example.test"])

    with asyncio.Runner() as runner:
        handled = signal.getsignal(signal.SIGINT)
        assert handled is before[0]
        runner.run(play())
    assert all(seen[1] is before[1] for seen in during)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert logging.getLogger().handlers == handlers
    assert dict(variables()) == environment
    assert capfd.readouterr() == ("", "")
