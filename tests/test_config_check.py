from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar

import pytest

from dnsbroker.adapter import ENTRY_POINT_GROUP
from dnsbroker.config import Config
from dnsbroker.config.adapters import Adapters
from dnsbroker.config.check import check
from dnsbroker.errors import ConfigError
from dnsbroker.settings import Secret, key
from dnsbroker.testing.memory import MemoryProvider


@dataclass(frozen=True)
class KeySettings:
    """Two secrets, one of which may stay away."""

    api_key: Secret = key(doc="The key.")
    other: Secret | None = key(None, doc="Another.")


class Keyed(MemoryProvider):
    """An adapter that has a key."""

    Settings: ClassVar[type[Any]] = KeySettings


def load(directory: Path, text: str) -> Config:
    path = directory / "c.toml"
    path.write_text(text)
    path.chmod(0o600)
    return Config.load(path, environment={}, is_root=False, adapters={"keyed": Keyed})


CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBdDCCARugAwIBAgIUSvvOWpPb3wg+hJGsXu2MumClpwcwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjEwOTQyNDZaGA8yMTI2MTAyODA5NDI0
NlowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABIMs
0GnIkmQ5larxW9lShqZRtAgTj3B1aJ2MQLcOdirS9PuBvrPtJm+YTO05GJvhm43y
FeOyda8sy4QRlIrWdEujUzBRMB0GA1UdDgQWBBS40xoceFZhKdY56xO8G3A1qkHM
dzAfBgNVHSMEGDAWgBS40xoceFZhKdY56xO8G3A1qkHMdzAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0cAMEQCIAj70ShdtawwI4yNTtXy/2SOyUD4iHvXEoG8
uqK+khOwAiByrmBz4X9jFMMeO89dzHpcD9af6I5c3jLzHBfbOZIHUA==
-----END CERTIFICATE-----
"""
GOOD = "[providers.p]\ntype = 'keyed'\napi_key = 'x'\n[certificates.'a.example']\nowner = 'root'\ngroup = '0'\n"


def test_a_configuration_without_fault_has_no_errors(tmp_path: Path) -> None:
    """The twin of all that follow."""
    assert check(load(tmp_path, GOOD)) == []


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("secrets_group = 'no-such-group'", "secrets_group", "there is no group no-such-group"),
        ("[certificates.'a.example']\nowner = 'no-such-user'", '[certificates."a.example"] owner', "no user"),
        ("[certificates.'a.example']\ngroup = 'no-such-group'", '[certificates."a.example"] group', "no group"),
        ("[certificates.'a.example']\nmood = 1", '[certificates."a.example"] mood', "unknown key"),
        ("[providers.p]\ntype = 'keyed'\napi_key = { file = 'no' }", "[providers.p] api_key", "no such file"),
        ("[providers.p]\ntype = 'keyed'\napi_key = 'x'\nother = { env = 'NO' }", "[providers.p] other", "not set"),
        ("[acme]\nca_bundle = 'c.toml'", "[acme] ca_bundle", "holds no certificates"),
    ],
)
def test_each_fault_is_found_without_the_network(tmp_path: Path, text: str, key: str, words: str) -> None:
    """With file, key and hint, as when the configuration is read."""
    (error,) = check(load(tmp_path, text))
    assert (error.path, error.key) == (str(tmp_path / "c.toml"), key)
    assert words in str(error)
    assert error.hint


def test_every_fault_is_found_at_once(tmp_path: Path) -> None:
    """One run tells all there is to mend."""
    text = "secrets_group = 'no-such-group'\n[providers.p]\ntype = 'keyed'\napi_key = { env = 'NO' }\n"
    assert (
        len(check(load(tmp_path, text + "[certificates.c17]\n[certificates.'a.example']\nowner = 'nobody-at-all'")))
        == 4
    )


def test_a_bundle_with_certificates_is_in_order(tmp_path: Path) -> None:
    """The twin of the one without."""
    (tmp_path / "ca.pem").write_text(CERTIFICATE)
    assert check(load(tmp_path, "[acme]\nca_bundle = 'ca.pem'")) == []


def test_the_adapters_are_those_installed_and_those_given() -> None:
    """By type; a stranger's registers like ours."""
    adapters = Adapters({"keyed": Keyed})
    assert list(adapters) == ["cloudflare", "keyed", "lexicon", "powerdns", "rfc2136"]
    assert len(adapters) == 5
    assert adapters["keyed"] is Keyed
    assert "powerdns" in adapters
    assert "powrdns" not in adapters
    with pytest.raises(KeyError):
        adapters["powrdns"]


@pytest.mark.parametrize("value", ["no_such_module:Lost", "dnsbroker.errors:Lost"])
def test_an_adapter_that_cannot_be_imported_is_an_error_of_its_provider(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """Not a traceback; and who does not use it never hears of it."""
    lost = EntryPoint("lost", value, ENTRY_POINT_GROUP)
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [lost])
    with pytest.raises(ConfigError, match="the adapter for type lost cannot be imported") as caught:
        Config.from_dict({"providers": {"p": {"type": "lost"}}})
    assert caught.value.key == "[providers.p] type"
    assert caught.value.hint
    others = Config.from_dict({"providers": {"p": {"type": "keyed", "api_key": "x"}}}, adapters={"keyed": Keyed})
    assert list(others.providers) == ["p"]
