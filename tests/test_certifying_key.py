"""Which key the next certificate is for, decided on real stores and journals; what TLSA records say is given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from authority import START, Authority
from dnsbroker import keys
from dnsbroker.certifying import Wishes
from dnsbroker.certifying.key import Chosen, KeyChoice
from dnsbroker.config import CertificateConfig, Config
from dnsbroker.endpoints import Endpoint
from dnsbroker.errors import BrokerError, ConfigError, KeyGuarded
from dnsbroker.events import Emitter, Event
from dnsbroker.guarding import Guarded
from dnsbroker.run import Run
from dnsbroker.store import Access, Provenance
from dnsbroker.testing import FakeClock

CA = "https://ca.test/dir"
NAME = "example.test"
WANTED = CertificateConfig(name=NAME, names=(NAME,))
AUTHORITY = Authority()
PRESENT, BROUGHT = keys.generate("ecdsa-p256"), keys.generate("ecdsa-p256")
HELD = Guarded(f"_25._tcp.{NAME}.", f"smtp://{NAME}", ("3 1 1 00",), by_key=("3 1 1 00",))
UNSEEN = Guarded(f"_25._tcp.{NAME}.", f"smtp://{NAME}", unknown="no server answered")
WHOLE = Guarded(f"_25._tcp.{NAME}.", f"smtp://{NAME}", ("3 0 1 00",), by_certificate=("3 0 1 00",))


class Said:
    """A guard that says what a test wants, and remembers which new keys it was asked about."""

    def __init__(self, *found: Guarded) -> None:
        self.found = found
        self.asked: list[bytes] = []

    async def look(
        self, names: Sequence[str], verify: Sequence[Endpoint], chain_pem: str, new_public_key: bytes
    ) -> tuple[Guarded, ...]:
        """As the real one."""
        self.asked.append(new_public_key)
        return self.found


class Bench:
    """A store with one live certificate, whose key was made a hundred days ago."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = FakeClock(START + timedelta(days=1))
        self.guard = Said()
        self.events: list[Event] = []
        self.config = Config.from_dict(
            {"state_dir": str(directory / "state"), "acme": {"directory": CA}, "dns": {"resolvers": ["127.0.0.1"]}}
        )

    def play(self, work: Callable[[Run], None]) -> None:
        """Do ``work`` in a run."""

        async def played() -> None:
            async with Run(self.config, self.clock, Emitter(self.clock, self.events.append)) as run:
                work(run)

        asyncio.run(played())

    def save(self, key: str | None = PRESENT, request: bytes | None = None) -> None:
        """Make a certificate live."""
        chain = AUTHORITY.issue(key or BROUGHT, [NAME])
        origin = Provenance(CA, self.clock.now() - timedelta(days=100))

        def save(run: Run) -> None:
            run.store.save(NAME, key, chain, Access(), origin, request)

        self.play(save)

    def choose(self, wanted: CertificateConfig = WANTED, *, is_revoked: bool = False, **wishes: object) -> Chosen:
        """What is chosen by a run of its own; raises as it does."""
        self.events.clear()

        async def played() -> Chosen:
            async with Run(self.config, self.clock, Emitter(self.clock, self.events.append)) as run:
                run.guard = self.guard  # type: ignore[assignment] # it looks like one
                choice = KeyChoice(run, Wishes(**wishes))  # type: ignore[arg-type]
                return await choice.choose(wanted, run.store.load(NAME), run.emit, is_revoked=is_revoked)

        return asyncio.run(played())

    def may_go_on(self, key: str) -> bool:
        """Whether an order that is open for the private ``key`` may be gone on with."""
        self.events.clear()

        async def played() -> bool:
            async with Run(self.config, self.clock, Emitter(self.clock, self.events.append)) as run:
                run.guard = self.guard  # type: ignore[assignment] # it looks like one
                return await KeyChoice(run, Wishes()).may_go_on(
                    keys.public_key_of(key), WANTED, run.store.load(NAME), run.emit
                )

        return asyncio.run(played())

    def file(self, content: str | bytes) -> Path:
        """A file with that content."""
        path = self.directory / f"given-{'csr' if isinstance(content, bytes) else 'key'}"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    @property
    def warnings(self) -> list[str]:
        """What the last choice warned of."""
        return [f"{event['message']} / {event['hint']}" for event in self.events if event["event"] == "warning"]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.save()
    return bench


def bar(bench: Bench, key: str) -> None:
    """Bar a key as compromised."""
    bench.play(lambda run: run.barred.bar(keys.spki_sha256_of(key), "lost"))


@pytest.mark.parametrize(
    ("change", "wishes", "is_kept"),
    [
        ({}, {}, False),
        ({"key_rotation": "never"}, {}, True),
        ({"key_rotation": 101 * 86400.0}, {}, True),
        ({"key_rotation": 100 * 86400.0}, {}, False),
        ({"key_rotation": "never"}, {"new_key": True}, False),
        ({"key_rotation": "never", "key_type": "ecdsa-p384"}, {}, False),
    ],
)
def test_the_present_key_is_kept_as_configured(
    bench: Bench, change: dict[str, object], wishes: dict[str, object], is_kept: bool
) -> None:
    """By rotation, kind and wish; its age goes on."""
    chosen = bench.choose(replace(WANTED, **change), **wishes)  # type: ignore[arg-type]
    assert (chosen.key_pem == PRESENT) == is_kept
    assert chosen.created == bench.clock.now() - (timedelta(days=100) if is_kept else timedelta())
    assert keys.key_type_of(chosen.key_pem) == change.get("key_type", "ecdsa-p256")


