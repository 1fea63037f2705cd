"""The key lineage: what may stand beside it, and what may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnsbroker.config import CertificateConfig, Config
from dnsbroker.config.certificates import ad_hoc
from dnsbroker.errors import ConfigError

LIVE = "/etc/letsencrypt/live/a.test"
TABLE = f'[certificates."a.test"]\nlineage = "{LIVE}"\n'


def load(directory: Path, text: str) -> Config:
    """The configuration ``text``, from a file in ``directory``."""
    (directory / "c.toml").write_text(f'state_dir = "state"\n{text}')
    return Config.load(directory / "c.toml", environment={}, is_root=False)


def broken(directory: Path, text: str, name: str = "a.test") -> ConfigError:
    """What is wrong with the certificate ``name``, and with no other."""
    config = load(directory, text)
    assert list(config.broken) == [name]
    return config.broken[name]


def test_a_lineage_needs_no_names(tmp_path: Path) -> None:
    """They are in the certificate; so NAME need be none that a CA would take."""
    config = load(tmp_path, f'[certificates.mail_server]\nlineage = "{LIVE}"\nreload = ["postfix"]\n')
    assert config.certificates["mail_server"] == CertificateConfig(
        "mail_server", lineage=Path(LIVE), reload=("postfix",)
    )


def test_without_lineage_such_a_name_is_an_error(tmp_path: Path) -> None:
    """The twin."""
    assert "required key is missing" in broken(tmp_path, "[certificates.mail_server]\n", "mail_server").message


def test_a_relative_path_starts_from_the_file(tmp_path: Path) -> None:
    """As every other path."""
    config = load(tmp_path, '[certificates."a.test"]\nlineage = "certs/*.a.test"\n')
    assert config.certificates["a.test"].lineage == tmp_path / "certs/*.a.test"


@pytest.mark.parametrize(
    "line",
    [
        'names = ["a.test"]',
        'account = "default"',
        'key_type = "rsa2048"',
        'key_rotation = "never"',
        "allow = []",
        'profile = "shortlived"',
        'preferred_profile = "shortlived"',
        'preferred_chain = "Root"',
        'owner = "root"',
        'group = "ssl-cert"',
        'mode = "0640"',
        'pre_hooks = ["true"]',
    ],
)
def test_what_only_an_order_needs_is_an_error_beside_it(tmp_path: Path, line: str) -> None:
    """It names the key; in [defaults] the same is meant for others."""
    key = line.partition(" ")[0]
    error = broken(tmp_path, f"{TABLE}{line}\n")
    assert error.key == f'[certificates."a.test"] {key}'
    assert "stands beside lineage" in error.message
    assert error.hint.startswith(f"take {key} out")
    if key != "names":
        config = load(tmp_path, f"[defaults]\n{line}\n{TABLE}")
        assert config.certificates["a.test"] == CertificateConfig("a.test", lineage=Path(LIVE))


def test_what_concerns_deployment_may_stand_beside_it(tmp_path: Path) -> None:
    """And comes from [defaults] as for every other certificate."""
    text = (
        f'[defaults]\nreload = ["nginx"]\n{TABLE}tlsa_guard = false\ndeploy_hooks = ["true"]\npost_hooks = ["true"]\n'
    )
    certificate = load(tmp_path, f'{text}verify = ["https://a.test"]\nhook_timeout = "1m"\n').certificates["a.test"]
    assert (certificate.reload, certificate.deploy_hooks, certificate.post_hooks) == (("nginx",), ("true",), ("true",))
    assert (certificate.tlsa_guard, certificate.hook_timeout) == (False, 60.0)
    copies = f'{TABLE}[[certificates."a.test".copies]]\nto = "copies"\nowner = "root"\nmode = "0640"\n'
    assert load(tmp_path, copies).certificates["a.test"].copies[0].mode == 0o640


def test_two_certificates_have_no_lineage_in_common(tmp_path: Path) -> None:
    """By whatever path; one for each is right."""
    (tmp_path / "live").mkdir()
    (tmp_path / "link").symlink_to("live")
    text = '[certificates.one]\nlineage = "live"\n[certificates.two]\nlineage = "{}"\n'
    error = broken(tmp_path, text.format("link"), "two")
    assert "belongs to one already" in error.message
    assert error.key == "[certificates.two] lineage"
    assert len(load(tmp_path, text.format("other")).certificates) == 2


def test_a_lineage_is_nobody_s_default(tmp_path: Path) -> None:
    """It is one certificate's."""
    with pytest.raises(
        ConfigError, match=r"\[defaults\] lineage: unknown key here; it belongs in \[certificates.NAME\]"
    ):
        load(tmp_path, f'[defaults]\nlineage = "{LIVE}"\n')


def test_our_own_directory_is_no_other_client_s(tmp_path: Path) -> None:
    """What stands there is ordered here."""
    error = broken(tmp_path, '[certificates."a.test"]\nlineage = "state/live/a.test"\n')
    assert "is inside state_dir" in error.message


@pytest.mark.parametrize("place", ['to = "live/copies"', 'to = "live"', 'combined = "live/combined.pem"'])
def test_nothing_is_copied_into_the_client_s_directory(tmp_path: Path, place: str) -> None:
    """It is not ours to write to."""
    table = '[certificates."a.test"]\nlineage = "live"\n[[certificates."a.test".copies]]\n'
    assert "is inside lineage" in broken(tmp_path, table + place).message
    assert not load(tmp_path, table + place.replace("live", "live2")).broken


def test_a_certificate_of_the_moment_has_none(tmp_path: Path) -> None:
    """It is ordered by its names."""
    with pytest.raises(ConfigError, match="names: stands beside lineage"):
        ad_hoc(load(tmp_path, ""), ["a.test"], settings={"lineage": LIVE})
