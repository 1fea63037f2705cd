"""docs/tlsa-check.md: every word that a finding can have, as grave as it is, and the examples as they are printed."""

from __future__ import annotations

import tomllib

import pages
from dnsbroker.cli.tlsa_check import summed_up
from dnsbroker.config import Config
from dnsbroker.dane.believing import is_trusted
from dnsbroker.dane.checking import Checked, Owner, Report, cure
from dnsbroker.dane.faults import FAULTS
from dnsbroker.dane.served import Sight, findings
from dnsbroker.endpoints import parse
from dnsbroker.lookup.address import parse_address
from dnsbroker.lookup.validating import Standing
from dnsbroker.tlsa.computing import Presented
from dnsbroker.tlsa.objections import CHECKS
from dnsbroker.tlsa.records import Subject
from dnsbroker.tlsa.verifying import Verdict

PAGE = pages.text("docs/tlsa-check.md")
SOURCES = sorted((pages.ROOT / "dnsbroker" / "dane").glob("*.py"))
#: A finding of ``dnsbroker.checks``, which is passed on.
PASSED_ON = {"wildcard-shadowing": "error"}


def rows() -> dict[str, str]:
    """The severity of each word by the page."""
    return {word: row[1] for row in pages.rows(pages.section(PAGE, "## The words")) for word in pages.words(row[0])}


def test_every_word_has_its_row() -> None:
    """With its severity, and no row is without its word."""
    assert rows() == {word: str(fault.severity) for word, fault in FAULTS.items()} | PASSED_ON


def test_every_row_says_something() -> None:
    """What it means, in more than a word."""
    for row in pages.rows(pages.section(PAGE, "## The words")):
        assert len(row[2].split()) > 4, row


def test_every_word_can_be_found() -> None:
    """Some module finds it: by a literal, or by the like-named check of `tlsa compute`."""
    source = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES if path.name != "faults.py")
    assert [word for word in FAULTS if f'"{word}"' not in source and word not in CHECKS] == []


def test_the_example_is_what_is_printed() -> None:
    """Line by line, for a mail host with a key that no record names."""
    (block,) = pages.blocks(PAGE, "console")
    endpoint, name = parse("smtp://mail.example.org"), "_25._tcp.mail.example.org."
    accepted = Verdict(True, "3 1 1: it names the leaf's key")
    refused = Verdict(False, "3 1 1: the leaf has another key")
    sights = tuple(
        Sight("192.0.2.25", endpoint.host, algorithm, Presented(Subject(b"", b"")), verdict)
        for algorithm, verdict in (("ecdsa", accepted), ("rsa", refused))
    )
    found = findings(endpoint, sights, cure=cure(endpoint, is_configured=False))
    owner = Owner(name, Standing.SECURE, ("one", "two"))
    checked = Checked(endpoint, "example.org MX", (owner,), sights, found)
    told = summed_up(Report((checked,), ()), is_verbose=False).lines
    assert block.splitlines()[1:] == list(told)


def test_the_configuration_on_the_page_is_one() -> None:
    """With a resolver that is trusted by itself."""
    (block,) = pages.blocks(PAGE, "toml")
    dns = Config.from_dict(tomllib.loads(block)).dns
    assert is_trusted(dns, tuple(map(parse_address, dns.resolvers)))
