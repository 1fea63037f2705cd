"""Moving in from the real certbot and the real dehydrated: the next renewal goes on with their accounts and keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from dnsbroker import keys
from lab.bind import ACME_KEY
from lab.processes import run, with_environment
from lab.rig import Lab
from lab.topology import Domain
from older_clients import fingerprint
from program import Program, Ran

Configured = Callable[..., Program]

#: One server, so that what these clients do not wait for is there at once.
ZONE = "old.test"


@dataclass(frozen=True)
class Updates:
    """A hook by which an older client changes the lab's BIND: ``command add|delete NAME VALUE``."""

    command: Path

    @classmethod
    def at(cls, lab: Lab, directory: Path) -> Updates:
        """The hook, with a key file beside it."""
        secret = lab.bind.secret_file.read_text().strip()
        key, hook = directory / "nsupdate.key", directory / "update"
        key.write_text(f'key "{ACME_KEY}" {{ algorithm hmac-sha256; secret "{secret}"; }};\n')
        hook.write_text(
            "#!/bin/sh\n"
            f'printf \'server {lab.bind.address}\\nupdate %s _acme-challenge.%s. 1 TXT "%s"\\nsend\\n\' "$@" |'
            f" nsupdate -k {key}\n"
        )
        hook.chmod(0o755)
        return cls(hook)


@pytest.fixture
def updates(lab: Lab, tmp_path: Path) -> Updates:
    """The zone, and the way in which the older clients write to it."""
    lab.create_zone(Domain(ZONE, "bind"))
    return Updates.at(lab, tmp_path)


def certbot(lab: Lab, home: Path, updates: Updates, *arguments: str) -> None:
    """Obtain a certificate with certbot, by its manual plugin."""
    places = [f"--{kind}-dir={home / kind}" for kind in ("config", "work", "logs")]
    account = ["-n", "--agree-tos", "--register-unsafely-without-email", "--server", lab.pebble.url]
    hooks = [
        word
        for kind, verb in (("auth", "add"), ("cleanup", "delete"))
        for word in (f"--manual-{kind}-hook", f"{updates.command} {verb} $CERTBOT_DOMAIN $CERTBOT_VALIDATION")
    ]
    words = ["certbot", "certonly", *account, *places, "--manual", "--preferred-challenges=dns", *hooks, *arguments]
    run(with_environment({"REQUESTS_CA_BUNDLE": str(lab.pebble.ca_file), "PYTHONPATH": ""}, words))


def dehydrated(lab: Lab, home: Path, updates: Updates, *lines: str) -> None:
    """Obtain the certificates of ``lines`` with dehydrated, by a hook script that notes what is deployed."""
    home.mkdir()
    hook = home / "hook.sh"
    hook.write_text(
        "#!/bin/sh\ncase $1 in\n"
        f"deploy_challenge) {updates.command} add $2 $4 ;;\n"
        f"clean_challenge) {updates.command} delete $2 $4 ;;\n"
        f"deploy_cert) cat $3 $5 >{updates.command.parent}/deployed-$2.pem ;;\nesac\n"
    )
    hook.chmod(0o755)
    settings = [f'CA="{lab.pebble.url}"', "CHALLENGETYPE=dns-01", 'HOOK="${BASEDIR}/hook.sh"', "KEYSIZE=2048"]
    settings += ["KEY_ALGO=prime256v1", "PRIVATE_KEY_RENEW=no", "CONTACT_EMAIL=hostmaster@example.org"]
    (home / "config").write_text("".join(f"{line}\n" for line in settings))
    (home / "domains.txt").write_text("".join(f"{line}\n" for line in lines))
    trust = {"CURL_CA_BUNDLE": str(lab.pebble.ca_file)}
    for words in (["--register", "--accept-terms"], ["--cron"]):
        run(with_environment(trust, ["dehydrated", "--config", home / "config", *words]))


def imported(dnsbroker: Program, home: Path) -> Ran:
    """Import ``home``, of which not a bit changes."""
    before = fingerprint(home)
    ran = dnsbroker("--json", "import", home).succeeded()
    assert fingerprint(home) == before
    return ran


def serials(ran: Ran) -> Mapping[str, str]:
    """The serial number of each certificate in a result."""
    return {item["name"]: item["serial"] for item in ran.result["certificates"]}


def key_of(live: Path) -> str:
    """The public half of a live key."""
    return keys.spki_sha256_of(keys.read_key((live / "privkey.pem").resolve()))


def test_certbot_s_certificates_are_renewed_by_its_account_and_keys(
    lab: Lab, program: Configured, updates: Updates, tmp_path: Path
) -> None:
    """The key that was to be used again is; the other is a new one; an elliptic and an RSA key stay what they are."""
    home = tmp_path / "certbot"
    certbot(lab, home, updates, "-d", ZONE, "-d", f"*.{ZONE}", "--reuse-key", "--deploy-hook", f"touch {tmp_path}/done")
    certbot(lab, home, updates, "-d", f"rsa.{ZONE}", "--key-type", "rsa", "--rsa-key-size", "2048")
    dnsbroker = program()
    before = imported(dnsbroker, home / "config").result
    (account,) = before["accounts"]
    assert account["url"].startswith("https://localhost:14000/my-account/")
    old = {name: key_of(home / "config" / "live" / name) for name in (ZONE, f"rsa.{ZONE}")}
    assert {name: key_of(dnsbroker.live(name)) for name in old} == old
    (tmp_path / "done").unlink()

    kept = dnsbroker("--json", "renew").succeeded().result
    assert [item["status"] for item in kept["certificates"]] == ["kept", "kept"]
    renewed = dnsbroker("--json", "renew", "--force").succeeded()
    assert {item["status"] for item in renewed.result["certificates"]} == {"issued"}
    assert renewed.named("account") == []
    assert not set(serials(renewed).values()) & {item["serial"] for item in before["certificates"]}
    assert key_of(dnsbroker.live(ZONE)) == old[ZONE]
    assert key_of(dnsbroker.live(f"rsa.{ZONE}")) != old[f"rsa.{ZONE}"]
    leaf = keys.describe((dnsbroker.live(f"rsa.{ZONE}") / "cert.pem").read_text())
    assert (leaf.key_type, leaf.names) == ("rsa2048", (f"rsa.{ZONE}",))
    assert (tmp_path / "done").exists()


def test_dehydrated_s_certificates_are_renewed_by_its_account_and_keys(
    lab: Lab, program: Configured, updates: Updates, tmp_path: Path
) -> None:
    """Into a configuration without a CA: dehydrated's is the default now. Its script goes on deploying."""
    home = tmp_path / "dehydrated"
    dehydrated(lab, home, updates, f"{ZONE} *.{ZONE} > wild")
    dnsbroker = program(None, {"acme": None})
    (account,) = imported(dnsbroker, home).result["accounts"]
    assert (account["name"], account["directory"]) == ("default", lab.pebble.url)
    place = dnsbroker.configuration
    place.write_text(place.read_text().replace("[acme]\n", f'[acme]\nca_bundle = "{lab.pebble.ca_file}"\n'))
    old = key_of(home / "certs" / "wild")
    deployed = tmp_path / f"deployed-{ZONE}.pem"
    deployed.unlink()

    renewed = dnsbroker("--json", "renew", "--force").succeeded()
    assert [item["status"] for item in renewed.result["certificates"]] == ["issued"]
    assert renewed.named("account") == []
    assert key_of(dnsbroker.live("wild")) == old
    assert deployed.read_text() == (dnsbroker.live("wild") / "combined.pem").read_text()
