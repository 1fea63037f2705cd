from pathlib import Path

import pytest

from dnsbroker.config import CertificateConfig, Config
from dnsbroker.config.certificates import ad_hoc
from dnsbroker.errors import ConfigError
from dnsbroker.settings import Duration


def load(directory: Path, text: str, **files: str) -> Config:
    """The configuration ``text``; ``files`` stand in certificates.d, a key ``remembered_NAME`` below state_dir."""
    for name, content in files.items():
        place = "state/certificates" if name.startswith("remembered_") else "certificates.d"
        path = directory / place / f"{name.removeprefix('remembered_')}.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (directory / "c.toml").write_text('state_dir = "state"\n' + text)
    return Config.load(directory / "c.toml", environment={}, is_root=False)


def test_a_certificate_is_named_after_its_table_unless_it_says_its_names(tmp_path: Path) -> None:
    """The names come in canonical form, the certificate's own name as it is written."""
    config = load(
        tmp_path,
        '[certificates."example.org"]\n'
        '[certificates."Example.NET"]\n'
        '[certificates.mail]\nnames = ["Mail.Example.org.", "*.bücher.example"]\n',
    )
    assert config.certificates["example.org"].names == ("example.org",)
    assert config.certificates["Example.NET"].names == ("example.net",)
    assert config.certificates["mail"].names == ("mail.example.org", "*.xn--bcher-kva.example")
    assert not config.broken


def test_a_certificate_without_keys_has_the_defaults_of_the_reference(tmp_path: Path) -> None:
    """An empty table is enough."""
    certificate = load(tmp_path, '[certificates."example.org"]').certificates["example.org"]
    assert certificate == CertificateConfig(
        "example.org", ("example.org",), key_type="ecdsa-p256", key_rotation="renewal", owner="", group="", mode=0o600
    )


def test_defaults_hold_where_a_certificate_is_silent(tmp_path: Path) -> None:
    """What a certificate says itself comes first, an empty string too."""
    config = load(
        tmp_path,
        '[defaults]\nkey_type = "rsa4096"\ngroup = "ssl-cert"\nmode = "0640"\nkey_rotation = "180d"\n'
        '[certificates."a.example"]\n'
        '[certificates."b.example"]\nkey_type = "ecdsa-p384"\ngroup = ""\nkey_rotation = "never"\n',
        **{"c.example": 'mode = "0600"\n', "remembered_d.example": "owner = 'mail'\n"},
    )
    a, b, c, d = (config.certificates[f"{letter}.example"] for letter in "abcd")
    assert (a.key_type, a.group, a.mode, a.key_rotation) == ("rsa4096", "ssl-cert", 0o640, Duration(180 * 86400))
    assert (b.key_type, b.group, b.mode, b.key_rotation) == ("ecdsa-p384", "", 0o640, "never")
    assert (c.key_type, c.group, c.mode) == ("rsa4096", "ssl-cert", 0o600)
    assert (d.key_type, d.group, d.owner) == ("rsa4096", "ssl-cert", "mail")


def test_a_file_of_its_own_is_as_good_as_a_table(tmp_path: Path) -> None:
    """certificates.d/NAME.toml holds the keys alone; an empty file is a certificate for NAME."""
    config = load(tmp_path, "", **{"example.org": 'names = ["www.example.org"]', "example.net": ""})
    assert config.certificates["example.org"].names == ("www.example.org",)
    assert config.certificates["example.net"].names == ("example.net",)
    assert not config.certificates["example.org"].remembered


def test_other_files_beside_them_are_left_alone(tmp_path: Path) -> None:
    """Editors' and package managers' leavings are no certificates."""
    (tmp_path / "certificates.d").mkdir()
    for name in ("example.org.toml~", ".example.org.toml", "example.org.toml.dpkg-old", "README"):
        (tmp_path / "certificates.d" / name).write_text("not = [toml")
    config = load(tmp_path, "")
    assert not config.certificates
    assert not config.broken


def test_certificates_d_is_looked_for_beside_the_file_that_was_named(tmp_path: Path) -> None:
    """Not at the end of a link, and not where the program runs."""
    load(tmp_path / "real", "", **{"real.example": ""})
    load(tmp_path / "seen", "", **{"seen.example": ""})
    (tmp_path / "seen/c.toml").unlink()
    (tmp_path / "seen/c.toml").symlink_to(tmp_path / "real/c.toml")
    config = Config.load(tmp_path / "seen/c.toml", environment={}, is_root=False)
    assert list(config.certificates) == ["seen.example"]