def test_the_key_of_a_revoked_certificate_is_given_up(bench: Bench) -> None:
    """Why it was revoked elsewhere is not known here."""
    never = replace(WANTED, key_rotation="never")
    assert bench.choose(never, is_revoked=True).key_pem != PRESENT


@pytest.mark.parametrize("found", [HELD, UNSEEN], ids=["named", "unseen"])
def test_a_key_that_a_record_may_name_stays(bench: Bench, found: Guarded) -> None:
    """With its age; the reason is told, with what to do."""
    bench.guard = Said(found)
    for wishes in ({}, {"new_key": True}, {"key": bench.file(BROUGHT)}):
        chosen = bench.choose(**wishes)
        assert chosen.key_pem == PRESENT and chosen.created < bench.clock.now()
        assert "the present key is used again" in bench.warnings[0] and "tlsa_guard" in bench.warnings[0]


def test_a_key_that_is_kept_anyway_needs_no_guard(bench: Bench) -> None:
    """Nobody is asked; nor where it is switched off, nor where there is no certificate yet."""
    bench.guard = Said(HELD)
    assert bench.choose(replace(WANTED, key_rotation="never")).key_pem == PRESENT
    assert bench.choose(replace(WANTED, tlsa_guard=False)).key_pem != PRESENT
    assert not bench.guard.asked


def test_a_record_of_the_whole_certificate_is_warned_of(bench: Bench) -> None:
    """No key would match it: the new one is used."""
    bench.guard = Said(WHOLE)
    assert bench.choose().key_pem != PRESENT
    assert "publish 3 1 1 instead" in bench.warnings[0]


def test_fail_another_kind_of_key_while_a_record_names_the_present_one(bench: Bench) -> None:
    """Nothing else is to change: nothing is ordered. What is due otherwise is renewed with the present key."""
    bench.guard = Said(HELD)
    other = replace(WANTED, key_type="rsa2048")
    with pytest.raises(KeyGuarded, match="keeps its ecdsa-p256 key") as held:
        bench.choose(other)
    assert list(held.value.names) == [HELD.owner]
    assert bench.choose(replace(other, names=(NAME, f"www.{NAME}"))).key_pem == PRESENT


def test_a_compromised_key_goes_in_spite_of_everything(bench: Bench) -> None:
    """Rotation and records alike; the record that is needed now is told."""
    bar(bench, PRESENT)
    bench.guard = Said(HELD)
    chosen = bench.choose(replace(WANTED, key_rotation="never"))
    assert chosen.key_pem != PRESENT
    assert f"3 1 1 {keys.spki_sha256_of(chosen.key_pem)}" in bench.warnings[0]
    bench.guard = Said()
    bench.choose()
    assert not bench.warnings


def test_fail_compromised_keys_that_somebody_brings(bench: Bench) -> None:
    """As a file or in a request."""
    bar(bench, BROUGHT)
    with pytest.raises(ConfigError, match="compromised"):
        bench.choose(key=bench.file(BROUGHT))
    with pytest.raises(ConfigError, match="compromised"):
        bench.choose(csr=bench.file(keys.csr(BROUGHT, [NAME])))


def test_a_request_is_used_again_without_its_key(bench: Bench) -> None:
    """As long as it fits; a key of one's own takes its place, unless a record names the one that is elsewhere."""
    request = keys.csr(BROUGHT, [NAME])
    bench.save(None, request)
    chosen = bench.choose()
    assert (chosen.csr, chosen.key_pem, chosen.request) == (request, "", request)
    with pytest.raises(ConfigError, match="names have changed"):
        bench.choose(replace(WANTED, names=(NAME, f"www.{NAME}")))
    assert bench.choose(key=bench.file(PRESENT)).key_pem == PRESENT
    bench.guard = Said(HELD)
    refused: list[dict[str, Any]] = [
        {"key": bench.file(PRESENT)},
        {"csr": bench.file(keys.csr(PRESENT, [NAME]))},
    ]
    for wishes in refused:
        with pytest.raises(KeyGuarded, match=r"key is not used: the TLSA record 3 1 1 00"):
            bench.choose(**wishes)
    bar(bench, BROUGHT)
    with pytest.raises(ConfigError, match="its key was revoked as compromised, and the key is not here"):
        bench.choose()


def test_fail_a_request_for_other_names(bench: Bench) -> None:
    """In the order of the names there is no difference."""
    with pytest.raises(BrokerError, match="the request is for"):
        bench.choose(csr=bench.file(keys.csr(BROUGHT, [NAME, f"www.{NAME}"])))
    two = replace(WANTED, names=(NAME, f"www.{NAME}"))
    request = keys.csr(BROUGHT, [f"www.{NAME}", NAME])
    assert bench.choose(two, csr=bench.file(request)).csr == request


def test_the_key_of_an_open_order_is_looked_at_again(bench: Bench) -> None:
    """Days may lie between a killed run and the next one, and a record for the live key may have come."""
    assert bench.may_go_on(BROUGHT) and bench.guard.asked == [keys.public_key_of(BROUGHT)]
    bench.guard = Said(HELD)
    assert not bench.may_go_on(BROUGHT)
    assert bench.may_go_on(PRESENT)
    bar(bench, BROUGHT)
    bench.guard = Said()
    assert not bench.may_go_on(BROUGHT)
