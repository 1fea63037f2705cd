"""Holds docs/configuration.md against the program; a failure prints the rows that the page should have."""

import re
from pathlib import Path
from typing import Any

import pytest

from dnsbroker.config import CertificateConfig, Config, CopyConfig, DaneConfig, ProviderConfig
from dnsbroker.config.adapters import Adapters
from dnsbroker.config.directories import KNOWN_DIRECTORIES
from dnsbroker.config.load import SECTIONS
from dnsbroker.config.reference import entries
from dnsbroker.errors import ConfigError

PAGE = (Path(__file__).parent.parent / "docs/configuration.md").read_text()


def adapter_settings(type_: str) -> type[Any]:
    """The keys of an installed adapter."""
    found: type[Any] = Adapters()[type_].Settings
    return found


TABLES: dict[str, type[Any]] = {
    "## The top of the file": Config,
    **{f"## [{name}]": cls for name, cls in SECTIONS.items()},
    "## [providers.NAME]": ProviderConfig,
    **{f'### type = "{type_}"': adapter_settings(type_) for type_ in Adapters()},
    "## [certificates.NAME]": CertificateConfig,
    "## [[certificates.NAME.copies]]": CopyConfig,
    "## [[dane]]": DaneConfig,
}


def section(header: str) -> str:
    """What stands below ``header``, up to the next one."""
    found = re.search(rf"^{re.escape(header)}\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/configuration.md lacks the header {header}"
    return found[1]


@pytest.mark.parametrize("header", TABLES)
def test_the_reference_has_every_key_and_no_other(header: str) -> None:
    """With its type, its default and its sentence, in the program's own words and order."""
    wanted = [each.row() for each in entries(TABLES[header])]
    found = [line for line in section(header).splitlines() if re.match(r"\| `[a-z_]+` \| [a-z ]+ \|", line)]
    assert found == wanted, "\n".join(["the rows should be:", *wanted])


def test_the_reference_has_no_other_table() -> None:
    """A table that the program does not know must not be promised."""
    headers = re.findall(r"^##+ (?:\[.*|type = .*)$", PAGE, re.MULTILINE)
    assert sorted(headers) == sorted(
        [*(each for each in TABLES if "top" not in each), "## [accounts.NAME]", "## [defaults]"]
    )


def test_the_reference_has_every_ca_that_is_known_by_name() -> None:
    """With the URL that is really used."""
    for name, url in KNOWN_DIRECTORIES.items():
        assert f"| `{name}` | <{url}> |" in section("## [acme]")


def test_the_reference_has_each_adapter_s_ttl() -> None:
    """The one default that is not in the table."""
    for type_ in Adapters():
        assert f'`ttl` is `"{Adapters()[type_].default_ttl:g}s"` by default' in section(f'### type = "{type_}"')


@pytest.mark.parametrize("example", re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
def test_each_example_loads(tmp_path: Path, example: str) -> None:
    """As it stands on the page."""
    (tmp_path / "c.toml").write_text(example)
    config = Config.load(tmp_path / "c.toml", environment={}, is_root=False)
    assert not config.broken


@pytest.mark.parametrize(
    ("example", "shown"),
    re.findall(r"^```toml error\n(.*?)^```$.*?^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL),
)
def test_each_error_shown_is_the_one_that_comes(tmp_path: Path, example: str, shown: str) -> None:
    """Word for word; only the path is the page's."""
    path = tmp_path / "c.toml"
    path.write_text(example)
    path.chmod(0o644)
    try:
        (error,) = Config.load(path, environment={}, is_root=False).broken.values()
    except ConfigError as raised:
        error = raised
    printed = f"error: {error}\nhint: {error.hint}\n"
    assert printed.replace(str(path), "/etc/dnsbroker/dnsbroker.toml") == shown
