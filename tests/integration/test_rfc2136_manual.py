"""The recipes of docs/rfc2136.md on the servers that they are for: they grant what they say, and no more."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from dnsbroker.errors import AuthRejected
from dnsbroker.records import Add, Record, RecordType
from dnsbroker.settings import Secret
from dnsbroker_rfc2136 import explain
from dynamic import DynamicPowerDNS, KnotPrimary, WrittenBind, apply, refused, require_namespace
from lab import wire
from lab.bind import ACME_KEY, LAB_KEY
from lab.processes import look_until
from lab.zonefile import zone_text

ADDRESS = "127.0.0.36"
MANUAL = (Path(__file__).parents[2] / "docs" / "rfc2136.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module", autouse=True)
def inside() -> None:
    """Nothing in here runs elsewhere."""
    require_namespace()


def recipes(language: str) -> Sequence[str]:
    """The manual's blocks in ``language``."""
    return re.findall(rf"^```{language}\n(.*?)^```$", MANUAL, re.MULTILINE | re.DOTALL)


def add(name: str, type: RecordType = "TXT") -> Add:
    """A change at ``name``."""
    return Add(Record(name, type, "x" if type == "TXT" else "3 1 1 " + "ab" * 32), 5)


class ManualKnot(KnotPrimary):
    """A Knot with the manual's key, acl and zone."""

    def write_files(self) -> None:
        """The manual's text, between what says where this one runs."""
        super().write_files()
        (recipe,) = recipes("knot")
        recipe = recipe.replace("SECRET", self.keys.secrets[ACME_KEY])
        own = (self.directory / "knot.conf").read_text()
        own = own[: own.index("\nkey:")] + own[own.index("\ntemplate:") : own.index("\nzone:")]
        (self.directory / "knot.conf").write_text(own + "\n" + recipe)


@pytest.mark.parametrize(
    ("number", "zone", "granted", "denied"),
    [
        (0, "example.org", "_acme-challenge.example.org.", "_acme-challenge.www.example.org."),
        (1, "acme.example.net", "www.example.org.acme.example.net.", ""),
    ],
    ids=["one name", "a zone of its own"],
)
def test_binds_recipes_grant_txt_where_they_say(
    tmp_path: Path, number: int, zone: str, granted: str, denied: str
) -> None:
    """Other names and other types are refused."""
    text = recipes("bind")[number]
    text = text.replace("/etc/bind/", f"{tmp_path}/").replace("/var/lib/bind/", f"{tmp_path}/")
    key = 'key "acme-key" { algorithm hmac-sha256; secret "SECRET"; };\n'
    text = re.sub(r'include ".*";\n', key, text)
    files = {f"{zone}.zone": zone_text(zone, 1, {"ns1": [ADDRESS]})}
    with WrittenBind(tmp_path, text, files, address=ADDRESS) as server:
        look_until(lambda: wire.serves(ADDRESS, zone), zone)
        assert apply(server, add(granted), zone=f"{zone}.").changed
        assert isinstance(refused(server, add(granted, "TLSA"), zone=f"{zone}."), AuthRejected)
        if denied:
            assert isinstance(refused(server, add(denied), zone=f"{zone}."), AuthRejected)


def test_knots_recipe_grants_txt_at_the_challenge_name(tmp_path: Path) -> None:
    """Other names and other types are refused."""
    with ManualKnot(tmp_path, ["example.org"], address=ADDRESS) as server:
        assert apply(server, add("_acme-challenge.example.org."), zone="example.org.").changed
        for denied in (add("_acme-challenge.www.example.org."), add("_acme-challenge.example.org.", "TLSA")):
            assert isinstance(refused(server, denied, zone="example.org."), AuthRejected)


def test_powerdns_recipe_lets_the_key_in(tmp_path: Path) -> None:
    """And nobody else."""
    (recipe,) = recipes("pdnsutil")
    with DynamicPowerDNS(tmp_path, address=ADDRESS) as server:
        server.create_zone("example.org")
        for line in recipe.replace("192.0.2.20/32", "127.0.0.0/8").splitlines():
            words = line.replace("SECRET", server.keys.secrets[ACME_KEY]).split()
            server.pdnsutil(*words[1:])
        assert apply(server, add("_acme-challenge.example.org."), zone="example.org.").changed
        secret = Secret("a test", lambda: server.keys.secrets[LAB_KEY])
        other = add("other.example.org.")
        error = refused(server, other, zone="example.org.", tsig_name=LAB_KEY, tsig_secret=secret)
        assert isinstance(error, AuthRejected)


def test_the_manual_quotes_messages_as_they_are() -> None:
    """A person searches it for what is on the screen."""
    told = Path(explain.__file__).read_text(encoding="utf-8")
    quoted = re.findall(r"^\| `(.*?)`.*\|", MANUAL, re.MULTILINE)
    assert len(quoted) == 10
    parts = [part.strip() for message in quoted for part in message.split("…")]
    assert [part for part in parts if part not in told] == []
