"""docs/tlsa-guard.md: ports, time, words and recipe, held to the code."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pages
from authority import Authority
from dnsbroker import guarding, keys
from dnsbroker.endpoints import parse
from dnsbroker.guarding import Guarded, covered, covers
from dnsbroker.tlsa.records import subjects

PAGE = pages.text("docs/tlsa-guard.md")


def test_the_ports_and_the_time_are_those_of_the_code() -> None:
    """No number stands on the page alone."""
    ports = re.search(r"Ports (\d+) and (\d+)", PAGE)
    assert ports is not None
    assert [int(port) for port in ports.groups()] == list(guarding._USUAL.values())
    assert f"no longer than {guarding.ALL:g} s" in PAGE


def test_the_message_is_the_one_that_is_told() -> None:
    """With what stands for the digest in its place."""
    (message,) = pages.blocks(PAGE, "text")
    record = "3 1 1 HEX"
    told = Guarded("_25._tcp.mail.example.org.", "smtp://mail.example.org", (record,), (record,))
    assert message == f"{told}\n"


def test_the_endpoints_shown_are_some() -> None:
    """Each can be written into ``verify``."""
    shown = [word for word in pages.words(PAGE) if "://" in word]
    assert shown
    assert [str(parse(word)) for word in shown] == shown


def test_what_the_page_says_of_wildcards_is_so() -> None:
    """One label, and no more."""
    hosts = ("mail.example.org.", "example.org.", "a.mail.example.org.")
    assert [covers(["*.example.org"], host) for host in hosts] == [True, False, False]


def test_the_recipe_gives_the_record_of_the_key(tmp_path: Path) -> None:
    """As it stands on the page; a certificate for the key is covered by it."""
    (recipe,) = pages.blocks(PAGE, "sh")
    key = keys.generate("ecdsa-p256")
    (tmp_path / "new.pem").write_text(key)
    done = subprocess.run(["sh", "-ec", recipe], cwd=tmp_path, capture_output=True, text=True, check=True)
    digest = done.stdout.split()[0]
    assert covered([f"3 1 1 {digest}"], subjects(Authority().issue(key, ["example.org"])))