def test_what_was_asked_for_by_name_is_remembered(tmp_path: Path) -> None:
    """state_dir/certificates/NAME.toml is read like a file of certificates.d."""
    config = load(tmp_path, "", remembered_c17='names = ["c17.example.org"]')
    assert config.certificates["c17"].names == ("c17.example.org",)
    assert config.certificates["c17"].remembered
    config = Config.from_dict({"state_dir": str(tmp_path / "state")})
    assert list(config.certificates) == ["c17"]


def test_the_configuration_wins_over_what_is_remembered(tmp_path: Path) -> None:
    """Whether it stands in a table or in a file, and however its name is spelt."""
    config = load(
        tmp_path,
        '[certificates."a.example"]\nmode = "0640"\n',
        **{
            "b.example": 'mode = "0640"',
            "remembered_A.example": "not = [toml",
            "remembered_a.example": 'mode = "0600"',
            "remembered_b.example": 'mode = "0600"',
        },
    )
    assert {name: each.mode for name, each in config.certificates.items()} == {"a.example": 0o640, "b.example": 0o640}
    assert not config.broken


BROKEN = [
    ('[certificates."e.example"]\nmood = 1', "e.example", "nearest known key is mode", "names, account"),
    ('[certificates."e.example"]\nnames = []', "e.example", "holds no name", "leave the key out"),
    ('[certificates."e.example"]\nnames = "e.example"', "e.example", "array of strings", '["e.example"]'),
    ('[certificates."e.example"]\nnames = ["a b.example"]', "e.example", "bad label", "correct the name"),
    ('[certificates."e.example"]\nnames = ["localhost"]', "e.example", "only one label", "correct the name"),
    ('[certificates."e.example"]\nnames = ["192.0.2.1"]', "e.example", "IP address", "correct the name"),
    ('[certificates."e.example"]\nnames = ["a.*.example"]', "e.example", "leftmost label", "correct the name"),
    ('[certificates."e.example"]\nnames = ["A.example", "a.example."]', "e.example", "a.example twice", "take one"),
    ('[certificates."e.example"]\nkey_type = "rsa"', "e.example", '"rsa2048"', "the nearest is"),
    ('[certificates."e.example"]\nmode = 600', "e.example", "octal digits", '"0640"'),
    ('[certificates."e.example"]\nzones = []', "e.example", "it belongs in [providers.NAME]", "zones"),
    ('[certificates."e.example"]\naccount = "x"', "e.example", "no account 'x'", "[accounts.x]"),
    ('[certificates."e.example"]\nprofile = "a"\npreferred_profile = "b"', "e.example", "beside profile", "keep one"),
    ('[certificates."e.example"]\nreload = ["rm -rf"]', "e.example", "no name of a unit", "deploy_hooks"),
    ('[certificates."e.example"]\nhook_timeout = 0', "e.example", "above zero", "10m"),
    ('[certificates."e.example"]\nverify = ["gopher://e.example"]', "e.example", "gopher", "https"),
    ('[certificates."e.example"]\ncopies = [1]', "e.example", "should be a table", "keys below"),
    ('[certificates."e.example"]\ncopies = "x"', "e.example", "should be tables", "[["),
    ('[certificates."e.example"]\ncopies = [{ owner = "x" }]', "e.example", "not where to", "for example to"),
    ('[certificates."e.example"]\ncopies = [{ to = "a", key = "b" }]', "e.example", "beside key", "not both"),
    ('[certificates."e.example"]\ncopies = [{ too = "a" }]', "e.example", "nearest known key is to", "fullchain"),
    (
        '[certificates."e.example"]\ncopies = [{ key = "a" }, { cert = "a" }]',
        "e.example",
        "a is where e.example is copied to already",
        "a place of its own",
    ),
    ('[certificates]\n"e.example" = 5', "e.example", "should be a table", '[certificates."e.example"]'),
    ("[certificates.c17]", "c17", "only one label", "names = ["),
    ("[certificates.e.example]", "e", "unknown table", '[certificates."e.example"]'),
    ('[certificates."*.e.example"]', "*.e.example", "a wildcard stands in names", '[certificates."example.org"]'),
    ('[certificates."../e"]', "../e", "no name for a certificate", "a directory's too"),
    ('[certificates."e/example"]', "e/example", "no name for a certificate", "a directory's too"),
    ('[certificates."."]', ".", "no name for a certificate", "a directory's too"),
    ('[certificates.".."]', "..", "no name for a certificate", "a directory's too"),
    ('[certificates.""]', "", "no name for a certificate", "a directory's too"),
    ('[certificates."-d"]', "-d", "no name for a certificate", "a directory's too"),
    ('[certificates.".e.example"]', ".e.example", "no name for a certificate", "a directory's too"),
    ('[certificates."e example"]', "e example", "no name for a certificate", "a directory's too"),
    ('[certificates."e\\n.example"]', "e\n.example", "no name for a certificate", "a directory's too"),
    ('[certificates."e\\u0000.example"]', "e\0.example", "no name for a certificate", "a directory's too"),
    (f'[certificates."{"e" * 250}"]', "e" * 250, "too long", "a directory's too"),
]


