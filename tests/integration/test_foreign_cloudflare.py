"""Strangers' ACME clients at the faithful Cloudflare: what they do with the real one works here, by their own calls."""

from __future__ import annotations

import ssl
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509 import DNSName, SubjectAlternativeName

from authority import Authority
from cloudflare import only
from cloudflare.delegated import Delegated
from cloudflare.nameserver import ADDRESSES
from dnsbroker import keys
from lab.processes import executable, look_until, with_environment
from lab.rig import Lab

HOST = "api.cloudflare.com"
LEXICON = Path(sys.executable).with_name("lexicon")
SECONDS = 60

#: lexicon asks for more zones a page than there can be, and every question has a body.
LEXICON_VIOLATES = {"query parameter per_page : 100 is greater than the maximum of 50", "there is a body"}

#: certbot asks for one zone a page; five are the least that the description allows.
CERTBOT_VIOLATES = "query parameter per_page : 1 is less than the minimum of 5"


def run(words: Sequence[str | Path], variables: Mapping[str, str]) -> None:
    """Run a client to its end, which must be success."""
    # Not our tree: certbot's library for this service has the name of our fake.
    command = with_environment({"PYTHONPATH": "", **variables}, words)
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def names_in(pem: Path) -> set[str]:
    """The names of the first certificate in a file."""
    leaf = x509.load_pem_x509_certificate(pem.read_bytes())
    return set(leaf.extensions.get_extension_for_class(SubjectAlternativeName).value.get_values_for_type(DNSName))


@pytest.fixture
def secured(lab: Lab, tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """TLS for the real service's host name, and a file with the trust that it takes."""
    authority, key_pem = Authority("cloudflare"), keys.generate("ecdsa-p256")
    listener, trust = tmp_path / "listener.pem", tmp_path / "trust.pem"
    listener.touch(mode=0o600)
    listener.write_text(key_pem + authority.issue(key_pem, [HOST]))
    trust.write_text(authority.root_pem + lab.pebble.ca_file.read_text())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(listener)
    return context, trust


def test_lexicon_writes_by_the_services_own_host_name(
    lab: Lab, secured: tuple[ssl.SSLContext, Path], tmp_path: Path
) -> None:
    """With the global key, over two pages of zones; what it writes is in DNS, written twice stands once, and goes."""
    (tls, trust), hosts = secured, tmp_path / "hosts"
    hosts.write_text(f"127.0.0.1 localhost\n{ADDRESSES[0]} {HOST}\n")
    name = "_acme-challenge.zzz.test"
    with Delegated(lab, address=ADDRESSES[0], port=443, tls=tls) as cloudflare:
        for number in range(50):
            cloudflare.add_zone(f"aaa{number}.test")
        zone, key = cloudflare.delegate("zzz.test"), cloudflare.add_key()

        def lexicon(action: str, value: str) -> None:
            words: list[str | Path] = [
                *("unshare", "--mount", "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$@"', "sh"),
                *(LEXICON, "cloudflare", action, zone.name, "TXT", f"--name={name}", f"--content={value}"),
                *(f"--auth-username={key.email}", f"--auth-token={key.key}"),
            ]
            run(words, {"REQUESTS_CA_BUNDLE": str(trust), "HOME": str(tmp_path)})

        for value in ("one", "two", "two"):
            lexicon("create", value)
        look_until(lambda: cloudflare.values(name) == {"one", "two"}, "both are served")
        lexicon("delete", "one")
        look_until(lambda: cloudflare.values(name) == {"two"}, "one is served no longer")
        assert [seen.query["page"] for seen in cloudflare.requests if seen.path == "/zones"][:2] == ["1", "2"]
        assert {violation.partition(": ")[2] for violation in cloudflare.forgive()} == LEXICON_VIOLATES


def test_certbot_issues_with_a_token_for_one_zone(lab: Lab, cloudflare: Delegated, tmp_path: Path) -> None:
    """It asks for the name itself first, is refused with code 0, and goes on to the zone."""
    zone = cloudflare.delegate("cloud.test")
    token = cloudflare.add_token(zone_read=only(zone), dns_edit=only(zone))
    credentials = tmp_path / "cloudflare.ini"
    credentials.touch(mode=0o600)
    credentials.write_text(f"dns_cloudflare_api_token = {token.secret}\n")
    words: list[str | Path] = [
        *(executable("certbot"), "certonly", "-n", "--agree-tos", "--register-unsafely-without-email"),
        *("--server", lab.pebble.url, *(f"--{kind}-dir={tmp_path / kind}" for kind in ("config", "work", "logs"))),
        *("--dns-cloudflare", f"--dns-cloudflare-credentials={credentials}", "--dns-cloudflare-propagation-seconds=1"),
        *("-d", f"www.{zone.name}"),
    ]
    run(words, {"REQUESTS_CA_BUNDLE": str(lab.pebble.ca_file), "CLOUDFLARE_API_URL": cloudflare.url})
    assert names_in(tmp_path / "config" / "live" / "www.cloud.test" / "cert.pem") == {"www.cloud.test"}
    assert [seen.status for seen in cloudflare.requests if seen.path == "/zones"][:2] == [403, 200]
    assert [seen.method for seen in cloudflare.changing] == ["POST", "DELETE"]
    assert cloudflare.see(zone, type="TXT") == []
    assert {violation.partition(": ")[2] for violation in cloudflare.forgive()} == {CERTBOT_VIOLATES}
