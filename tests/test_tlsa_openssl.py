"""The same chains and records before another judge: OpenSSL's own DANE client, against a service on loopback."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from certified import NOW, Certified, certified
from dnsbroker.tlsa.verifying import verify
from tls_service import TlsService, at_once

HOST = "mail.example.org"
ROOT = certified("root")
ISSUING = certified("issuing", ROOT)
LEAF = certified("", ISSUING, authority=False, names=[HOST])
OTHER = certified("other", ROOT)
CHAIN = (LEAF, ISSUING, ROOT)


@dataclass(frozen=True)
class Case:
    """What a service sends, leaf first, and the records that its client has; are names checked under usage 3 too?"""

    records: Sequence[str]
    chain: Sequence[Certified] = CHAIN
    ee_name_check: bool = False

    def ours(self) -> bool:
        """The verdict of the program."""
        pem = "".join(each.pem for each in self.chain)
        return verify(pem, HOST, self.records, now=NOW, ee_name_check=self.ee_name_check).accepted

    async def theirs(self) -> bool:
        """OpenSSL's."""
        pem = "".join(each.pem for each in self.chain)
        options = [] if self.ee_name_check else ["-dane_ee_no_namechecks"]
        for record in self.records:
            options += ["-dane_tlsa_rrdata", record]
        async with TlsService(at_once, self.chain[0].key_pem, pem) as service:
            client = await asyncio.create_subprocess_exec(
                *("openssl", "s_client", "-connect", service.address, "-dane_tlsa_domain", HOST, *options),
                *("-attime", str(int(NOW.timestamp())), "-no-CAfile", "-no-CApath", "-no-CAstore"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            out, _ = await asyncio.wait_for(client.communicate(), 60)
        found = re.search(r"Verify return code: (\d+)", out.decode(errors="replace"))
        assert found, out.decode(errors="replace")
        return found[1] == "0"


def leaf_by(issuer: Certified, names: Sequence[str] = (HOST,), days: tuple[int, int] = (-30, 30)) -> Certified:
    """For HOST, or for others."""
    return certified("", issuer, authority=False, names=names, days=days)


def limited(*, permitted: str = "", excluded: str = "") -> tuple[Certified, ...]:
    """A chain below a CA whose names are constrained."""
    trees = [[x509.DNSName(name)] if name else None for name in (permitted, excluded)]
    authority = certified("limited", ROOT, extensions=[(x509.NameConstraints(*trees), True)])
    return (leaf_by(authority), authority, ROOT)


def below(authority: Certified) -> tuple[Certified, ...]:
    """A chain through ``authority``."""
    return (leaf_by(authority), authority, ROOT)


LATE = leaf_by(ISSUING, days=(-30, -1))
EARLY = leaf_by(ISSUING, days=(1, 30))
STRANGE = leaf_by(ISSUING, ["www.example.com"])
COMMON = certified(HOST, ISSUING, authority=False)
SHORT = certified("short", ROOT, path_length=0)
BELOW_SHORT = certified("below", SHORT)
OLD = certified("old", ROOT, days=(-30, -1))
OLD_ROOT = certified("old root", days=(-30, -1))
RENEWED = certified("old", ROOT, own_key=OLD.key)
STRANGE_EXTENSION = (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)
FORGED = certified("issuing", ROOT)
PRIVATE = certified("private", is_critical=False)
BAD_512 = "3 1 2 " + "00" * 32

CASES = {
    **{f"3 {kind}": Case([LEAF.tlsa(f"3 {kind}")]) for kind in ("0 0", "0 1", "0 2", "1 0", "1 1", "1 2")},
    **{f"3 {kind}, another": Case([ISSUING.tlsa(f"3 {kind}")]) for kind in ("0 1", "1 0", "1 1", "1 2")},
    **{f"2 {kind}": Case([ROOT.tlsa(f"2 {kind}")]) for kind in ("0 0", "0 1", "0 2", "1 0", "1 1", "1 2")},
    **{f"2 {kind}, below the root": Case([ISSUING.tlsa(f"2 {kind}")]) for kind in ("0 0", "0 1", "1 1", "1 2")},
    **{f"2 {kind}, another": Case([OTHER.tlsa(f"2 {kind}")]) for kind in ("0 0", "0 1", "1 0", "1 1")},
    **{f"2 {kind}, the leaf": Case([LEAF.tlsa(f"2 {kind}")]) for kind in ("0 0", "0 1", "1 1")},
    "2 1 1, sent but not on the way": Case([OTHER.tlsa("2 1 1")], (*CHAIN, OTHER)),
    "2 1 1, not sent": Case([ROOT.tlsa("2 1 1")], CHAIN[:2]),
    "2 0 1, not sent": Case([ROOT.tlsa("2 0 1")], CHAIN[:2]),
    "2 0 0, not sent": Case([ROOT.tlsa("2 0 0")], CHAIN[:2]),
    "2 1 1, the leaf alone": Case([ISSUING.tlsa("2 1 1")], CHAIN[:1]),
    "2 0 0, the leaf alone": Case([ISSUING.tlsa("2 0 0")], CHAIN[:1]),
    "2 1 1, upside down": Case([ROOT.tlsa("2 1 1")], (LEAF, OTHER, ROOT, ISSUING)),
    "2 1 1, forged": Case([FORGED.tlsa("2 1 1")], (LEAF, FORGED)),
    "2 1 1, a private CA": Case([PRIVATE.tlsa("2 1 1")], (leaf_by(PRIVATE), PRIVATE)),
    **{
        f"3 1 1, {what}": Case([leaf.tlsa("3 1 1")], (leaf, ISSUING))
        for what, leaf in {"late": LATE, "early": EARLY, "of another name": STRANGE}.items()
    },
    **{
        f"2 1 1, {what}": Case([ISSUING.tlsa("2 1 1")], (leaf, ISSUING))
        for what, leaf in {"late": LATE, "early": EARLY, "of another name": STRANGE, "common name": COMMON}.items()
    },
    **{
        f"2 1 1, for {name}": Case([ISSUING.tlsa("2 1 1")], (leaf_by(ISSUING, [name]), ISSUING))
        for name in ("*.example.org", "*.org", "mail.*.org", "MAIL.example.org", "example.org")
    },
    "names under 3 1 1": Case([LEAF.tlsa("3 1 1")], ee_name_check=True),
    "another name under 3 1 1": Case([STRANGE.tlsa("3 1 1")], (STRANGE, ISSUING), ee_name_check=True),
    "permitted": Case([ROOT.tlsa("2 1 1")], limited(permitted="example.org")),
    "not permitted": Case([ROOT.tlsa("2 1 1")], limited(permitted="example.com")),
    "excluded": Case([ROOT.tlsa("2 1 1")], limited(excluded="example.org")),
    "not excluded": Case([ROOT.tlsa("2 1 1")], limited(excluded="example.com")),
    "constrained by the anchor": Case([limited(excluded="org")[1].tlsa("2 1 1")], limited(excluded="org")[:2]),
    "no CA": Case([ROOT.tlsa("2 1 1")], below(certified("middle", ROOT, authority=False))),
    "no constraints": Case([ROOT.tlsa("2 1 1")], below(certified("middle", ROOT, authority=None))),
    "long enough": Case([ROOT.tlsa("2 1 1")], below(SHORT)),
    "too long": Case([ROOT.tlsa("2 1 1")], (leaf_by(BELOW_SHORT), BELOW_SHORT, SHORT, ROOT)),
    "an expired CA": Case([ROOT.tlsa("2 1 1")], below(OLD)),
    "an expired root": Case([OLD_ROOT.tlsa("2 1 1")], (leaf_by(OLD_ROOT), OLD_ROOT)),
    "gone around": Case([ROOT.tlsa("2 1 1")], (leaf_by(OLD), RENEWED, OLD, ROOT)),
    "a strange extension": Case([ROOT.tlsa("2 1 1")], below(certified("x", ROOT, extensions=[STRANGE_EXTENSION]))),
    "a stale stronger digest": Case([LEAF.tlsa("3 1 1"), OTHER.tlsa("3 1 2")]),
    "a stale weaker digest": Case([OTHER.tlsa("3 1 1"), LEAF.tlsa("3 1 2")]),
    "a stale stronger digest of another selector": Case([LEAF.tlsa("3 1 1"), OTHER.tlsa("3 0 2")]),
    "a stale stronger digest of another usage": Case([LEAF.tlsa("3 1 1"), OTHER.tlsa("2 1 2")]),
    "full beside a stale digest": Case([LEAF.tlsa("3 1 0"), OTHER.tlsa("3 1 2")]),
    "a digest beside stale full data": Case([OTHER.tlsa("3 1 0"), LEAF.tlsa("3 1 1")]),
    "an unusable stronger digest": Case([LEAF.tlsa("3 1 1"), BAD_512]),
    "current and next": Case([LEAF.tlsa("3 1 1"), OTHER.tlsa("3 1 1")]),
    "one usage stale": Case([LEAF.tlsa("3 1 1"), OTHER.tlsa("2 1 1")]),
    "the other usage stale": Case([OTHER.tlsa("3 1 1"), ISSUING.tlsa("2 1 1")]),
    "all stale": Case([OTHER.tlsa("3 1 1"), OTHER.tlsa("2 1 1")]),
}


@pytest.mark.parametrize("name", CASES)
def test_openssl_comes_to_the_same_verdict(name: str) -> None:
    """Accepted by both, or refused by both."""
    case = CASES[name]
    assert case.ours() == asyncio.run(case.theirs())


def test_both_accept_some_and_refuse_some() -> None:
    """The twin: neither says the same to everything."""
    assert {case.ours() for case in CASES.values()} == {True, False}


CLIENTS_ONLY = certified(
    "", ISSUING, authority=False, names=[HOST], extensions=[x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])]
)

#: Where clients differ: the program says what is safe to publish, or warns.
DIFFERENT = {
    "the bare key of a CA that is not sent": (Case([ROOT.tlsa("2 1 0")], CHAIN[:2]), False),
    "an expired CA that is the anchor, and no root": (Case([OLD.tlsa("2 1 1")], below(OLD)[:2]), False),
    "a wildcard in part of a label": (
        Case([ISSUING.tlsa("2 1 1")], (leaf_by(ISSUING, ["m*.example.org"]), ISSUING)),
        False,
    ),
    "a leaf for clients only": (Case([ISSUING.tlsa("2 1 1")], (CLIENTS_ONLY, ISSUING)), True),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_where_openssl_differs_is_known(name: str) -> None:
    """And written down in docs/tlsa.md."""
    case, ours = DIFFERENT[name]
    assert (case.ours(), asyncio.run(case.theirs())) == (ours, not ours)
