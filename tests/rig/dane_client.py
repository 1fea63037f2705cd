"""A DANE client of the tests' own: it asks a validating resolver, has OpenSSL judge, and is stricter than it need be.

::

    with Watch("127.0.0.53", ["smtp://mail.dane.test"]) as watch:
        …  # whatever must never be noticed
    assert watch.refusals == []

Rule: nothing of the code under test is used here: dnspython asks, ``openssl s_client`` connects and judges. Beyond that
every RRset that a cache behind the resolver's may still hold, for twice its TTL, has to cover what is served, each kind
of record in it (RFC 7671 section 8). Refused: an address or a TLSA answer, empty ones too, without the resolver's AD.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rdtypes.ANY.RRSIG
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lab.processes import look_until

SECONDS = 5.0
PAUSE = 0.2
TRIES = 3

#: Port and STARTTLS, as s_client calls it, of each scheme.
SCHEMES = {
    "smtp": (25, "smtp"),
    "submission": (587, "smtp"),
    "submissions": (465, ""),
    "imap": (143, "imap"),
    "imaps": (993, ""),
    "https": (443, ""),
}
#: What to prefer for the server's key of each algorithm; "" leaves it to OpenSSL.
ALGORITHMS = {
    "": "",
    "ECDSA": "ECDSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA256:RSA+SHA256",
    "RSA": "RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:RSA+SHA256:ECDSA+SHA256",
}
_DIGESTS: Mapping[str, Callable[[bytes], str]] = {
    "0": bytes.hex,
    "1": lambda octets: hashlib.sha256(octets).hexdigest(),
    "2": lambda octets: hashlib.sha512(octets).hexdigest(),
}
_RRSIG = dns.rdtypes.ANY.RRSIG.RRSIG


class Refused(Exception):
    """The client goes no further; the message says why."""


@dataclass(frozen=True)
class Place:
    """An endpoint taken apart; ``algorithm`` is what its key is to be of."""

    endpoint: str
    host: str
    port: int
    starttls: str
    algorithm: str

    @property
    def owner(self) -> str:
        """Where its TLSA records are."""
        return f"_{self.port}._tcp.{self.host}"


@dataclass(frozen=True)
class Seen:
    """One look at one address: ``refusal`` is empty where the client goes on.

    ``records`` are the TLSA records that the resolver gave, ``chain`` the certificates that were served (DER, leaf
    first), ``at`` the moment (monotonic clock).
    """

    at: float
    endpoint: str
    address: str
    refusal: str
    records: frozenset[str] = frozenset()
    chain: tuple[bytes, ...] = field(default=(), repr=False)

    @property
    def key(self) -> str:
        """SHA-256 of the key that was served, as 3 1 1 has it; empty where no chain was."""
        return digest("3 1 1", self.chain[0]) if self.chain else ""

    @property
    def is_rsa(self) -> bool:
        """Whether it was an RSA key."""
        public = x509.load_der_x509_certificate(self.chain[0]).public_key()
        return not isinstance(public, ec.EllipticCurvePublicKey)


@dataclass(frozen=True)
class Cached:
    """An RRset that a cache may hold until ``until`` (seconds since the epoch)."""

    records: frozenset[str]
    until: float


def accepts(endpoint: str, resolver: str) -> str:
    """Why a client that asks ``resolver`` (an address) does not connect to ``endpoint``; empty where it does."""
    return next((seen.refusal for seen in Client(resolver).look(endpoint) if seen.refusal), "")


class Client:
    """One client with what its caches may still hold; ``resolver`` is the address of a validating one."""

    def __init__(self, resolver: str) -> None:
        self._resolver = resolver
        self._cached: dict[str, list[Cached]] = {}

    def look(self, endpoint: str, algorithm: str = "") -> list[Seen]:
        """One look at every address of ``endpoint`` (``smtp://mail.dane.test``), preferring a key of ``algorithm``."""
        parts = urlsplit(endpoint)
        host, (port, starttls) = str(parts.hostname), SCHEMES[parts.scheme]
        at = Place(endpoint, host, parts.port or port, starttls, algorithm)
        try:
            return [self._at(at, address) for address in self.addresses(host)]
        except Refused as error:
            return [Seen(time.monotonic(), endpoint, "", str(error))]

    def addresses(self, host: str) -> list[str]:
        """Every address of ``host``; Refused where they are not secure, or there is none."""
        found = [value for kind in ("A", "AAAA") for value in self._secure(host, kind)[0]]
        if not found:
            raise Refused(f"{host} has no address")
        return found

    def records(self, owner: str) -> frozenset[str]:
        """The TLSA records of ``owner`` in lower case, remembered for as long as a cache may; Refused: not secure."""
        now = time.time()
        values, left, original = self._secure(owner, "TLSA")
        records = frozenset(map(tidy, values))
        # The resolver counts whole seconds: it cannot have heard this later than that.
        heard = int(now) - (original - left)
        self._cached[owner] = [*self.possible(owner, but=records), Cached(records, heard + 2 * original)]
        return records

    def possible(self, owner: str, *, but: frozenset[str] | None = None) -> list[Cached]:
        """What a cache may hold of ``owner`` at this moment, besides ``but``."""
        now = time.time()
        return [cached for cached in self._cached.get(owner, []) if cached.until > now and cached.records != but]

    def _secure(self, name: str, kind: str) -> tuple[list[str], int, int]:
        """The values, behind aliases too, the TTL that is left and the one that was signed; Refused without AD."""
        query = dns.message.make_query(name, kind, use_edns=0, payload=1232, want_dnssec=True)
        query.flags |= dns.flags.AD
        try:
            answer, _ = dns.query.udp_with_fallback(query, self._resolver, timeout=SECONDS)
        except (dns.exception.DNSException, OSError) as error:
            raise Refused(f"{name} {kind}: no answer: {error}") from error
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            raise Refused(f"{name} {kind}: {dns.rcode.to_text(answer.rcode())}")
        if not answer.flags & dns.flags.AD:
            raise Refused(f"{name} {kind}: the answer is not secure")
        wanted = dns.rdatatype.from_text(kind)
        values = [rdata.to_text() for rrset in answer.answer if rrset.rdtype == wanted for rdata in rrset]
        signed = [rdata for rrset in answer.answer for rdata in rrset if isinstance(rdata, _RRSIG)]
        left = min((rrset.ttl for rrset in answer.answer), default=0)
        return values, left, max((rdata.original_ttl for rdata in signed), default=0)

    def _at(self, at: Place, address: str) -> Seen:
        """One handshake; once more where it took longer than what was heard before it may be held."""
        for _ in range(TRIES):
            records = self.records(at.owner)
            chain, refusal = handshake(at, address, records)
            possible = [cached.records for cached in self.possible(at.owner)]
            if not refusal or not records or records in possible:
                break
        missed = next((miss for miss in (uncovered(each, chain) for each in possible) if miss), "")
        return Seen(time.monotonic(), at.endpoint, address, refusal or missed, records, chain)


def handshake(at: Place, address: str, records: frozenset[str]) -> tuple[tuple[bytes, ...], str]:
    """The chain served at ``address`` (DER), and why OpenSSL refuses it under ``records``; it trusts nothing else.

    Without records any chain is taken, as by a client that has no DANE for this host.
    """
    peer = f"[{address}]:{at.port}" if ":" in address else f"{address}:{at.port}"
    command = ["openssl", "s_client", "-connect", peer, "-servername", at.host, "-showcerts"]
    command += ["-no-CAfile", "-no-CApath", "-no-CAstore"]
    command += ["-starttls", at.starttls] if at.starttls else []
    command += ["-sigalgs", ALGORITHMS[at.algorithm]] if at.algorithm else []
    if records:
        command += ["-dane_ee_no_namechecks", "-dane_tlsa_domain", at.host]
        command += [word for record in sorted(records) for word in ("-dane_tlsa_rrdata", record)]
    try:
        done = subprocess.run(command, input=b"", capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return (), f"{peer} does not answer"
    blocks = re.findall(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", done.stdout, re.DOTALL)
    chain = tuple(x509.load_pem_x509_certificate(block).public_bytes(Encoding.DER) for block in blocks)
    if done.returncode or not chain:
        return chain, f"no handshake with {peer}: {'; '.join(done.stderr.decode(errors='replace').splitlines()[-3:])}"
    verdict = re.findall(r"Verify return code: (\d+) \((.*)\)", done.stdout.decode(errors="replace"))[-1]
    return chain, f"OpenSSL says: {verdict[1]}" if records and verdict[0] != "0" else ""


def uncovered(records: frozenset[str], chain: Sequence[bytes]) -> str:
    """The kinds of these records of which none names the chain, in words; empty where each does, or there is none."""
    kinds = {record.rpartition(" ")[0] for record in records}
    missed = [kind for kind in sorted(kinds) if not (named(kind, chain) & records)]
    held = ", ".join(shown(record) for record in sorted(records))
    return f"a cache may hold {held}, where no {' and no '.join(missed)} names the chain" if missed and chain else ""


def named(kind: str, chain: Sequence[bytes]) -> frozenset[str]:
    """The records of a kind (usage 2 or 3) that name a chain: its leaf, or any CA that is sent along."""
    certificates = chain[:1] if kind.startswith("3") else chain[1:]
    return frozenset(f"{kind} {digest(kind, each)}" for each in certificates)


def digest(kind: str, certificate: bytes) -> str:
    """The data of a record of this kind about a certificate (DER), in lower-case hex."""
    _, selector, matching = kind.split()
    public = x509.load_der_x509_certificate(certificate).public_key()
    return _DIGESTS[matching](
        certificate if selector == "0" else public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )


def tidy(record: str) -> str:
    """A record's text in lower case, its data in one piece."""
    usage, selector, matching, *data = record.lower().split()
    return f"{usage} {selector} {matching} {''.join(data)}"


def shown(record: str) -> str:
    """A record as messages have it."""
    kind, _, data = record.rpartition(" ")
    return f"{kind} {data[:8]}"


class Watch:
    """Clients that look at these endpoints again and again while the block runs, one look at its end for certain.

    ``seen`` has every look in its order; ``algorithms``: preferring which keys each endpoint is looked at.
    """

    def __init__(self, resolver: str, endpoints: Sequence[str], algorithms: Sequence[str] = ("",)) -> None:
        self._client = Client(resolver)
        self._end = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._watch, args=[endpoint, algorithms], name=f"dane-{endpoint}", daemon=True)
            for endpoint in endpoints
        ]
        self.seen: list[Seen] = []

    @property
    def refusals(self) -> list[str]:
        """Each look at which the client was sent away, in words, in their order."""
        began = self.seen[0].at if self.seen else 0.0
        return [
            f"after {seen.at - began:.1f} s: {seen.endpoint} at {seen.address or 'no address'}: {seen.refusal}; "
            f"served {seen.key[:8] or 'nothing'}, records {', '.join(map(shown, sorted(seen.records))) or 'none'}"
            for seen in self.seen
            if seen.refusal
        ]

    def keys(self, endpoint: str, address: str = "") -> list[str]:
        """The keys that an endpoint served under DANE, each once, in the order of their first looks."""
        looks = [one for one in self.seen if one.endpoint == endpoint and address in ("", one.address)]
        return list(dict.fromkeys(one.key for one in looks if one.records and one.key))

    def await_records(self, endpoint: str, records: frozenset[str]) -> None:
        """Wait until the client is given these records at every address, and has looked at what is served then."""

        def has_them() -> bool:
            last = {seen.address: seen.records for seen in self.seen if seen.endpoint == endpoint}
            return set(last.values()) == {records}

        look_until(has_them, f"{endpoint} with its last records", interval=PAUSE)

    def _watch(self, endpoint: str, algorithms: Sequence[str]) -> None:
        is_over = False
        while not is_over:
            is_over = self._end.wait(PAUSE)
            for algorithm in algorithms:
                found = self._client.look(endpoint, algorithm)
                with self._lock:
                    self.seen += found

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()
