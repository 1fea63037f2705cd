import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from dnsbroker.config import CertificateConfig, Config, DaneConfig, ProviderConfig
from dnsbroker.config.adapters import Adapters
from dnsbroker.config.durations import parse
from dnsbroker.config.example import example
from dnsbroker.config.load import SECTIONS
from dnsbroker.config.reference import entries
from dnsbroker.config.tables import key_names
from dnsbroker.errors import ConfigError
from dnsbroker.testing.memory import MemoryProvider

INSTALLED = tuple(Adapters())


def load(directory: Path, text: str) -> Config:
    """As after ``dnsbroker config example > FILE``, where only the CA's bundle is there already."""
    bundle = directory / "ca.pem"
    bundle.touch()
    path = directory / "c.toml"
    path.write_text(text.replace("/etc/dnsbroker/ca.pem", str(bundle)))
    return Config.load(path, environment={}, is_root=False)


@pytest.mark.parametrize("types", [(), ("powerdns",), ("rfc2136",), ("rfc2136", "powerdns"), ("rfc2136", "rfc2136")])
def test_the_shortest_example_loads_and_lacks_nothing(tmp_path: Path, types: tuple[str, ...]) -> None:
    """It has a provider of each type named, a wildcard certificate, and the CA's terms agreed to."""
    config = load(tmp_path, example(types))
    assert tuple(config.providers) == (tuple(dict.fromkeys(types)) or ("powerdns",))
    assert config.certificates["example.org"].names == ("example.org", "*.example.org")
    assert config.acme.agree_tos
    assert not config.broken


@pytest.mark.parametrize("type_", INSTALLED)
def test_nothing_can_be_taken_out_of_the_shortest_example(tmp_path: Path, type_: str) -> None:
    """Each line of a provider is one without which it does not load."""
    text = example([type_])
    provider = tomllib.loads(text)["providers"][type_]
    for key in provider:
        without = re.sub(rf"^{key} = .*\n", "", text, flags=re.MULTILINE)
        with pytest.raises(ConfigError, match=rf"\[providers.{type_}\] {key}: required key is missing"):
            load(tmp_path, without)


def uncommented(text: str) -> str:
    """The whole example with each of its values in force."""
    return re.sub(r"^#(?=[a-z_]+ = |\[\[)", "", text, flags=re.MULTILINE)


def test_the_whole_example_loads_as_it_is_and_with_every_key_in_force(tmp_path: Path) -> None:
    """What stands behind a # is right too."""
    text = example(is_whole=True)
    assert tuple(load(tmp_path, text).providers) == INSTALLED
    config = load(tmp_path, uncommented(text))
    assert config.secrets_group == "dnsbroker"
    assert config.providers["rfc2136"].zones == ("example.org.",)
    assert [one.certificate for one in config.dane] == [("example.org",)]
    assert not config.broken


def test_the_whole_example_has_every_key_of_every_adapter() -> None:
    """It is written from the keys themselves; this holds it to that."""
    tables = tomllib.loads(uncommented(example(is_whole=True)))
    assert set(key_names(Config)) <= set(tables)
    for name, cls in SECTIONS.items():
        assert tuple(tables[name]) == key_names(cls)
    for type_ in INSTALLED:
        settings: type[Any] = Adapters()[type_].Settings
        replacing = {each.name for each in entries(settings) if each.instead_of}
        wanted = dict.fromkeys(key_names(ProviderConfig, settings))
        assert set(tables["providers"][type_]) == set(wanted) - replacing
    (dane,) = tables["dane"]
    assert tuple(dane) == key_names(DaneConfig)
    keys = {*tables["defaults"], *tables["certificates"]["example.org"]}
    replacing = {each.name for each in entries(CertificateConfig) if each.instead_of}
    assert keys == set(key_names(CertificateConfig)) - replacing


def test_a_key_that_replaces_another_is_told_and_not_offered() -> None:
    """Both in force would be wrong, so taking away each # must not bring it in."""
    text = example(["cloudflare"], is_whole=True)
    assert "Instead of api_token:\n#   api_key = {" in text
    assert "api_key" not in tomllib.loads(uncommented(text))["providers"]["cloudflare"]
    assert "api_key" not in example(["cloudflare"])


def test_the_whole_example_has_the_ttl_that_each_adapter_holds_for_right() -> None:
    """A shorter one would not do everywhere."""
    tables = tomllib.loads(uncommented(example(is_whole=True)))["providers"]
    for type_ in INSTALLED:
        assert parse(tables[type_]["ttl"]) == Adapters()[type_].default_ttl


def test_the_whole_example_changes_nothing_that_was_not_asked_for(tmp_path: Path) -> None:
    """What is in force is what the shortest has; defaults are shown as defaults."""
    short = load(tmp_path, example(INSTALLED))
    whole = load(tmp_path, example(INSTALLED, is_whole=True))
    assert (whole.acme, whole.dns, whole.propagation) == (short.acme, short.dns, short.propagation)
    assert whole.certificates == short.certificates
    assert whole.defaults == {}
    assert whole.dane == short.dane == ()


def test_the_example_fits_a_terminal() -> None:
    """No line is longer than what people have beside each other."""
    assert max(map(len, example(is_whole=True).splitlines())) <= 100
    assert max(map(len, example(INSTALLED).splitlines())) <= 120


def test_a_type_that_is_not_installed_is_an_error_with_the_nearest() -> None:
    """And with all there are."""
    with pytest.raises(
        ConfigError, match="no adapter for type powrdns is installed; the nearest is powerdns"
    ) as caught:
        example(["powrdns"])
    assert ", ".join(INSTALLED) in caught.value.hint


def test_an_adapter_that_a_program_brings_has_its_example_too() -> None:
    """The same way as an installed one."""
    text = example(["memory"], adapters={"memory": MemoryProvider})
    assert tomllib.loads(text)["providers"]["memory"] == {"type": "memory", "service": ["example.org"]}
