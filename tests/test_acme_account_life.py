"""An account after it was made: found by its key, read, changed, given another key, closed."""

from __future__ import annotations

import json

import pytest
from josepy import jwk

from dnsbroker import keys
from dnsbroker.acme import AccountFacts, Client, key_from_jwk
from dnsbroker.acme.signing import AccountKey
from dnsbroker.errors import AcmeError, PemInvalid, Problem
from fake_ca import Stage, account_key, answer, opened, refusal, scenario
from loopback import Response

KINDS = ["P-256", "P-384", "RSA"]


@scenario
async def test_an_account_is_found_by_its_key_and_used(stage: Stage) -> None:
    """The URL was lost; the key is enough, and nothing is made."""
    async with opened(stage.ca) as second:
        assert await second.find() == stage.client.account_url == second.account_url
        await second.new_order(["a.test"])
    assert stage.ca.posts[-2].json() == {"onlyReturnExisting": True}


@scenario
async def test_a_key_without_an_account_finds_none(stage: Stage) -> None:
    """The twin: no account is made, and a URL that was set stays."""
    async with opened(stage.ca, key="RSA") as second:
        second.account_url = "https://kept.test/1"
        assert await second.find() is None
        assert second.account_url == "https://kept.test/1"
    assert len(stage.ca.accounts) == 1


@scenario
async def test_fail_another_refusal_is_no_sign_of_absence(stage: Stage) -> None:
    """A CA that is down has not said that there is no account."""
    stage.ca.scripts["new-account"] = [refusal(403, "unauthorized", "deactivated")]
    with pytest.raises(Problem, match="deactivated"):
        await stage.client.find()


@scenario
async def test_the_account_is_read_as_the_ca_has_it(stage: Stage) -> None:
    """With an empty payload (RFC 8555 section 6.3)."""
    url = stage.client.account_url
    stage.ca.members.facts[url] = {
        "status": "valid",
        "contact": ["mailto:a@a.test", 7],
        "termsOfServiceAgreed": True,
        "orders": "https://ca.test/orders",
        "key": {},
    }
    found = await stage.client.account()
    assert found == AccountFacts(url, "valid", ("mailto:a@a.test",), True, "https://ca.test/orders")
    assert stage.ca.posts[-1].payload == b""


@scenario
async def test_what_the_ca_leaves_out_is_empty(stage: Stage) -> None:
    """Some show neither contacts nor orders."""
    stage.ca.scripts["account/1"] = [answer(200, {"status": "valid", "contact": None})]
    assert await stage.client.account() == AccountFacts(stage.client.account_url, "valid", (), False, "")


@scenario
async def test_contacts_are_replaced_and_an_empty_list_is_sent_as_one(stage: Stage) -> None:
    """Left out, it would change nothing."""
    assert (await stage.client.update(["b@a.test", "tel:1"])).contact == ("mailto:b@a.test", "tel:1")
    assert (await stage.client.update([])).contact == ()
    assert stage.ca.posts[-1].json() == {"contact": []}


@scenario
async def test_a_deactivated_account_can_do_nothing_more(stage: Stage) -> None:
    """And says so with a hint."""
    await stage.client.deactivate_account()
    assert stage.ca.posts[-1].json() == {"status": "deactivated"}
    with pytest.raises(Problem, match="deactivated") as refused:
        await stage.client.new_order(["a.test"])
    assert "deactivated" in refused.value.hint


@pytest.mark.parametrize("before", KINDS)
@pytest.mark.parametrize("after", KINDS)
def test_an_account_gets_another_key_of_any_kind(before: str, after: str) -> None:
    """The server verifies both signatures; the URL stays; the new key is used, the old one refused."""
    new = keys.generate({"P-256": "ecdsa-p256", "P-384": "ecdsa-p384", "RSA": "rsa2048"}[after])

    @scenario
    async def play(stage: Stage) -> None:
        async with opened(stage.ca, key=before) as client, opened(stage.ca, key=before) as old:
            url = await client.register((), agree_tos=True)
            await client.roll_over(new)
            old.account_url = url
            assert client.account_url == url
            assert (await client.new_order(["a.test"])).names == ("a.test",)
            with pytest.raises(Problem, match="does not verify"):
                await old.new_order(["a.test"])
            assert await old.find() is None

    play()


@scenario
async def test_a_challenge_after_the_change_is_of_the_new_key(stage: Stage) -> None:
    """The thumbprint in its value is the account's key as it is now."""
    new = keys.generate("ecdsa-p256")
    order = await stage.client.new_order(["a.test"])
    (before,) = await stage.client.authorizations(order)
    await stage.client.roll_over(new)
    (after,) = await stage.client.authorizations(order)
    assert before.challenge is not None
    assert after.challenge is not None
    assert before.challenge.token == after.challenge.token
    assert before.challenge.value != after.challenge.value


