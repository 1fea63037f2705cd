"""The RFC 2136 adapter's configuration: what is accepted, and that the secret is never shown."""

from __future__ import annotations

import asyncio
import base64
import subprocess
import sys
from typing import Any

import pytest

from dnsbroker.errors import ConfigError
from dnsbroker.settings import Secret
from dnsbroker.testing import surroundings
from dnsbroker_rfc2136 import RFC2136, RFC2136Settings
from dnsbroker_rfc2136.settings import ALGORITHMS, secret_octets


def secret(text: str) -> Secret:
    """A secret with this text."""
    return Secret("file /etc/tsig.key", lambda: text)


def settings(**changed: Any) -> RFC2136Settings:
    """Settings that are right, but for what is changed."""
    known: dict[str, Any] = {"server": "192.0.2.10", "tsig_name": "acme-key.", "tsig_secret": secret("c2VjcmV0")}
    return RFC2136Settings(**(known | changed))


def test_an_import_brings_neither_dnspython_nor_asyncio() -> None:
    """Reading the configuration of a provider costs little."""
    code = "import sys, dnsbroker_rfc2136; sys.exit(bool({'dns', 'asyncio', 'httpx'} & {*sys.modules}))"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("192.0.2.10", "192.0.2.10"),
        ("2001:DB8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("NS1.Example.org.", "ns1.example.org"),
    ],
)
def test_a_server_is_an_address_or_a_host_name(given: str, kept: str) -> None:
    """Of either family."""
    assert settings(server=given).server == kept


def test_a_key_name_is_absolute_and_in_lower_case() -> None:
    """As TSIG compares them (RFC 8945 section 4.2)."""
    assert settings(tsig_name="Acme-Key").tsig_name == settings(tsig_name="acme-key.").tsig_name == "acme-key."


@pytest.mark.parametrize("given", ["HMAC-MD5", "hmac-md5.sig-alg.reg.int", "hmac-md5.sig-alg.reg.int."])
def test_md5_goes_by_both_of_its_names(given: str) -> None:
    """Naming it is the option that permits it."""
    assert settings(tsig_algorithm=given).tsig_algorithm == "hmac-md5"


def test_the_default_is_sha256() -> None:
    """Nothing weak is chosen by silence."""
    assert settings().tsig_algorithm == "hmac-sha256"


def test_every_algorithm_of_dnspython_is_known() -> None:
    """All but GSS-TSIG, under the names that dnspython puts on the wire."""
    import dns.tsig

    theirs = {name.to_text().lower() for name in dns.tsig.mac_sizes} - {"gss-tsig."}
    assert set(ALGORITHMS.values()) == theirs


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"server": "not a host"}, "neither an address nor a host name"),
        ({"server": ""}, "not empty"),
        ({"server": 53}, "not empty"),
        ({"port": 0}, "from 1 to 65535"),
        ({"port": True}, "from 1 to 65535"),
        ({"port": "53"}, "from 1 to 65535"),
        ({"tsig_name": 'key "acme"'}, "no key name"),
        ({"tsig_name": "a..b"}, "no key name"),
        ({"tsig_algorithm": "hmac-sha265"}, "did you mean 'hmac-sha256'"),
        ({"tsig_algorithm": "gss-tsig"}, "not supported"),
    ],
)
def test_what_cannot_work_is_refused_in_words(changed: dict[str, object], told: str) -> None:
    """Before anybody is asked."""
    with pytest.raises(ValueError, match=told):
        settings(**changed)


def test_a_secret_may_end_in_a_line_break() -> None:
    """As files do."""
    assert secret_octets(secret(" c2Vj\ncmV0\n"), "dyn") == b"secret"


@pytest.mark.parametrize("text", ["hunter2!", "c2VjcmV", 'key "acme" { secret "c2VjcmV0"; };', "", "  \n"])
def test_a_secret_that_is_no_base64_is_not_shown(text: str) -> None:
    """The error says where it came from, and what belongs there."""
    with pytest.raises(ConfigError) as caught:
        secret_octets(secret(text), "dyn")
    error = caught.value
    assert error.key == "providers.dyn.tsig_secret"
    assert "/etc/tsig.key" in str(error)
    assert "tsig-keygen" in error.hint
    told = f"{error} {error.hint} {error!r} {error.fields()} {error.__cause__} {error.__context__}"
    assert not any(word in told for word in ("hunter2", "c2Vj"))


def test_a_whole_key_statement_is_recognised() -> None:
    """People paste what tsig-keygen prints."""
    with pytest.raises(ConfigError) as caught:
        secret_octets(secret('key "acme" { algorithm hmac-sha256; secret "c2VjcmV0"; };'), "dyn")
    assert "not the whole statement" in caught.value.hint


def test_a_wrong_secret_contacts_nobody() -> None:
    """The server here does not exist."""
    adapter = RFC2136(settings(tsig_secret=secret("?")), surroundings())
    with pytest.raises(ConfigError):
        asyncio.run(adapter.find_zone("example.org."))


def test_no_changes_are_refused_without_asking() -> None:
    """Nobody is asked, and no secret is read."""
    adapter = RFC2136(settings(tsig_secret=secret("?")), surroundings())
    with pytest.raises(ValueError, match="change"):
        asyncio.run(adapter.apply("example.org.", []))


def test_no_repr_shows_the_secret() -> None:
    """Neither that of the settings nor that of the adapter."""
    text = base64.b64encode(b"very secret").decode()
    made = settings(tsig_secret=secret(text))
    assert text not in f"{made!r} {RFC2136(made, surroundings())!r} {vars(RFC2136(made, surroundings()))!r}"
