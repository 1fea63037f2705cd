"""Certificates taken back: by the account that ordered them or by their own key, and by nobody else."""

from __future__ import annotations

import pytest

from authority import Authority
from dnsbroker import keys
from dnsbroker.acme.chains import leaf_der
from dnsbroker.errors import AcmeError, PemInvalid, Problem
from fake_ca import Stage, opened, refusal, scenario

AUTHORITY = Authority()
KEY = keys.generate("ecdsa-p256")
CHAIN = AUTHORITY.issue(KEY, ["a.test"])
DER = leaf_der(CHAIN)


def _ordered(stage: Stage) -> None:
    """The certificate is the account's."""
    stage.ca.issued[DER] = stage.client.account_url


@pytest.mark.parametrize("reason", [0, 1, 4, 5])
def test_the_account_that_ordered_a_certificate_revokes_it(reason: int) -> None:
    """The leaf of the chain, for the reason given; none is said where there is none to say."""

    @scenario
    async def play(stage: Stage) -> None:
        _ordered(stage)
        assert await stage.client.revoke(CHAIN, reason) is True
        assert stage.ca.revoked == {DER: reason}
        assert ("reason" in stage.ca.posts[-1].json()) is (reason != 0)
        assert "kid" in stage.ca.posts[-1].protected

    play()


@scenario
async def test_the_certificates_own_key_needs_no_account(stage: Stage) -> None:
    """It goes along with the request, as RFC 8555 section 7.6 wants it."""
    _ordered(stage)
    async with opened(stage.ca, key="RSA") as stranger:
        assert await stranger.revoke(CHAIN, 1, key_pem=KEY) is True
        assert stranger.account_url == ""
    assert stage.ca.revoked == {DER: 1}
    assert "jwk" in stage.ca.posts[-1].protected


@scenario
async def test_an_rsa_certificates_key_signs_with_its_own_algorithm(stage: Stage) -> None:
    """Whatever kind the account's key is."""
    key = keys.generate("rsa2048")
    chain = AUTHORITY.issue(key, ["a.test"])
    stage.ca.issued[leaf_der(chain)] = "https://somebody.test/"
    assert await stage.client.revoke(chain, 4, key_pem=key)
    assert stage.ca.posts[-1].protected["alg"] == "RS256"


@scenario
async def test_what_is_revoked_already_is_no_failure(stage: Stage) -> None:
    """But it was not us."""
    _ordered(stage)
    await stage.client.revoke(CHAIN, 1)
    assert await stage.client.revoke(CHAIN, 1) is False


@scenario
async def test_fail_another_accounts_certificate(stage: Stage) -> None:
    """The hint is the way that is left."""
    stage.ca.issued[DER] = "https://somebody.test/"
    with pytest.raises(Problem, match="not yours") as refused:
        await stage.client.revoke(CHAIN, 1)
    assert "its own private key" in refused.value.hint
    assert stage.ca.revoked == {}


@scenario
async def test_fail_a_key_that_is_not_the_certificates(stage: Stage) -> None:
    """The twin of the way without an account."""
    _ordered(stage)
    with pytest.raises(Problem, match="not yours") as refused:
        await stage.client.revoke(CHAIN, 1, key_pem=keys.generate("ecdsa-p256"))
    assert "the key is not the certificate's" in refused.value.hint
    assert stage.ca.revoked == {}


@scenario
async def test_fail_a_reason_that_the_ca_does_not_take(stage: Stage) -> None:
    """The hint names the option."""
    _ordered(stage)
    with pytest.raises(Problem) as refused:
        await stage.client.revoke(CHAIN, 3)
    assert "--reason" in refused.value.hint


@scenario
async def test_fail_a_refusal_of_another_kind_keeps_its_hint(stage: Stage) -> None:
    """Only what concerns the certificate gets one of its own."""
    stage.ca.scripts["revoke-cert"] = [refusal(429, "rateLimited", "slow down")]
    with pytest.raises(Problem, match="slow down") as refused:
        await stage.client.revoke(CHAIN, 1)
    assert "wait" in refused.value.hint


@scenario
async def test_fail_a_ca_without_revocation(stage: Stage) -> None:
    """It is said before anything is signed."""
    stage.ca.absent = frozenset({"revokeCert"})
    async with opened(stage.ca) as client:
        with pytest.raises(AcmeError, match="offers no revocation"):
            await client.revoke(CHAIN, 1, key_pem=KEY)


@pytest.mark.parametrize("text", ["", KEY, "-----BEGIN CERTIFICATE-----\nMAoCAQE\n-----END CERTIFICATE-----\n"])
def test_fail_what_is_no_certificate_is_not_sent(text: str) -> None:
    """A private key least of all."""

    @scenario
    async def play(stage: Stage) -> None:
        with pytest.raises(PemInvalid, match="certificate"):
            await stage.client.revoke(text, 1)
        assert "POST revoke-cert" not in stage.ca.paths

    play()


@scenario
async def test_fail_a_key_that_cannot_sign_is_called_what_it_is(stage: Stage) -> None:
    """Not the account's."""
    with pytest.raises(PemInvalid, match="certificate key"):
        await stage.client.revoke(CHAIN, 1, key_pem="nothing")