@pytest.mark.parametrize(("text", "name", "words", "hint"), BROKEN, ids=[repr(row[0])[:60] for row in BROKEN])
def test_an_error_inside_one_certificate_is_that_one_s(
    tmp_path: Path, text: str, name: str, words: str, hint: str
) -> None:
    """The others go on, and the error reads as any other: file, key, one line, a hint."""
    config = load(tmp_path, '[certificates."good.example"]\n' + text)
    assert list(config.certificates) == ["good.example"]
    assert list(config.broken) == [name]
    error = config.broken[name]
    assert str(error).startswith(f"{tmp_path / 'c.toml'}: ")
    assert "certificates." in error.key
    assert words in str(error)
    assert hint in error.hint
    assert "\n" not in str(error) + error.hint


def test_two_certificates_are_not_copied_to_one_place(tmp_path: Path) -> None:
    """As by a table that holds for all: each run would replace one by the other. Places of their own are fine."""
    shared = '[defaults]\ncopies = [{ to = "a" }]\n[certificates."a.example"]\n[certificates."b.example"]\n'
    config = load(tmp_path, shared + '[certificates."c.example"]\ncopies = [{ to = "c" }]')
    assert list(config.certificates) == ["a.example", "c.example"]
    assert "a is where a.example is copied to already" in config.broken["b.example"].message
    with pytest.raises(ConfigError, match=r"a is where a\.example is copied to already"):
        ad_hoc(config, ["d.example"])
    assert ad_hoc(config, ["a.example"])[0].name == "a.example"


@pytest.mark.parametrize(
    "place", ['to = "state/live/a.example"', 'cert = "x/../state/a.pem"', 'to = "state"', 'to = "link/x"']
)
def test_nothing_is_copied_into_our_own_state(tmp_path: Path, place: str) -> None:
    """A copy to `live` would put files where links are; a place of a name that begins alike is another one."""
    (tmp_path / "link").symlink_to(tmp_path / "state")
    text = f'[certificates."a.example"]\ncopies = [{{ {place} }}]\n[certificates."b.example"]\n'
    config = load(tmp_path, text + 'copies = [{ to = "states" }]')
    assert list(config.certificates) == ["b.example"]
    assert "is inside state_dir" in config.broken["a.example"].message
    assert "live/a.example itself" in config.broken["a.example"].hint
    everywhere = load(tmp_path, f"[defaults]\ncopies = [{{ {place} }}]")
    with pytest.raises(ConfigError, match="is inside state_dir"):
        ad_hoc(everywhere, ["a.example"])


@pytest.mark.parametrize("place", ["", "remembered_"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("names = [", "not TOML"),
        ("mood = 1", "mood: unknown key; the nearest known key is mode"),
        ('[certificates."e.example"]', "certificates: a file for one certificate has no such table"),
        ("agree_tos = true", "agree_tos: unknown key here; it belongs in [acme]"),
    ],
)
def test_an_error_in_a_certificate_s_own_file_names_that_file(
    tmp_path: Path, place: str, content: str, words: str
) -> None:
    """It too concerns this certificate alone."""
    config = load(tmp_path, "", **{"good.example": "", f"{place}e.example": content})
    assert list(config.certificates) == ["good.example"]
    error = config.broken["e.example"]
    directory = "state/certificates" if place else "certificates.d"
    assert error.path == str(tmp_path / directory / "e.example.toml")
    assert str(error).startswith(f"{error.path}: ")
    assert words in str(error)
    assert error.hint


def test_an_error_in_the_defaults_concerns_all(tmp_path: Path) -> None:
    """It stands outside the single certificates, even where each one says otherwise."""
    with pytest.raises(ConfigError, match=r"\[defaults\] mode"):
        load(tmp_path, '[defaults]\nmode = "abc"\n[certificates."a.example"]\nmode = "0600"\n')


