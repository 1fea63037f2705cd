"""The configuration of the bridge to dns-lexicon: what it takes, what it refuses, and without the extra."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pages
from dnsbroker.config import Config
from dnsbroker.config.check import check
from dnsbroker.errors import ConfigError
from dnsbroker.settings import Rejected, Secret, secrets_of
from dnsbroker_lexicon import LexiconSettings
from dnsbroker_lexicon.settings import services

TOKEN = Secret("the test", lambda: "s3cret")

WHOLE = """
[providers.hoster]
type = "lexicon"
service = "{service}"
secrets = {secrets}
options = {options}
zones = {zones}
"""


def loaded(directory: Path, mode: int = 0o600, environment: dict[str, str] | None = None, **parts: str) -> Config:
    """A configuration with one provider."""
    given = {"service": "gandi", "secrets": "{ auth_token = { env = 'T' } }", "options": "{}", "zones": '["e.org"]'}
    file = directory / "dnsbroker.toml"
    file.touch(mode)
    file.chmod(mode)
    file.write_text(WHOLE.format(**{**given, **parts}))
    return Config.load(file, environment=environment or {}, is_root=False)


def settings(**more: Any) -> LexiconSettings:
    return LexiconSettings(**{"service": "gandi", "secrets": {"auth_token": TOKEN}, "zones": ("e.org",), **more})


def test_every_option_is_read(tmp_path: Path) -> None:
    """Plain ones as they are, secrets only when they are needed, zones as owner names."""
    secrets = "{ auth_token = { env = 'TOKEN' }, auth_key = 'hunter2' }"
    options = '{ api_protocol = "rest", port = 53, private_zone = true }'
    config = loaded(tmp_path, secrets=secrets, options=options, zones='["Example.ORG", "é.org."]')
    provider = config.providers["hoster"]
    assert provider.settings.options == {"api_protocol": "rest", "port": 53, "private_zone": True}
    assert provider.settings.zones == provider.zones == ("example.org.", "xn--9ca.org.")
    assert provider.settings.secrets["auth_key"].reveal() == "hunter2"
    assert "hunter2" not in repr(config)


def test_a_secret_in_a_table_is_a_secret_like_any_other(tmp_path: Path) -> None:
    """Where it cannot be fetched, the check says so with its key; and where it is known, it is found."""
    (error,) = check(loaded(tmp_path))
    assert error.key == "[providers.hoster] secrets.auth_token"
    assert check(loaded(tmp_path, environment={"T": "x"})) == []
    assert [secret.reveal() for secret in secrets_of(settings())] == ["s3cret"]


def test_a_literal_secret_in_a_table_keeps_others_from_the_file(tmp_path: Path) -> None:
    """The same file is refused when everybody can read it; one with sources alone is not."""
    with pytest.raises(ConfigError, match="everybody") as caught:
        loaded(tmp_path, 0o644, secrets="{ auth_token = 'hunter2' }")
    assert caught.value.key == "[providers.hoster] secrets.auth_token"
    assert "hunter2" not in str(caught.value)
    assert loaded(tmp_path, 0o644).providers


@pytest.mark.parametrize(
    ("parts", "message", "hint"),
    [
        ({"service": "gandy"}, 'has no service "gandy"; the nearest is gandi', "ovh"),
        ({"service": "auto"}, "guess", "name it"),
        ({"service": ""}, "not empty", "gandi"),
        ({"secrets": "'token'"}, "should be a table", "write"),
        ({"secrets": "{ auth_token = 5 }"}, "should be a secret, not an integer", "file"),
        ({"options": "'rest'"}, "should be a table", "example"),
        ({"options": "{ auth_token = 'x' }"}, "auth_token is a secret", "secrets = { auth_token"),
        ({"options": "{ auth_consumer_key = 'x' }"}, "auth_consumer_key is a secret", "secrets"),
        ({"options": "{ api_protocol = { env = 'X' } }"}, "is a secret", "secrets"),
        ({"options": "{ port = 5.5 }"}, "port should be", "quotes"),
        ({"options": "{ auth_token = 1 }", "secrets": "{ auth_token = { env = 'X' } }"}, "in secrets too", "take one"),
        ({"zones": "[]"}, "at least one zone", "cannot list"),
        ({"zones": '["a..b"]'}, "empty label", "correct"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_read(
    tmp_path: Path, parts: dict[str, Any], message: str, hint: str
) -> None:
    """With the key and the cure, and without a value of a secret."""
    with pytest.raises(ConfigError, match=message) as caught:
        loaded(tmp_path, **parts)
    assert "[providers.hoster]" in caught.value.key
    assert hint in caught.value.hint


def test_zones_are_required(tmp_path: Path) -> None:
    """The error names the key and why."""
    (tmp_path / "c.toml").write_text('[providers.h]\ntype = "lexicon"\nservice = "gandi"\nsecrets = {}\n')
    with pytest.raises(ConfigError, match="zones: required key is missing") as caught:
        Config.load(tmp_path / "c.toml", environment={}, is_root=False)
    assert "dns-lexicon cannot list them" in caught.value.hint


def test_names_of_keys_that_are_no_secrets_are_options() -> None:
    """The twin of what is refused among them."""
    options = {"auth_key_id": "x", "auth_key_is_global": True, "auth_username": "me", "auth_entrypoint": "ovh-eu"}
    assert settings(options=options).options == options


def test_settings_made_in_python_are_checked_too() -> None:
    """As a library is used."""
    assert settings(zones=["B.org", "b.org."]).zones == ("b.org.",)
    with pytest.raises(Rejected, match="the nearest is ovh"):
        settings(service="OVHH")


def test_the_page_s_example_loads(tmp_path: Path) -> None:
    """As it stands there; its secrets are where it says, and need not be there yet."""
    (example,) = pages.blocks(pages.text("docs/lexicon.md"), "toml")
    (tmp_path / "c.toml").write_text(example)
    provider = Config.load(tmp_path / "c.toml", environment={}, is_root=False).providers["hoster"]
    assert provider.settings.service == "ovh"
    assert set(provider.settings.secrets) == {"auth_application_key", "auth_application_secret", "auth_consumer_key"}


def test_every_driver_is_a_service_but_the_one_that_guesses() -> None:
    """As dns-lexicon itself lists them."""
    from lexicon._private.discovery import find_providers

    assert set(services()) == set(find_providers()) - {"auto"}
    assert len(services()) > 80


# Without the extra


def program(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


#: Hides dns-lexicon, as if it had not been installed.
HIDDEN = """
import sys, importlib.machinery
finder = importlib.machinery.PathFinder
found = finder.find_spec
def without(name, path=None, target=None):
    return None if name.partition(".")[0] == "lexicon" else found(name, path, target)
