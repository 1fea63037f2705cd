"""docs/dehydrated.md holds together: what it configures loads, and its tables are those of the programs."""

from __future__ import annotations

from pathlib import Path

import pages
from dnsbroker.config import Config

PAGE = pages.text("docs/dehydrated.md")
#: The variables that pdns_api.sh reads, and what else of it is in people's configurations.
OLDER = {
    *("PDNS_HOST", "PDNS_PORT", "PDNS_KEY", "PDNS_SERVER", "PDNS_VERSION", "PDNS_ZONES_TXT", "PDNS_WAIT"),
    *("PDNS_NO_NOTIFY", "PDNS_SUFFIX", "PDNS_CURL_OPTS", "PDNS_DEPLOY_CERT_HOOK", "PDNS_EXIT_HOOK"),
    *("CURL_OPTS", "HOOK_CHAIN", "zones.txt", "pdns_api.sh soa_edit ZONE"),
}


def test_its_configuration_loads(tmp_path: Path) -> None:
    """As it stands on the page, nothing of it being in doubt."""
    (tmp_path / "dnsbroker.toml").write_text("".join(pages.blocks(PAGE, "toml")))
    config = Config.load(tmp_path / "dnsbroker.toml", environment={}, is_root=True)
    assert not config.broken
    assert set(config.certificates) == {"example.org", "wild"}
    assert [table.certificate for table in config.dane] == [("example.org",)]


def test_every_setting_of_the_older_hook_has_its_row() -> None:
    """And what stands beside it is known here."""
    rows = pages.rows(pages.section(PAGE, "## Coming from pdns_api.sh"))
    assert {word for row in rows for word in pages.words(row[0])} == OLDER
    reference = pages.text("docs/configuration.md")
    keys = [word.partition(" = ")[0] for row in rows for word in pages.words(row[1])]
    keys = [key for key in keys if key.isidentifier()]
    assert len(keys) > 8
    assert [key for key in keys if f"| `{key}` |" not in reference and key != "lineage"] == []
