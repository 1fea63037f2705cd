"""``[[dane]]``: endpoints, whose certificates, which records; and each mistake at its own table and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnsbroker.config import Config, DaneConfig
from dnsbroker.config.dane import CHECKS
from dnsbroker.errors import ConfigError
from dnsbroker.settings import Duration
from dnsbroker.tlsa.computing import kinds
from dnsbroker.tlsa.objections import CHECKS as OF_TLSA

HEAD = '[certificates."example.test"]\n[certificates.rsa]\nnames = ["example.test"]\n'
MAIL = 'endpoint = "smtp://mail.example.test"\ncertificate = "example.test"\n'
DIGEST = "ab" * 32


def load(directory: Path, *tables: str, head: str = HEAD) -> Config:
    """A configuration with each of ``tables`` below a ``[[dane]]``."""
    path = directory / "c.toml"
    path.write_text(f'state_dir = "{directory}/state"\n' + head + "".join(f"[[dane]]\n{table}\n" for table in tables))
    return Config.load(path, environment={}, is_root=False)


def error(directory: Path, *tables: str, head: str = HEAD) -> ConfigError:
    """What is wrong with it."""
    with pytest.raises(ConfigError) as caught:
        load(directory, *tables, head=head)
    assert caught.value.path == str(directory / "c.toml")
    assert caught.value.hint
    return caught.value


def test_a_table_with_what_is_required_has_the_usual_rest(tmp_path: Path) -> None:
    """Records for the key and for the CA, an hour each to live and to wait."""
    (one,) = load(tmp_path, MAIL).dane
    assert one == DaneConfig(("smtp://mail.example.test",), ("example.test",))
    assert (one.records, one.ttl, one.min_wait, one.issuer) == (("3 1 1", "2 1 1"), 3600.0, 3600.0, "top")
    assert one.ta_pool == one.addresses == one.allow == ()
    assert one.connect == ""


def test_no_table_is_no_dane(tmp_path: Path) -> None:
    """Nor is an empty array."""
    assert load(tmp_path).dane == ()
    assert Config.from_dict({"dane": []}).dane == ()


def test_every_key_can_be_said(tmp_path: Path) -> None:
    """Each comes in its one form."""
    text = f"""
