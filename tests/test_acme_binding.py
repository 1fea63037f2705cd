"""External account binding: made so that a CA can verify it, and checked for what a copied key suffers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any, get_args

import pytest
from acme import messages
from josepy import json_util, jwk

from dnsbroker.acme import Binding, Client
from dnsbroker.acme.binding import Algorithm
from dnsbroker.acme.signing import AccountKey
from dnsbroker.errors import ConfigError, Problem
from fake_ca import FakeCA, account_key, opened, refusal

MAC = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)


def _played(play: Callable[[FakeCA, Client], Awaitable[None]], key: str = "P-256") -> None:
    """With a CA that wants accounts bound to ``kid-1``, and a client that has none."""

    async def run() -> None:
        ca = FakeCA()
        ca.members.mac_keys["kid-1"] = json_util.decode_b64jose(MAC)
        async with ca.server, opened(ca, key=key) as client:
            await play(ca, client)

    asyncio.run(run())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("key", ["P-256", "RSA"])
def test_an_account_is_bound_with_each_algorithm(algorithm: Algorithm, key: str) -> None:
    """The server computes the MAC itself, and compares the key inside with the one that signed."""

    async def play(ca: FakeCA, client: Client) -> None:
        assert (await client.directory()).external_account_required
        url = await client.register(["a@a.test"], True, Binding("kid-1", MAC, algorithm))
        assert ca.members.bound == {url: "kid-1"}
        assert ca.members.facts[url]["contact"] == ["mailto:a@a.test"]

    _played(play, key)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_binding_is_what_the_acme_library_makes(algorithm: Algorithm) -> None:
    """Member for member, the MAC included."""
    key = AccountKey(account_key())
    place: Any = {"newAccount": "https://ca.test/new-account"}
    theirs = messages.ExternalAccountBinding.from_data(key.public, "kid-1", MAC, place, algorithm)
    ours = Binding("kid-1", MAC, algorithm).payload(key, place["newAccount"])
    assert json_util.encode_b64jose(b"") not in ours
    assert ours == {name: getattr(value, "to_json", lambda value=value: value)() for name, value in theirs.items()}


@pytest.mark.parametrize(("kid", "mac"), [("kid-2", MAC), ("kid-1", MAC[:-4] + "AAAA")])
def test_fail_a_binding_that_does_not_verify(kid: str, mac: str) -> None:
    """The twin: another key or another identifier opens nothing, and the hint names all that could be wrong."""

    async def play(ca: FakeCA, client: Client) -> None:
        with pytest.raises(Problem, match="the binding does not verify") as refused:
            await client.register((), True, Binding(kid, mac))
        assert "eab_kid, eab_hmac_key and eab_algorithm" in refused.value.hint
        assert ca.accounts == {}
        assert mac not in f"{refused.value} {refused.value.hint} {refused.value.fields()}"

    _played(play)


def test_fail_a_ca_that_wants_a_binding_gets_none() -> None:
    """Nothing is sent that could only be refused; the hint names the keys to set."""

    async def play(ca: FakeCA, client: Client) -> None:
        with pytest.raises(ConfigError, match="bound to one you have there") as refused:
            await client.register((), True)
        assert "eab_kid" in refused.value.hint
        assert "eab_hmac_key" in refused.value.hint
        assert [post.json() for post in ca.posts] == [{"onlyReturnExisting": True}]

    _played(play)


def test_an_account_that_is_bound_already_is_found_without_the_binding() -> None:
    """Its key may be long gone, as is the CA's side of it."""

    async def play(ca: FakeCA, client: Client) -> None:
        url = await client.register((), True, Binding("kid-1", MAC))
        ca.members.mac_keys = {"another": b"x"}
        async with opened(ca) as second:
            assert await second.register((), True) == url
            assert second.account_url == url

    _played(play)


@pytest.mark.parametrize("kind", ["externalAccountRequired", "accountDoesNotExist"])
def test_a_ca_that_asks_even_to_find_an_account_for_a_binding_knows_of_none(kind: str) -> None:
    """Either way the answer is that there is none."""

    async def play(ca: FakeCA, client: Client) -> None:
        ca.scripts["new-account"] = [refusal(403, kind)]
        assert await client.find() is None

    _played(play)


KEYS = {
    "fail_padded": (MAC[:-1] + "=", "padded", "leave out every '='"),
    "fail_padded_twice": (MAC[:-2] + "==", "padded", "leave out every '='"),
    "fail_space": (MAC[:8] + " " + MAC[8:], "white space", "one word"),
    "fail_newline": (MAC + "\n", "white space", "one word"),
    "fail_tab": ("\t" + MAC, "white space", "one word"),
    "fail_plus": ("abc+" + MAC, "wrong alphabet", "'-' for each '+'"),
    "fail_slash": ("abc/" + MAC, "wrong alphabet", "'_' for each '/'"),
    "fail_quoted": (f'"{MAC}"', "not base64url", "A-Z, a-z, 0-9, '-' and '_'"),
    "fail_letter": ("é" + MAC, "not base64url", "A-Z, a-z, 0-9, '-' and '_'"),
    "fail_inner_padding": ("ab=d" + MAC, "not base64url", "without '='"),
    "fail_cut": (MAC[:-3], "cut off", "copy it anew"),
    "fail_empty": ("", "empty", "copy the key"),
}


@pytest.mark.parametrize(("text", "reason", "hint"), KEYS.values(), ids=KEYS)
def test_a_key_that_was_not_copied_whole_is_refused(text: str, reason: str, hint: str) -> None:
    """RFC 8555 section 7.3.4 has base64url; what is wrong is said, the key is not shown."""
    with pytest.raises(ConfigError, match=reason) as refused:
        Binding("kid-1", text)
    assert refused.value.key == "eab_hmac_key"
    assert hint in refused.value.hint
    told = f"{refused.value} {refused.value.hint} {refused.value.fields()}"
    assert not re.search(f"{MAC[8:20]}|{MAC[-20:-8]}", told)


@pytest.mark.parametrize("kid", ["", " kid", "kid\n", "k\x00d"])
def test_fail_an_identifier_that_is_none(kid: str) -> None:
    """Another key of the configuration is named."""
    with pytest.raises(ConfigError) as refused:
        Binding(kid, MAC)
    assert refused.value.key == "eab_kid"


def test_fail_an_algorithm_that_nobody_binds_with() -> None:
    """The hint has those there are."""
    unknown: Any = "RS256"
    with pytest.raises(ConfigError, match="RS256") as refused:
        Binding("kid-1", MAC, unknown)
    assert (refused.value.key, "HS256, HS384, HS512" in refused.value.hint) == ("eab_algorithm", True)


def test_a_binding_does_not_show_its_key() -> None:
    """Nor does what goes to the CA hold it."""
    binding = Binding("kid-1", MAC)
    key = AccountKey(account_key())
    assert MAC not in repr(binding) + str(binding) + str(binding.payload(key, "https://ca.test/"))
    assert isinstance(jwk.JWK.from_json(key.jwk()), jwk.JWKEC)