finder.find_spec = without
"""


def without_the_extra(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line where it is hidden."""
    return program(f"{HIDDEN}from dnsbroker.cli import main\nsys.exit(main({list(arguments)!r}))")


def test_without_the_extra_the_error_says_what_to_install(tmp_path: Path) -> None:
    """Status 2, in any command that reads the configuration."""
    loaded(tmp_path)
    done = without_the_extra("--config", str(tmp_path / "dnsbroker.toml"), "providers")
    assert done.returncode == 2
    assert 'service: type = "lexicon" needs dns-lexicon, which is not installed' in done.stderr
    assert "hint: pip install 'dnsbroker[lexicon]'" in done.stderr


def test_without_the_extra_others_work_as_ever(tmp_path: Path) -> None:
    """The adapter is listed as one that needs more, and shows its keys where it is asked for."""
    (tmp_path / "dnsbroker.toml").write_text("")
    arguments = ("--config", str(tmp_path / "dnsbroker.toml"), "providers")
    done = without_the_extra(*arguments)
    assert done.stdout == (
        "adapters installed: cloudflare, powerdns, rfc2136\nlexicon needs more: pip install 'dnsbroker[lexicon]'\n"
    )
    told = json.loads(without_the_extra("--json", *arguments).stdout.splitlines()[-1])
    assert (told["status"], told["adapters"]) == (0, ["cloudflare", "powerdns", "rfc2136"])
    assert told["lacking"] == {"lexicon": "pip install 'dnsbroker[lexicon]'"}
    assert without_the_extra("config", "example", "lexicon").returncode == 0


def test_without_the_extra_the_whole_example_loads_without_it(tmp_path: Path) -> None:
    """And says what is not in it; with the extra it is there, and nothing is lacking."""
    file = tmp_path / "dnsbroker.toml"
    file.touch(0o600)
    load = f"from dnsbroker.config import Config\nprint(*Config.load({str(file)!r}, environment={{}}).providers)\n"
    there = "cloudflare lexicon powerdns rfc2136\n"
    for hidden, found in ((HIDDEN, there.replace("lexicon ", "")), ("import sys\n", there)):
        show = "from dnsbroker.cli import main\nsys.exit(main(['config', 'example', '--all']))"
        example = program(hidden + show).stdout
        assert ('# Not here is type = "lexicon", which needs more: pip install' in example) == (hidden == HIDDEN)
        file.write_text(example)
        done = program(hidden + load)
        assert (done.stdout, done.stderr) == (found, "")


def test_the_adapter_brings_dns_lexicon_only_when_it_acts() -> None:
    """Commands that list adapters import the class."""
    code = "import sys, dnsbroker_lexicon\nassert not {'lexicon', 'requests', 'tldextract'} & set(sys.modules)"
    assert program(code).returncode == 0
    assert program(code.replace("dnsbroker_lexicon", "lexicon")).returncode == 1