@scenario
async def test_fail_a_key_that_opens_another_account(stage: Stage) -> None:
    """The CA says 409; the account keeps its key, and the hint names whose the other is."""
    async with opened(stage.ca, key="RSA") as other:
        taken = await other.register((), agree_tos=True)
    with pytest.raises(Problem) as refused:
        await stage.client.roll_over(account_key("RSA"))
    assert (refused.value.status, refused.value.type) == (409, "conflict")
    assert taken in refused.value.hint
    await stage.client.new_order(["a.test"])


@scenario
async def test_a_change_whose_reply_was_lost_has_happened(stage: Stage) -> None:
    """Repeated with the old key it is refused; the CA is asked whose the new key is."""
    new = keys.generate("rsa2048")
    url = stage.client.account_url
    stage.ca.accounts[url] = AccountKey(new).public
    await stage.client.roll_over(new)
    await stage.client.new_order(["a.test"])
    assert stage.ca.posts[-1].protected["kid"] == url


@scenario
async def test_fail_a_change_that_was_refused_leaves_the_old_key(stage: Stage) -> None:
    """The twin: it has not happened, and the CA's own words are passed on."""
    stage.ca.scripts["key-change"] = [refusal(403, "badPublicKey", "too weak")]
    with pytest.raises(Problem, match="too weak"):
        await stage.client.roll_over(keys.generate("ecdsa-p256"))
    await stage.client.new_order(["a.test"])


@scenario
async def test_fail_a_change_nobody_can_tell_the_outcome_of(stage: Stage) -> None:
    """No reply at all, and none to the question either: the first error is raised."""
    stage.ca.scripts["key-change"] = [Response(hang_up=True)] * 9
    stage.ca.scripts["new-account"] = [Response(503)] * 9
    with pytest.raises(AcmeError, match=r"no answer from .* to the new account key"):
        await stage.client.roll_over(keys.generate("ecdsa-p256"))


@scenario
async def test_fail_a_ca_without_a_change_of_keys(stage: Stage) -> None:
    """Nothing is sent; the hint is the other way to get a new key."""
    stage.ca.absent = frozenset({"keyChange"})
    async with opened(stage.ca) as client:
        await client.find()
        with pytest.raises(AcmeError, match="does not let an account change its key") as refused:
            await client.roll_over(keys.generate("ecdsa-p256"))
    assert "register another" in refused.value.hint


@scenario
async def test_fail_a_new_key_that_cannot_sign(stage: Stage) -> None:
    """The error speaks of the new key, not of the one in the store."""
    with pytest.raises(PemInvalid, match="new account key: it cannot be read") as refused:
        await stage.client.roll_over("-----BEGIN")
    assert "state_dir" not in refused.value.hint


@pytest.mark.parametrize("kind", [*KINDS, "P-521"])
def test_a_key_in_json_becomes_the_same_key_in_pem(kind: str) -> None:
    """As certbot keeps it."""
    told = jwk.JWK.load(account_key(kind).encode()).json_dumps()
    assert key_from_jwk(told) == account_key(kind)


UNREADABLE = {
    "fail_public": jwk.JWK.load(account_key().encode()).public_key().json_dumps(),
    "fail_symmetric": json.dumps({"kty": "oct", "k": "c2VjcmV0LXNlY3JldA"}),
    "fail_no_json": "-----BEGIN PRIVATE KEY-----",
    "fail_list": "[]",
    "fail_number": "7",
    "fail_empty": "{}",
    "fail_half": json.dumps({"kty": "EC", "crv": "P-256"}),
    "fail_curve": json.dumps({"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA", "d": "AA"}),
    "fail_wrong_type": json.dumps({"kty": "RSA", "n": 7, "e": "AQAB", "d": "AA"}),
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_private_key_in_json_is_refused_without_being_shown(text: str) -> None:
    """Whatever the library trips over."""
    with pytest.raises(PemInvalid, match="account key in JSON") as refused:
        key_from_jwk(text)
    assert "c2VjcmV0" not in f"{refused.value} {refused.value.__cause__}"
    assert "private_key.json" in refused.value.hint


def test_fail_a_client_of_nobody_reads_nothing() -> None:
    """Without an account there is nothing to read, change or close."""

    @scenario
    async def play(stage: Stage) -> None:
        async with opened(stage.ca, key="RSA") as client:
            await _refused(client)

    play()


async def _refused(client: Client) -> None:
    for act in (client.account(), client.update([]), client.deactivate_account(), client.roll_over(account_key())):
        with pytest.raises(AcmeError, match="no account"):
            await act