def test_a_certificate_that_stands_in_two_places_is_broken(tmp_path: Path) -> None:
    """Nobody can tell which holds, so neither does; each is named beside the other."""
    config = load(tmp_path, '[certificates."a.example"]\n[certificates."b.example"]', **{"a.example": ""})
    assert list(config.certificates) == ["b.example"]
    assert "the same certificate stands in" in str(config.broken["a.example"])
    assert config.broken["a.example"].hint == "take one of them out"


def test_two_spellings_of_one_name_are_both_broken(tmp_path: Path) -> None:
    """Capitals, a final dot and Unicode make no second certificate, though they make a second directory."""
    config = load(
        tmp_path,
        '[certificates."a.example"]\n[certificates."A.example."]\n[certificates."bücher.example"]\n',
        **{"xn--bcher-kva.example": "", "good.example": ""},
    )
    assert list(config.certificates) == ["good.example"]
    assert set(config.broken) == {"a.example", "A.example.", "bücher.example", "xn--bcher-kva.example"}
    assert '[certificates."A.example."]' in str(config.broken["a.example"])
    assert "xn--bcher-kva.example.toml" in str(config.broken["bücher.example"])


def test_a_directory_that_cannot_be_listed_is_an_error_outside_the_certificates(tmp_path: Path) -> None:
    """Certificates that are not seen must not pass for none at all."""
    (tmp_path / "certificates.d").write_text("a file")
    with pytest.raises(ConfigError, match=r"certificates\.d: cannot be listed: not a directory") as caught:
        load(tmp_path, "")
    assert caught.value.hint.endswith(f"ls -ld {tmp_path}/certificates.d shows who may")


def test_the_directory_to_look_at_is_the_one_that_keeps_us_out(tmp_path: Path) -> None:
    """Of one below it, ``ls`` would say no more than we do."""
    (tmp_path / "state").write_text("what nobody can search, root neither")
    with pytest.raises(ConfigError, match="state/certificates: cannot be listed") as caught:
        load(tmp_path, "")
    assert caught.value.hint.endswith(f"ls -ld {tmp_path}/state shows who may")


def test_an_ad_hoc_certificate_is_named_after_the_first_name() -> None:
    """Less its wildcard, and under the configuration's defaults."""
    config = Config.from_dict({"defaults": {"mode": "0640"}})
    certificate, _ = ad_hoc(config, ["*.Example.org", "example.org"])
    assert certificate.name == "example.org"
    assert certificate.names == ("*.example.org", "example.org")
    assert certificate.mode == 0o640
    assert certificate.remembered
    assert ad_hoc(config, ["example.org"], name="c17")[0].name == "c17"


def test_an_ad_hoc_certificate_is_remembered_as_it_was_asked_for(tmp_path: Path) -> None:
    """The file holds what was asked for, read back it is the same, and later defaults hold for the rest."""
    settings = {"key_type": "rsa3072", "key_rotation": "180d"}
    certificate, text = ad_hoc(Config(), ["*.Bücher.example", "bücher.example"], name="c17", settings=settings)
    again = load(tmp_path, '[defaults]\nmode = "0640"\n', remembered_c17=text).certificates["c17"]
    assert (again.names, again.key_type, again.key_rotation) == (
        certificate.names,
        certificate.key_type,
        certificate.key_rotation,
    )
    assert (certificate.mode, again.mode) == (0o600, 0o640)


@pytest.mark.parametrize(
    ("names", "name", "settings", "words"),
    [
        ([], "", {}, "no name is given"),
        (["localhost"], "", {}, "only one label"),
        (["a.example", "A.example."], "", {}, "twice"),
        (["a.example"], "a/b", {}, "no name for a certificate"),
        (["a.example"], "*.a.example", {}, "a wildcard stands in names"),
        (["a.example"], "", {"key_type": "dsa"}, "ecdsa-p256"),
        (["a.example"], "", {"colour": "red"}, "unknown key"),
    ],
)
def test_an_ad_hoc_certificate_is_held_to_the_same_rules(
    names: list[str], name: str, settings: dict[str, object], words: str
) -> None:
    """What no file could hold is not remembered either."""
    with pytest.raises(ConfigError, match=words) as caught:
        ad_hoc(Config(), names, name=name, settings=settings)
    assert caught.value.hint
