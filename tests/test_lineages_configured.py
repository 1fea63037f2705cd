"""The key lineage: what may stand beside it, and what may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnsbroker.config import CertificateConfig, Config
from dnsbroker.config.certificates import ad_hoc
from dnsbroker.config.check import check
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
    error = broken(tmp_path, table + place)
    assert f"is inside {tmp_path / 'live'}, which belongs to another client" in error.message
    assert error.key == '[certificates."a.test"] copies'
    assert not load(tmp_path, table + place.replace("live", "live2")).broken


@pytest.mark.parametrize(
    ("lineage", "place"),
    [
        ("le/live/a.test", "le/archive/a.test"),
        ("le/live/a.test", "le/live/other"),
        ("uacme/a.test", "uacme/private/a.test"),
    ],
)
def test_nor_to_where_the_client_keeps_its_files_beside_it(tmp_path: Path, lineage: str, place: str) -> None:
    """The links of certbot lead to its archive, and uacme's keys have a directory of their own."""
    table = '[certificates."a.test"]\nlineage = "{}"\ncopies = [{{ to = "{}" }}]\n'
    assert "belongs to another client" in broken(tmp_path, table.format(lineage, place)).message
    assert not load(tmp_path, table.format(lineage, "copies")).broken


@pytest.mark.parametrize("line", ["", 'key_typ = "x"\n'])
@pytest.mark.parametrize("is_first", [True, False])
def test_nor_to_that_of_another_certificate(tmp_path: Path, is_first: bool, line: str) -> None:
    """In either order, and be that one's table broken: at fault is who would write there."""
    tables = [f'[certificates.one]\nlineage = "certs/one"\n{line}', '[certificates.two]\nlineage = "certs/two"\n']
    tables[1] += 'copies = [{ fullchain = "certs/one/fullchain.pem" }]\n'
    config = load(tmp_path, "".join(tables if is_first else reversed(tables)))
    assert f"is inside {tmp_path / 'certs/one'}" in config.broken["two"].message
    assert list(config.certificates) == ([] if line else ["one"])
    assert not load(tmp_path, tables[1].replace("certs/one", "certs/three")).broken


def test_nor_is_a_certificate_of_the_moment_copied_there(tmp_path: Path) -> None:
    """It is refused before its order."""
    config = load(tmp_path, '[certificates.one]\nlineage = "certs/one"\n')
    settings = {"copies": [{"to": str(tmp_path / "certs/one")}]}
    with pytest.raises(ConfigError, match="belongs to another client"):
        ad_hoc(config, ["a.test"], settings=settings)
    assert ad_hoc(config, ["a.test"], settings={"copies": [{"to": str(tmp_path / "certs/two")}]})


def test_an_empty_lineage_is_none(tmp_path: Path) -> None:
    """As the reference writes its default; such a certificate is ordered here."""
    certificate = load(tmp_path, '[certificates."a.test"]\nlineage = ""\nmode = "0640"\n').certificates["a.test"]
    assert (certificate.lineage, certificate.names, certificate.mode) == (None, ("a.test",), 0o640)


def test_a_lineage_that_names_a_file_is_found_before_anything_is_done(tmp_path: Path) -> None:
    """It is the commonest slip; a directory that is not there yet is none."""
    (tmp_path / "fullchain.pem").touch()
    text = '[certificates."a.test"]\nlineage = "{}"\n'
    (error,) = check(load(tmp_path, text.format("fullchain.pem")))
    assert error.key == '[certificates."a.test"] lineage'
    assert "is a file" in error.message
    assert f"the directory that it is in: {tmp_path}" in error.hint
    assert check(load(tmp_path, text.format("missing"))) == []


# Broken tables


@pytest.mark.parametrize(
    "line", ['key_typ = "x"', 'names = ["a.test"]', 'verify = ["bogus"]', 'copies = [{ too = "x" }]']
)
def test_a_broken_table_keeps_its_lineage(tmp_path: Path, line: str) -> None:
    """For whoever is asked about that directory."""
    config = load(tmp_path, f'[certificates."a.test"]\nlineage = "live"\n{line}\n')
    (found,) = config.broken_lineages
    assert (found.name, found.path, found.error) == ("a.test", tmp_path / "live", config.broken["a.test"])


def test_so_do_all_that_claim_one_certificate_or_one_directory(tmp_path: Path) -> None:
    """By another file, or by another name."""
    (tmp_path / "certificates.d").mkdir()
    (tmp_path / "certificates.d/a.test.toml").write_text('lineage = "there"\n')
    (tmp_path / "certificates.d/b.test.toml").write_text("not = [toml")
    config = load(tmp_path, '[certificates."a.test"]\nlineage = "here"\n')
    assert [(found.name, found.path) for found in config.broken_lineages] == [
        ("a.test", tmp_path / "here"),
        ("a.test", tmp_path / "there"),
        ("b.test", None),
    ]
    config = load(tmp_path, '[certificates.one]\nlineage = "live"\n[certificates.two]\nlineage = "live"\n')
    assert [(found.name, found.path) for found in config.broken_lineages[-1:]] == [("two", tmp_path / "live")]


@pytest.mark.parametrize(
    ("text", "is_told"),
    [
        ('[certificates."a.test"]\nlineage = 5', True),
        ('[certificates."a.test"]\nlinage = "live"', True),
        ('[certificates.a.test]\nlineage = "live"', True),
        ('[certificates]\n"a.test" = 5', True),
        ('[certificates."a.test"]\nkey_type = "rsa"', False),
        ('[certificates."a.test"]\nlineage = ""\nkey_type = "rsa"', False),
    ],
)
def test_where_the_lineage_itself_cannot_be_read_that_is_kept(tmp_path: Path, text: str, is_told: bool) -> None:
    """But of none that is surely to be ordered here."""
    config = load(tmp_path, text)
    assert len(config.broken) == 1
    assert [found.path for found in config.broken_lineages] == ([None] if is_told else [])


def test_a_certificate_of_the_moment_has_none(tmp_path: Path) -> None:
    """It is ordered by its names."""
    with pytest.raises(ConfigError, match="names: stands beside lineage"):
        ad_hoc(load(tmp_path, ""), ["a.test"], settings={"lineage": LIVE})
