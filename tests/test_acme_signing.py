"""What is signed is what acme's own client would have sent, and only an account's private key signs."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from acme import messages
from acme.challenges import DNS01Response
from acme.client import ClientNetwork
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from josepy import json_util, jwa, jwk

from dnsbroker.acme.nonces import is_usable
from dnsbroker.acme.signing import AccountKey
from dnsbroker.clock import Deadline
from dnsbroker.errors import PemInvalid
from dnsbroker.testing import FakeClock
from fake_ca import FakeCA, Post, account_key, opened

ALGORITHMS = {"P-256": jwa.ES256, "P-384": jwa.ES384, "P-521": jwa.ES512, "RSA": jwa.RS256}


def _csr() -> x509.CertificateSigningRequest:
    names = x509.SubjectAlternativeName([x509.DNSName("a.test"), x509.DNSName("*.a.test")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(names, critical=False)
    return builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())


async def _whole_run(ca: FakeCA, kind: str, csr: x509.CertificateSigningRequest) -> None:
    """Every kind of request that the client makes, once."""
    clock = FakeClock()
    async with ca.server, opened(ca, key=kind, clock=clock) as client:
        await client.register(["hostmaster@a.test"], agree_tos=True)
        order = await client.new_order(["a.test", "*.a.test"])
        kept, other = await client.authorizations(order)
        await client.deactivate(other)
        ca.authorizations[2]["status"] = "valid"
        assert kept.challenge is not None
        await client.answer(kept.challenge)
        await client.validated(kept, Deadline.after(clock, 60))
        der = csr.public_bytes(serialization.Encoding.DER)
        await client.chains(await client.finalize(order, der, Deadline.after(clock, 60)))


def _message(post: Post, csr: x509.CertificateSigningRequest) -> Any:
    """The acme library's own object for a request."""
    if not post.payload:
        return None
    names = [messages.Identifier(typ=messages.IDENTIFIER_FQDN, value=name) for name in ("a.test", "*.a.test")]
    made: dict[str, Callable[[], Any]] = {
        "new-account": lambda: messages.NewRegistration.from_data(
            email="hostmaster@a.test", terms_of_service_agreed=True
        ),
        "new-order": lambda: messages.NewOrder(identifiers=names, profile=""),
        "authz": lambda: messages.UpdateAuthorization(status="deactivated"),
        "challenge": lambda: DNS01Response(key_authorization="x"),
        "finalize": lambda: messages.CertificateRequest(csr=csr),
    }
    return made[post.path.partition("/")[0]]()


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_every_request_is_what_the_acme_library_sends(kind: str) -> None:
    """Headers and payloads are the same octets; with RSA, whose signatures repeat, the whole bodies are."""
    ca, csr = FakeCA(), _csr()
    asyncio.run(_whole_run(ca, kind, csr))
    assert {post.path.partition("/")[0] for post in ca.posts} == {
        *("new-account", "new-order", "authz", "challenge", "finalize", "cert"),
    }
    key = jwk.JWK.load(account_key(kind).encode())
    (account_url,) = ca.accounts
    for post in ca.posts:
        network = ClientNetwork(key, alg=ALGORITHMS[kind])
        if post.path != "new-account":
            network.account = messages.RegistrationResource(body=messages.Registration(), uri=account_url)
        nonce: Any = json_util.decode_b64jose(post.protected["nonce"])
        theirs = network._wrap_in_jws(_message(post, csr), nonce, post.protected["url"]).encode()
        if kind == "RSA":
            assert post.body == theirs
        ours_told, theirs_told = json.loads(post.body), json.loads(theirs)
        assert {**ours_told, "signature": ""} == {**theirs_told, "signature": ""}
        assert list(ours_told) == list(theirs_told)


@pytest.mark.parametrize(
    ("kind", "name"), [("P-256", "ES256"), ("P-384", "ES384"), ("P-521", "ES512"), ("RSA", "RS256")]
)
def test_the_algorithm_follows_from_the_key(kind: str, name: str) -> None:
    """An elliptic key signs with its curve's own algorithm (RFC 7518 section 3.4)."""
    body = json.loads(AccountKey(account_key(kind)).sign(b"", url="https://a.test/", nonce="YWJj", kid="x"))
    assert json.loads(json_util.decode_b64jose(body["protected"]))["alg"] == name


def _private(key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey, password: str = "") -> str:
    sealed = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed).decode()


def _public(pem: str) -> str:
    key = serialization.load_pem_private_key(pem.encode(), None).public_key()
    form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(*form).decode()


UNUSABLE: dict[str, Callable[[], str]] = {
    "nothing": lambda: "",
    "damaged": lambda: account_key().replace("M", "N", 5),
    "cut": lambda: account_key()[:80],
    "a public key": lambda: _public(account_key()),
    "Ed25519": lambda: _private(ed25519.Ed25519PrivateKey.generate()),
    "another curve": lambda: _private(ec.generate_private_key(ec.SECP256K1())),
    "encrypted": lambda: _private(ec.generate_private_key(ec.SECP256R1()), "secret"),
}


@pytest.mark.parametrize("key", UNUSABLE)
def test_fail_a_key_that_cannot_sign_is_refused_without_being_shown(key: str) -> None:
    """What josepy would take for a symmetric key is no account key either."""
    pem = UNUSABLE[key]()
    reason = {"a public key": "it is a public key", "Ed25519": "no CA accepts", "another curve": "no CA accepts"}
    with pytest.raises(PemInvalid, match="account key") as refused:
        AccountKey(pem)
    assert reason.get(key, "it cannot be read") in refused.value.reason
    told = f"{refused.value} {refused.value.hint} {refused.value.fields()}"
    assert not any(line in told for line in pem.splitlines() if len(line) > 10)


def test_a_key_does_not_show_itself() -> None:
    """Neither does its repr hold a digit of the private number."""
    key = AccountKey(account_key())
    secret = jwk.JWK.load(account_key().encode()).to_partial_json()["d"]
    assert secret not in repr(key) + repr(key.public) + str(vars(key).keys())


@pytest.mark.parametrize(
    ("nonce", "usable"),
    [
        *(("YWJj", True), ("oFvnlFP1wIhRlYS2jTaXbA", True), ("ab_-", True)),
        *(("", False), ("a", False), ("abc+", False), ("ab/d", False), ("YWI=", False), ("YWJ", False)),
        *(("ab cd", False), ("abcd\n", False), ("é", False)),
    ],
)
def test_only_canonical_base64url_is_a_nonce(nonce: str, usable: bool) -> None:
    """Anything else would be sent back changed (RFC 8555 section 6.5.1)."""
    assert is_usable(nonce) is usable


def test_the_heavy_client_is_not_imported() -> None:
    """Of the acme library only messages, challenges and signatures are loaded, without pyOpenSSL."""
    code = "import sys, dnsbroker.acme; print(*{'acme.client', 'acme.crypto_util', 'OpenSSL'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == ""
