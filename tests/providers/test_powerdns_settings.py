"""The configuration keys of the PowerDNS adapter, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dnsbroker import Config
from dnsbroker.errors import ConfigError
from dnsbroker_powerdns import PowerDNS, PowerDNSSettings


def settings(**keys: object) -> PowerDNSSettings:
    """What the configuration makes of a provider's table."""
    table = {"type": "powerdns", "url": "http://127.0.0.1:8081", "api_key": "s3cret", **keys}
    found = Config.from_dict({"providers": {"corp": table}}).providers["corp"].settings
    assert isinstance(found, PowerDNSSettings)
    return found


def test_url_and_key_are_enough() -> None:
    """The rest has the documented defaults, and nothing shows the key."""
    found = settings()
    assert (found.server_id, found.soa_edit_api, found.notify, found.proxy) == ("localhost", "auto", True, "")
    assert "s3cret" not in repr(found)
    assert found.api_key.reveal() == "s3cret"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8081/", "http://127.0.0.1:8081/api/v1", "http://127.0.0.1:8081/api/v1/"]
)
def test_the_api_path_may_be_given_or_not(url: str) -> None:
    """People paste what their other client has."""
    assert settings(url=url).url == "http://127.0.0.1:8081"


def test_a_path_before_the_api_is_kept() -> None:
    """A reverse proxy may put it anywhere."""
    assert settings(url="https://dns.example.org/pdns/").url == "https://dns.example.org/pdns"


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8081",
        "ftp://h",
        "http://",
        "http://h:99999",
        "http://user:secret@h",
        "http://user:secret/2@h",
        "http://h/?x",
        "http://[::1",
        8081,
    ],
)
def test_a_wrong_url_is_refused(url: object) -> None:
    """In words, with the key's place; a password in it is not repeated."""
    with pytest.raises(ConfigError) as caught:
        settings(url=url)
    assert "url" in caught.value.key
    assert "secret" not in str(caught.value)


def test_a_proxy_may_hold_a_password() -> None:
    """For it is the proxy's own."""
    assert settings(proxy="http://user:secret@h:3128").proxy == "http://user:secret@h:3128"


@pytest.mark.parametrize(
    "proxy", ["h:3128", "socks5://h:1080", "http://", "http://user:secret@h:0", "http://user:secret/2@h:1", 3128]
)
def test_what_cannot_be_a_proxy_is_refused(proxy: object) -> None:
    """Before anything is contacted, and without its password."""
    with pytest.raises(ConfigError, match="HTTP proxy") as caught:
        settings(proxy=proxy)
    assert "proxy" in caught.value.key
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("raw", "kept"), [("auto", "auto"), (False, False), ("soa-edit-increase", "SOA-EDIT-INCREASE"), ("EPOCH", "EPOCH")]
)
def test_soa_edit_api_takes_auto_false_or_a_kind(raw: object, kept: object) -> None:
    """Kinds in any case."""
    assert settings(soa_edit_api=raw).soa_edit_api == kept


@pytest.mark.parametrize("raw", [True, "", "INCEPTION-INCREMENT", "none", 1])
def test_soa_edit_api_refuses_what_would_do_nothing(raw: object) -> None:
    """INCEPTION-INCREMENT above all, which is a SOA-EDIT and which manuals recommend here."""
    with pytest.raises(ConfigError, match="SOA-EDIT-INCREASE"):
        settings(soa_edit_api=raw)


def test_importing_the_adapter_is_cheap() -> None:
    """Commands that only list adapters import the class, so it brings no HTTP client along."""
    program = (
        "import sys, dnsbroker_powerdns\n"
        "print([name for name in ('httpx', 'tenacity', 'asyncio', 'dns', 'rich') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert PowerDNS.Settings is PowerDNSSettings
