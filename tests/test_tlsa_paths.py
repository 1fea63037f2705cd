"""The way from a leaf to the CA that a TLSA record of usage 2 names."""

from __future__ import annotations

import subprocess
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from certified import NOW, Certified, certified, key
from dnsbroker.tlsa.verifying import verify

HOST = "mail.example.org"
ROOT = certified("root")
ISSUING = certified("issuing", ROOT)
LEAF = certified("", ISSUING, authority=False, names=[HOST])
OTHER = certified("other", ROOT)


def usage(kind: str) -> x509.KeyUsage:
    """Key usage of one kind alone."""
    kinds = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    more = ("key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{each: each == kind for each in (*kinds, *more)})


def path_of(*below: Certified) -> str:
    """The verdict's words on a chain, leaf first, whose last is the anchor."""
    return under([below[-1].tlsa("2 1 1")], "".join(each.pem for each in below))


def under(records: list[str], chain: str) -> str:
    """The verdict's words on ``chain`` under records of the kind 2 1 1."""
    verdict = verify(chain, HOST, records, now=NOW)
    return "accepted" if verdict.accepted else verdict.why.removeprefix("2 1 1: ")


def leaf_by(issuer: Certified) -> Certified:
    """For HOST."""
    return certified("", issuer, authority=False, names=[HOST])


CONSTRAINED = {
    "permitted": ([x509.DNSName("example.org")], None, True),
    "permitted below": ([x509.DNSName(".example.org")], None, True),
    "not permitted": ([x509.DNSName("example.com")], None, False),
    "not permitted by half a label": ([x509.DNSName("ample.org")], None, False),
    "excluded": (None, [x509.DNSName("example.org")], False),
    "not excluded": (None, [x509.DNSName("example.com")], True),
    "excluded from what is permitted": ([x509.DNSName("org")], [x509.DNSName(HOST)], False),
    "not permitted itself": ([x509.DNSName(f".{HOST}")], None, False),
    "permitted with all": ([x509.DNSName("")], None, True),
    "excluded with all": (None, [x509.DNSName("")], False),
    "of another kind": ([x509.RFC822Name("example.com")], None, True),
}


@pytest.mark.parametrize("case", CONSTRAINED)
def test_name_constraints_of_a_ca_hold(case: str) -> None:
    """Of every CA on the way; RFC 5280 section 4.2.1.10."""
    permitted, excluded, is_good = CONSTRAINED[case]
    limited = certified("limited", ROOT, extensions=[(x509.NameConstraints(permitted, excluded), True)])
    below = certified("below", limited)
    wanted = "accepted" if is_good else f"'limited' may not have '{HOST}' below it"
    assert path_of(leaf_by(limited), limited) == wanted
    assert path_of(leaf_by(below), below, limited, ROOT) == wanted


def test_constraints_on_names_of_other_kinds_hold_too() -> None:
    """Subjects by their beginning; common names like DNS names where those are missing; and what is not compared."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x.example.org")])
    tree = x509.NameConstraints([x509.DirectoryName(subject)], None)
    limited = certified("limited", ROOT, extensions=[(tree, True)])
    assert path_of(leaf_by(limited), limited) == "accepted"
    strange = certified("y.example.org", limited, authority=False, names=[HOST])
    assert path_of(strange, limited) == "'limited' may not have 'CN=y.example.org' below it"
    dns = x509.NameConstraints(None, [x509.DNSName("example.org")])
    limited = certified("limited", ROOT, extensions=[(dns, True)])
    assert path_of(certified(HOST, limited, authority=False), limited) == f"'limited' may not have '{HOST}' below it"


def test_constraints_that_cannot_be_compared_forbid() -> None:
    """Where a name of their kind stands at all, whether they permit or exclude."""
    address = x509.SubjectAlternativeName([x509.DNSName(HOST), x509.RFC822Name("a@example.org")])
    tree = [x509.RFC822Name("example.org")]
    for constraint in (x509.NameConstraints(tree, None), x509.NameConstraints(None, tree)):
        limited = certified("limited", ROOT, extensions=[(constraint, True)])
        leaf = certified("", limited, authority=False, extensions=[address])
        assert path_of(leaf, limited) == "'limited' may not have 'a@example.org' below it"
        assert path_of(leaf_by(limited), limited) == "accepted"


def test_a_ca_that_issued_itself_anew_is_not_constrained_by_itself() -> None:
    """RFC 5280 section 6.1.3; a leaf is in any case."""
    elsewhere = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "elsewhere")])
    tree = x509.NameConstraints([x509.DirectoryName(elsewhere)], None)
    limited = certified("limited", extensions=[(tree, True)])
    renewed = certified("limited", limited)
    assert path_of(leaf_by(renewed), renewed, limited) == "accepted"
    assert path_of(certified("limited", limited, authority=False, names=[HOST]), limited) != "accepted"


@pytest.mark.parametrize(("tree", "is_good"), [("192.0.2.0/24", True), ("198.51.100.0/24", False), ("::/0", False)])
def test_constraints_on_addresses_hold(tree: str, is_good: bool) -> None:
    """An address of the other family is not permitted either."""
    constraint = x509.NameConstraints([x509.IPAddress(ip_network(tree))], None)
    limited = certified("limited", ROOT, extensions=[(constraint, True)])
    names = x509.SubjectAlternativeName([x509.DNSName(HOST), x509.IPAddress(ip_address("192.0.2.1"))])
    leaf = certified("", limited, authority=False, extensions=[names])
    assert path_of(leaf, limited) == ("accepted" if is_good else "'limited' may not have '192.0.2.1' below it")


def test_what_is_no_ca_signs_nothing() -> None:
    """Neither without basicConstraints, nor without the right to sign certificates."""
    for kwargs in ({"authority": False}, {"authority": None}, {"extensions": [usage("crl_sign")]}):
        middle = certified("middle", ROOT, **kwargs)
        wanted = "'middle' is not a CA that may sign certificates"
        assert path_of(leaf_by(middle), middle, ROOT) == wanted
        assert path_of(leaf_by(middle), middle) == wanted
    good = certified("good", ROOT, extensions=[usage("key_cert_sign")])
    assert path_of(leaf_by(good), good, ROOT) == "accepted"


def test_a_private_ca_need_not_be_of_the_web() -> None:
    """Constraints that are not critical, no identifiers of keys, another algorithm."""
    root = certified("private", is_critical=False, own_key=ed25519.Ed25519PrivateKey.generate())
    assert path_of(leaf_by(root), root) == "accepted"


def test_a_path_is_no_longer_than_its_cas_allow() -> None:
    """CAs that are their own issuers by name are not counted (RFC 5280 section 6.1.4)."""
    for length, is_good in ((0, False), (1, True), (2, True)):
        root = certified("root", path_length=length)
        renewed = certified("root", root)
        middle = certified("middle", renewed)
        wanted = "accepted" if is_good else "'root' allows 0 CAs below it, and there are 1"
        assert path_of(leaf_by(middle), middle, renewed, root) == wanted
        assert path_of(leaf_by(root), root) == "accepted"


def test_expired_cas_are_refused_or_gone_around() -> None:
    """The anchor too; another certificate of the same CA is a way around."""
    old = certified("middle", ROOT, days=(-30, -1))
    leaf = leaf_by(old)
    assert path_of(leaf, old, ROOT) == path_of(leaf, old) == "'middle' expired on 2026-11-20"
    new = certified("middle", ROOT, own_key=old.key)
    assert path_of(leaf, old, new, ROOT) == "accepted"
    assert path_of(leaf, new, old, ROOT) == "accepted"
    none = certified("middle", ROOT, own_key=old.key, authority=False)
    assert path_of(leaf, none, new, ROOT) == "accepted"


def test_a_critical_extension_that_nobody_knows_is_refused() -> None:
    """One that is not critical is not (RFC 5280 section 4.2)."""
    strange = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    middle = certified("middle", ROOT, extensions=[(strange, True)])
    wanted = "'middle' has a critical extension that is not understood: 1.2.3.4"
    assert path_of(leaf_by(middle), middle, ROOT) == wanted
    middle = certified("middle", ROOT, extensions=[(strange, False)])
    assert path_of(leaf_by(middle), middle, ROOT) == "accepted"


def test_a_signature_that_nobody_believes_is_refused(tmp_path: Path) -> None:
    """Over SHA-1; but the anchor's own, which nobody looks at. It is openssl that still makes such."""
    own = key()
    identified = x509.SubjectKeyIdentifier.from_public_key(own.public_key())
    root = certified("root", days=(-9000, 9000), own_key=own, extensions=[identified])
    weak_key = certified("weak").key_pem
    files = {"root.pem": root.pem, "root.key": root.key_pem, "weak.key": weak_key}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    command = ["openssl", "req", "-x509", "-new", "-sha1", "-key", "weak.key", "-subj", "/CN=weak"]
    command += ["-CA", "root.pem", "-CAkey", "root.key"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    signer = load_pem_private_key(weak_key.encode(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    weak = Certified(x509.load_pem_x509_certificate(done.stdout.encode()), signer)
    leaf = certified("", weak, authority=False, names=[HOST], days=(-9000, 9000))
    chain = leaf.pem + weak.pem + root.pem
    why = "2 1 1: no path of signatures leads from 'mail.example.org' to 'root'"
    assert verify(chain, HOST, [root.tlsa("2 1 1")]).why == why
    assert verify(chain, HOST, [weak.tlsa("2 1 1")]).accepted


def test_a_name_alone_makes_no_issuer() -> None:
    """It has to have signed."""
    forged = certified("issuing", ROOT)
    wanted = "no path of signatures leads from 'mail.example.org' to 'issuing'"
    assert path_of(LEAF, forged) == wanted


def test_what_a_stranger_s_certificate_says_is_fit_to_be_shown() -> None:
    """No control character, and no endless list."""
    names = [f"{number:040}.example.com" for number in range(90)]
    evil = "\x1b[2Jgood\n" + "x" * 40
    issuer = certified(evil, days=(-30, -1))
    for leaf in (certified(evil, ROOT, authority=False), certified("", ROOT, authority=False, names=names)):
        why = path_of(leaf, ROOT)
        assert why.isprintable()
        assert len(why) < 300
    assert path_of(leaf_by(issuer), issuer) == f"'[2Jgood {'x' * 40}' expired on 2026-11-20"


def test_the_order_of_a_chain_does_not_matter_but_for_the_leaf() -> None:
    """Nor what stands there besides."""
    record = [ROOT.tlsa("2 1 1")]
    assert under(record, LEAF.pem + OTHER.pem + ROOT.pem + ISSUING.pem) == "accepted"
    assert under(record, ISSUING.pem + LEAF.pem + ROOT.pem) == "the leaf is for issuing, and not for mail.example.org"


def test_a_tangle_of_cas_does_not_take_for_ever() -> None:
    """Twelve, each certified by all others, have more paths than anybody could try."""
    keys = {f"ca {number}": key() for number in range(12)}
    cas = {name: certified(name, own_key=own) for name, own in keys.items()}
    crossed = [certified(a, cas[b], own_key=keys[a]).pem for a in cas for b in cas if a != b]
    leaf = leaf_by(cas["ca 0"])
    stranger = certified("stranger")
    why = under([stranger.tlsa("2 1 1")], leaf.pem + "".join(crossed) + stranger.pem)
    assert why == "no path of signatures leads from 'mail.example.org' to 'stranger'"
