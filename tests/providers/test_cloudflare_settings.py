"""The configuration keys of the Cloudflare adapter, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from dnsbroker import Config
from dnsbroker.errors import ConfigError
from dnsbroker.settings import Secret
from dnsbroker_cloudflare import Cloudflare, CloudflareSettings

TOKEN = "s3cret-token"


def settings(**keys: object) -> CloudflareSettings:
    """What the configuration makes of a provider's table."""
    table = {"type": "cloudflare", **keys}
    found = Config.from_dict({"providers": {"cf": table}}).providers["cf"].settings
    assert isinstance(found, CloudflareSettings)
    return found


def refused(**keys: object) -> ConfigError:
    """The error for such a table; it shows no secret."""
    with pytest.raises(ConfigError) as caught:
        settings(**keys)
    assert TOKEN not in f"{caught.value} {caught.value.hint}"
    return caught.value


def test_a_token_is_enough() -> None:
    """The rest has the documented defaults, and nothing shows the token."""
    found = settings(api_token=TOKEN)
    assert (found.base_url, found.zone_ids, found.proxy) == ("https://api.cloudflare.com/client/v4", {}, "")
    assert TOKEN not in repr(found)
    assert found.api_token is not None
    assert found.api_token.reveal() == TOKEN


def test_the_documented_defaults_of_time_hold() -> None:
    """A minute is the shortest TTL there, and one address is many machines."""
    assert (Cloudflare.default_ttl, Cloudflare.default_settle) == (60.0, 3.0)


@pytest.mark.parametrize(
    ("keys", "key", "told"),
    [
        ({}, "api_token", "required key is missing"),
        ({"zone_api_token": TOKEN}, "api_token", "required key is missing"),
        ({"api_key": TOKEN}, "api_email", "required beside api_key"),
        ({"api_email": "me@example.org"}, "api_key", "required beside api_email"),
        ({"api_token": TOKEN, "api_key": TOKEN, "api_email": "me@example.org"}, "api_key", "api_token is there too"),
        ({"api_token": TOKEN, "api_email": "me@example.org"}, "api_email", "api_token is there too"),
    ],
)
def test_credentials_that_do_not_go_together_are_refused(keys: dict[str, object], key: str, told: str) -> None:
    """With the key that is missing or too much, and the way to a token."""
    error = refused(**keys)
    assert error.key == f"[providers.cf] {key}"
    assert told in str(error)
    assert "token" in error.hint


def test_the_global_key_is_accepted_with_its_address() -> None:
    """And says so little by itself."""
    found = settings(api_email="me@example.org", api_key=TOKEN)
    assert (found.api_email, found.api_token) == ("me@example.org", None)


@pytest.mark.parametrize(
    "url",
    ["api.cloudflare.com", "ftp://h", "https://", "https://h:99999", "https://u:s3cret-token@h", "https://h/?x", 4],
)
def test_a_wrong_url_is_refused(url: object) -> None:
    """In words, with the key's place; a password in it is not repeated."""
    assert refused(api_token=TOKEN, base_url=url).key == "[providers.cf] base_url"


@pytest.mark.parametrize("host", ["192.0.9.1", "dns.example.org", "[2a00::1]"])
def test_a_token_is_not_sent_in_the_clear(host: str) -> None:
    """Whoever listens on the way would have it."""
    assert "in the clear" in str(refused(api_token=TOKEN, base_url=f"http://{host}/client/v4"))


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "10.0.0.1", "[::1]", "[fe80::1]"])
def test_a_near_address_may_go_without_tls(host: str) -> None:
    """The twin: a stand-in for tests, or a gateway beside us; a slash at the end says nothing."""
    assert settings(api_token=TOKEN, base_url=f"http://{host}/v4/").base_url == f"http://{host}/v4"


def test_zone_ids_are_kept_by_canonical_name() -> None:
    """In any case, with a dot or without, in Unicode."""
    found = settings(api_token=TOKEN, zone_ids={"Example.NET": "a1", "bücher.example.": "B-2"})
    assert found.zone_ids == {"example.net.": "a1", "xn--bcher-kva.example.": "B-2"}


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ([], "it is a table"),
        ({"example.net": 5}, "example.net has no id"),
        ({"example.net": "../../user"}, "example.net has no id"),
        ({"example.net": ""}, "example.net has no id"),
        ({"example": {"net": "a1"}}, "example holds a table"),
        ({"exa mple.net": "a1"}, "not a usable name"),
        ({"example.net": "a1", "EXAMPLE.net.": "b2"}, "names example.net. twice"),
    ],
)
def test_zone_ids_that_cannot_be_are_refused(table: object, told: str) -> None:
    """What is no id would be another address of the API."""
    error = refused(api_token=TOKEN, zone_ids=table)
    assert error.key == "[providers.cf] zone_ids"
    assert told in str(error)


@pytest.mark.parametrize("address", ["nobody", "a b@example.org", "me@example.org\r\nX-Evil: 1", 5])
def test_what_is_no_mail_address_is_refused(address: object) -> None:
    """It travels in a header of its own."""
    assert refused(api_email=address, api_key=TOKEN).key == "[providers.cf] api_email"


@pytest.mark.parametrize("proxy", ["h:3128", "socks5://h:1080", "http://user:s3cret-token@h:0", 3128])
def test_what_cannot_be_a_proxy_is_refused(proxy: object) -> None:
    """Before anything is contacted, and without its password."""
    assert refused(api_token=TOKEN, proxy=proxy).key == "[providers.cf] proxy"


def test_settings_made_in_python_are_held_to_the_same() -> None:
    """A program gets the same canonical values, and the same refusals."""
    token = Secret("a test", lambda: TOKEN)
    made: dict[str, Any] = {"api_token": token, "zone_ids": {"EXAMPLE.net": "a1"}, "base_url": "https://h/v4/"}
    found = CloudflareSettings(**made)
    assert (found.zone_ids, found.base_url) == ({"example.net.": "a1"}, "https://h/v4")
    with pytest.raises(ValueError, match="required key is missing"):
        CloudflareSettings()


def test_importing_the_adapter_is_cheap() -> None:
    """Commands that only list adapters import the class, so it brings no HTTP client along."""
    program = (
        "import sys, dnsbroker_cloudflare\n"
        "print([name for name in ('httpx', 'tenacity', 'asyncio', 'dns', 'rich') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert Cloudflare.Settings is CloudflareSettings