endpoint = ["SMTP://Mail.Example.Test.", "smtp://mail.example.test:25", "https://bücher.example.test/"]
certificate = ["example.test", "rsa", "Example.TEST."]
records = ["2  1 1", "3 1 1", "3 1 1 "]
ttl = "5m"
min_wait = 0
issuer = "both"
ta_pool = ["{DIGEST.upper()}", "{":".join(["ab"] * 32)}"]
addresses = ["192.0.2.25", "2001:DB8:0::25"]
connect = "[2001:DB8:0::25]:0025"
allow = ["pkix"]
"""
    assert load(tmp_path, text).dane == (
        DaneConfig(
            ("smtp://mail.example.test", "https://xn--bcher-kva.example.test"),
            ("example.test", "rsa"),
            ("2 1 1", "3 1 1"),
            Duration(300.0),
            Duration(0.0),
            "both",
            (DIGEST,),
            ("192.0.2.25", "2001:db8::25"),
            "[2001:db8::25]:25",
            ("pkix",),
        ),
    )


@pytest.mark.parametrize(
    ("connect", "door"),
    [
        ("", ""),
        ("127.0.0.1:25", "127.0.0.1:25"),
        ("[::1]:2525", "[::1]:2525"),
        ("Inside.Example.Test.:25", "inside.example.test:25"),
    ],
)
def test_where_to_reach_a_service_is_an_address_or_a_name_with_a_port(tmp_path: Path, connect: str, door: str) -> None:
    """Beside addresses too: those say who is meant, this where to look."""
    (one,) = load(tmp_path, f'{MAIL}connect = "{connect}"\naddresses = ["192.0.2.1"]').dane
    assert one.connect == door


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ('certificate = "rsa"', "endpoint", "required key is missing"),
        ('endpoint = "https://a.test"', "certificate", "required key is missing"),
        (MAIL.replace("smtp:", "smtpd:"), "endpoint", "scheme 'smtpd' is not known"),
        (MAIL.replace("smtp://", ""), "endpoint", "no scheme"),
        (MAIL.replace("mail", "*"), "endpoint", "wildcard"),
        (MAIL.replace("smtp", "tls"), "endpoint", "no usual port"),
        ('endpoint = []\ncertificate = "rsa"', "endpoint", "names nothing"),
        ('endpoint = 25\ncertificate = "rsa"', "endpoint", "should be an array of strings"),
        ('endpoint = "https://a.test"\ncertificate = ""', "certificate", "names nothing"),
        ('endpoint = "https://a.test"\ncertificate = []', "certificate", "names nothing"),
        ('endpoint = "https://a.test"\ncertificate = "exmple.test"', "certificate", "the nearest is example.test"),
        ('endpoint = "https://a.test"\ncertificate = ["rsa", "x.pem"]', "certificate", "no certificate 'x.pem'"),
        (f"{MAIL}records = []", "records", "names no kind"),
        (f'{MAIL}records = "3 1 1"', "records", "should be an array of strings"),
        (f'{MAIL}records = ["4 1 1"]', "records", "no kind of TLSA record"),
        (f'{MAIL}records = ["3 2 1"]', "records", "no kind of TLSA record"),
        (f'{MAIL}records = ["3 1 3"]', "records", "no kind of TLSA record"),
        (f'{MAIL}records = ["3 1"]', "records", "no kind of TLSA record"),
        (f"{MAIL}ttl = 0", "ttl", "a second or more"),
        (f"{MAIL}ttl = 1.5", "ttl", "whole seconds"),
        (f"{MAIL}min_wait = -1", "min_wait", "zero or more"),
        (f'{MAIL}issuer = "root"', "issuer", '"top" or "issuing" or "both"'),
        (f'{MAIL}ta_pool = ["abc"]', "ta_pool", "3 digits"),
        (f'{MAIL}ta_pool = [""]', "ta_pool", "empty digest"),
        (f'{MAIL}ta_pool = ["{DIGEST}00"]', "ta_pool", "66 digits"),
        (f'{MAIL}ta_pool = ["{"g" * 64}"]', "ta_pool", "no SHA-256"),
        (
            f'{MAIL}ta_pool = ["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]',
            "ta_pool",
            "digest of nothing",
        ),
        (f'{MAIL}records = ["3 1 1"]\nta_pool = ["{DIGEST}"]', "ta_pool", "none of records"),
        (f'{MAIL}addresses = ["mail.example.test"]', "addresses", "no address"),
        (f'{MAIL}addresses = ["192.0.2.1:25"]', "addresses", "no address"),
        (f'{MAIL}connect = "127.0.0.1"', "connect", "names no port"),
        (f'{MAIL}connect = "127.0.0.1:0"', "connect", "names no port"),
        (f'{MAIL}connect = "::1:25"', "connect", "no address with a port"),
        (f'{MAIL}connect = "[mail.test:1]:25"', "connect", "no address with a port"),
        (f'{MAIL}connect = ":25"', "connect", "':25'"),
        (f'{MAIL}connect = "a..b:25"', "connect", "'a..b:25'"),
        (f'{MAIL}allow = ["all"]', "allow", "no check that could be allowed"),
        (f'{MAIL}endpoints = "x"', "endpoints", "the nearest known key is endpoint"),
        (f'{MAIL}names = ["x"]', "names", "it belongs in [certificates.NAME]"),
    ],
)
def test_a_mistake_is_told_with_its_table_and_key(tmp_path: Path, text: str, key: str, words: str) -> None:
    """The second table is meant, whose number says so."""
    first = 'endpoint = "imaps://mail.example.test"\ncertificate = "example.test"'
    found = error(tmp_path, first, text)
    assert found.key == f"[[dane]] 2 {key}"
    assert words in str(found)


@pytest.mark.parametrize(
    ("raw", "words"), [({"endpoint": "x"}, "not a table"), ("x", 'not the string "x"'), (["x"], "not a string")]
)
def test_what_is_no_array_of_tables_is_told_how_to_be_one(raw: object, words: str) -> None:
    """One pair of brackets is the likeliest slip."""
    with pytest.raises(ConfigError, match=words) as caught:
        Config.from_dict({"dane": raw})
    assert "[[dane]]" in caught.value.hint or "[dane]" in caught.value.hint


def test_a_key_of_dane_elsewhere_is_told_where_it_belongs(tmp_path: Path) -> None:
    """As the keys of every other table."""
    assert "it belongs in [[dane]]" in str(error(tmp_path, head='[dns]\nendpoint = "https://a.test"\n'))


def test_the_kinds_are_those_that_can_be_computed(tmp_path: Path) -> None:
    """All of them, and the checks that may be allowed are those there are."""
    every = [f"{usage} {selector} {matching}" for usage in range(4) for selector in (0, 1) for matching in range(3)]
    (one,) = load(tmp_path, f"{MAIL}records = {every}\nallow = {list(OF_TLSA)}").dane
    assert one.records == tuple(every) == tuple(map(str, kinds(every)))
    assert sorted(CHECKS) == sorted(OF_TLSA)


# Whose key


def test_a_certificate_is_named_in_any_spelling(tmp_path: Path) -> None:
    """Capitals and a final dot make no difference, here as elsewhere."""
    (one,) = load(tmp_path, MAIL.replace('"example.test"', '["RSA", "Example.Test."]')).dane
    assert one.certificate == ("rsa", "example.test")


def test_a_certificate_that_is_broken_may_be_named(tmp_path: Path) -> None:
    """Its mistake is its own: what else is configured goes on."""
    head = HEAD.replace("[certificates.rsa]", '[certificates.rsa]\nkey_type = "rsa"')
    config = load(tmp_path, MAIL.replace('"example.test"', '["rsa", "example.test"]'), head=head)
    assert set(config.broken) == {"rsa"}
    assert config.dane[0].certificate == ("rsa", "example.test")


def test_a_certificate_in_a_file_of_its_own_may_be_named(tmp_path: Path) -> None:
    """Beside the main file, or remembered."""
    for name in ("certificates.d/own.test.toml", "state/certificates/adhoc.test.toml"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("")
    config = load(tmp_path, MAIL.replace('"example.test"', '["own.test", "adhoc.test"]'))
    assert config.dane[0].certificate == ("own.test", "adhoc.test")


def test_a_path_starts_from_the_file(tmp_path: Path) -> None:
    """It need not be there yet."""
    (one,) = load(tmp_path, MAIL.replace('"example.test"', '["./mail.pem", "/etc/tls/mail.pem", "sub/"]')).dane
    assert one.certificate == (str(tmp_path / "mail.pem"), "/etc/tls/mail.pem", str(tmp_path / "sub"))


def test_a_directory_that_a_certificate_has_as_lineage_is_that_certificate(tmp_path: Path) -> None:
    """By whatever path; it would be looked after twice otherwise. Also where its own table has a mistake."""
    (tmp_path / "letsencrypt/live/a.test").mkdir(parents=True)
    (tmp_path / "alias").symlink_to("letsencrypt/live/a.test")
    head = '[certificates.a]\nlineage = "letsencrypt/live/a.test"\n[certificates.b]\nlineage = "else"\nmode = "0600"\n'
    named = '["./alias", "a", "letsencrypt/live/a.test/", "./else", "letsencrypt/live/c.test"]'
    config = load(tmp_path, MAIL.replace('"example.test"', named), head=head)
    assert set(config.broken) == {"b"}
    assert config.dane[0].certificate == ("a", "b", str(tmp_path / "letsencrypt/live/c.test"))


def test_what_is_ours_is_named_and_not_shown_the_way_to(tmp_path: Path) -> None:
    """Of a file below state_dir no next key would be known, and the next renewal would break its records."""
    found = error(tmp_path, MAIL.replace('"example.test"', '"state/live/example.test/fullchain.pem"'))
    assert "is inside state_dir" in str(found)
    assert "the certificate's name" in found.hint


# Tables that add up


def test_tables_for_one_endpoint_add_up(tmp_path: Path) -> None:
    """Two machines behind one name, each with its own certificate; other endpoints have other ways."""
    config = load(
        tmp_path,
        f'{MAIL}addresses = ["192.0.2.1"]\nttl = "5m"',
        'endpoint = "smtp://mail.example.test"\ncertificate = "rsa"\naddresses = ["192.0.2.2"]\nttl = 300',
        'endpoint = "imaps://mail.example.test"\ncertificate = "rsa"\nttl = "1d"\nconnect = "127.0.0.1:993"',
    )
    assert [one.addresses for one in config.dane] == [("192.0.2.1",), ("192.0.2.2",), ()]


@pytest.mark.parametrize(
    ("first", "second", "key", "words"),
    [
        ("ttl = 60", "", "ttl", "1h, not 1m"),
        ('min_wait = "2h"', 'min_wait = "1d"', "min_wait", "1d, not 2h"),
        ('issuer = "both"', "", "issuer", "top, not both"),
        ("", 'connect = "127.0.0.1:25"', "connect", "127.0.0.1:25, not none"),
    ],
)
def test_tables_for_one_endpoint_agree(tmp_path: Path, first: str, second: str, key: str, words: str) -> None:
    """On what an RRset, or a service, has but one of."""
    other = 'endpoint = ["https://a.test", "SMTP://mail.example.test"]\ncertificate = "rsa"\n'
    found = error(tmp_path, MAIL + first, other + second)
    assert found.key == f"[[dane]] 2 {key}"
    assert f"differs from [[dane]] 1 for smtp://mail.example.test: {words}" in str(found)


def test_two_schemes_at_one_port_have_one_rrset(tmp_path: Path) -> None:
    """So its TTL cannot be two; whither to connect may be."""
    other = 'endpoint = "tls://mail.example.test:25"\ncertificate = "rsa"\n'
    load(tmp_path, MAIL, f'{other}connect = "127.0.0.1:26"')
    assert error(tmp_path, MAIL, f"{other}ttl = 60").key == "[[dane]] 2 ttl"
