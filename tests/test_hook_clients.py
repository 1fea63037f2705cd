"""What each client's words mean: the contracts of certbot, dehydrated, lego, acme.sh and uacme, as plain values."""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsbroker.cli.hook import CLIENTS, acmesh, certbot, dehydrated, lego, uacme
from dnsbroker.cli.hook.challenge import Declined, own_run
from dnsbroker.errors import ConfigError
from dnsbroker.hooking.calls import Admit, Cleanup, Deploy, Ended, Present, Refused, Started, Stumbled

VALUE = "LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_gmtoM"
OTHER = "-" + VALUE[1:]
PLACE = "_acme-challenge.example.org."
AUTH = {
    "CERTBOT_DOMAIN": "example.org",
    "CERTBOT_VALIDATION": VALUE,
    "CERTBOT_REMAINING_CHALLENGES": "1",
    "CERTBOT_ALL_DOMAINS": "www.example.org,example.org",
}
BASE = {"BASEDIR": "/var/lib/dehydrated"}
GROUP = 4711
NAMESPACE = os.stat("/proc/self/ns/pid").st_ino
SESSION = f"dehydrated /var/lib/dehydrated {NAMESPACE} {GROUP} 0"
LIVE = "/var/lib/dehydrated/certs/example.org"
FILES = [f"{LIVE}/{name}.pem" for name in ("privkey", "cert", "fullchain", "chain")]


@pytest.fixture(autouse=True)
def group(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is told, wherever these tests run."""
    monkeypatch.setattr(os, "getpgrp", lambda: GROUP)


def without(*names: str) -> dict[str, str]:
    """What certbot puts into the environment, less some of it."""
    return {name: text for name, text in AUTH.items() if name not in names}


def test_certbot_s_call_is_one_of_a_run_that_its_names_tell() -> None:
    """In any order, which is the CA's; and in the environment of 2.1.0, which has no identifiers."""
    call = certbot.call(["auth"], AUTH)
    session = own_run("certbot example.org,www.example.org", "certbot")
    assert call == Present(session, {PLACE: [VALUE]}, following=1, is_first=True, is_heeded=False, is_spaced=True)
    last = certbot.call(["auth"], {**AUTH, "CERTBOT_REMAINING_CHALLENGES": "0"})
    assert last == Present(session, {PLACE: [VALUE]}, is_heeded=False, is_spaced=True)
    turned = certbot.call(["auth"], {**AUTH, "CERTBOT_ALL_DOMAINS": "example.org,www.example.org"})
    assert turned == call
    newer = {"CERTBOT_IDENTIFIER": "example.org", "CERTBOT_ALL_IDENTIFIERS": "www.example.org,example.org"}
    assert certbot.call(["auth"], {**AUTH, **newer}) == call
    assert certbot.call(["cleanup"], AUTH) == Cleanup(session, {PLACE: [VALUE]})


@pytest.mark.parametrize("missing", ["CERTBOT_REMAINING_CHALLENGES", "CERTBOT_ALL_DOMAINS"])
def test_a_value_is_not_kept_back_for_calls_that_nobody_has_announced(missing: str) -> None:
    """Nor where they would belong to a run that cannot be told from others."""
    call = certbot.call(["auth"], without(missing))
    assert isinstance(call, Present)
    assert (call.following, call.is_first) == (0, False)


@pytest.mark.parametrize("word", ["auth", "cleanup"])
def test_what_certbot_left_of_an_earlier_certificate_changes_no_challenge(word: str) -> None:
    """It never clears its environment."""
    stale = {"CERTBOT_AUTH_OUTPUT": "dnsbroker 12", "RENEWED_LINEAGE": "/live/a", "RENEWED_DOMAINS": "a.example"}
    assert certbot.call([word], {**AUTH, **stale}) == certbot.call([word], AUTH)


def test_certbot_s_deploy_hook_deploys_whatever_challenge_is_still_in_the_environment() -> None:
    """The word decides, not a variable."""
    lineage = {"RENEWED_LINEAGE": "/etc/letsencrypt/live/example.org", "CERTBOT_TOKEN": "stale"}
    wanted = Deploy("", Path("/etc/letsencrypt/live/example.org"), is_alone=True)
    assert certbot.call(["deploy"], {**AUTH, **lineage}) == wanted == certbot.call(["deploy"], lineage)


@pytest.mark.parametrize(
    ("word", "environment", "named"),
    [
        ("auth", {**AUTH, "CERTBOT_TOKEN": "t"}, "http-01"),
        ("auth", {**AUTH, "CERTBOT_TOKEN": ""}, "http-01"),
        ("cleanup", {**AUTH, "CERTBOT_TOKEN": "t"}, "http-01"),
        ("auth", without("CERTBOT_DOMAIN"), "CERTBOT_DOMAIN"),
        ("cleanup", without("CERTBOT_DOMAIN"), "CERTBOT_DOMAIN"),
        ("auth", {**AUTH, "CERTBOT_DOMAIN": "192.0.2.1"}, "CERTBOT_DOMAIN"),
        ("auth", without("CERTBOT_VALIDATION"), "CERTBOT_VALIDATION"),
        ("auth", {**AUTH, "CERTBOT_VALIDATION": f"token.{VALUE}"}, "CERTBOT_VALIDATION"),
        ("auth", {**AUTH, "CERTBOT_REMAINING_CHALLENGES": "-1"}, "CERTBOT_REMAINING_CHALLENGES"),
        ("auth", {**AUTH, "CERTBOT_REMAINING_CHALLENGES": "9" * 5000}, "CERTBOT_REMAINING_CHALLENGES"),
        ("deploy", AUTH, "RENEWED_LINEAGE"),
        ("deploy", {"RENEWED_LINEAGE": ""}, "RENEWED_LINEAGE"),
        ("post", AUTH, "'post'"),
    ],
)
def test_what_is_no_call_of_certbot_s_for_dns_is_refused_and_named(
    word: str, environment: dict[str, str], named: str
) -> None:
    """With the way to call it."""
    with pytest.raises(ConfigError, match=named) as refused:
        certbot.call([word], environment)
    assert refused.value.hint


def test_certbot_s_words_take_no_arguments() -> None:
    """What stands there was meant as an option."""
    with pytest.raises(ConfigError, match="--json") as refused:
        certbot.call(["auth", "--json"], AUTH)
    assert "before the word" in refused.value.hint


def test_dehydrated_s_single_call_is_a_chain_of_one() -> None:
    """A token or value that begins with a dash is one like any other."""
    call = dehydrated.call(["deploy_challenge", "example.org", "-token", OTHER], BASE)
    assert call == Present(SESSION, {PLACE: [OTHER]}, {OTHER: "-token"})
    assert dehydrated.call(["clean_challenge", "example.org", "-token", OTHER], BASE) == Cleanup(
        SESSION, {PLACE: [OTHER]}, is_forgiving=True
    )


def test_dehydrated_s_chain_is_one_call_with_all_values() -> None:
    """Those of the apex and of its wildcard at one name."""
    chain = ["example.org", "a", VALUE, "example.org", "b", OTHER, "www.example.org", "c", VALUE]
    call = dehydrated.call(["deploy_challenge", *chain], BASE)
    values = {PLACE: [VALUE, OTHER], "_acme-challenge.www.example.org.": [VALUE]}
    assert isinstance(call, Present)
    assert (call.values, call.is_heeded, call.following) == (values, True, 0)
    assert dehydrated.call(["clean_challenge", *chain], BASE) == Cleanup(SESSION, values, is_forgiving=True)


@pytest.mark.parametrize("hook", ["deploy_challenge", "clean_challenge"])
@pytest.mark.parametrize("count", [0, 1, 2, 4, 5, 8])
def test_a_chain_that_is_not_made_of_triples_is_refused_whole(hook: str, count: int) -> None:
    """Also those of it that could be read."""
    told = (["example.org", "token", VALUE] * 3)[:count]
    with pytest.raises(ConfigError, match=rf"DOMAIN TOKEN VALUE.*given {count} argument"):
        dehydrated.call([hook, *told], BASE)


def test_one_wrong_value_refuses_the_whole_chain() -> None:
    """What looks like a challenge of another kind is that of its own token."""
    for wrong in (f"other.{VALUE}", VALUE[1:], ":".join(["0f"] * 31), ""):
        with pytest.raises(ConfigError, match=r"VALUE of deploy_challenge for 'b\.example'"):
            dehydrated.call(["deploy_challenge", "a.example", "t", VALUE, "b.example", "t", wrong], BASE)


#: As dehydrated passes them for http-01 and tls-alpn-01.
OTHER_KINDS = [f"-token.{VALUE}", ":".join(["0f"] * 32)]


@pytest.mark.parametrize("hook", ["deploy_challenge", "clean_challenge"])
@pytest.mark.parametrize("value", OTHER_KINDS)
def test_a_challenge_of_another_kind_is_none_of_ours(hook: str, value: str) -> None:
    """A certificate may have a CHALLENGETYPE of its own, and a hook that fails would end the run for all."""
    assert dehydrated.call([hook, "example.org", "-token", value], BASE) is None


@pytest.mark.parametrize("hook", ["deploy_challenge", "clean_challenge"])
def test_of_a_chain_with_several_kinds_only_ours_is_taken(hook: str) -> None:
    """Whatever stands first; the others' names need not even be a domain's."""
    chain = ["192.0.2.1", "-token", OTHER_KINDS[0], "example.org", "b", OTHER, "example.org", "-token", OTHER_KINDS[1]]
    call = dehydrated.call([hook, *chain], BASE)
    assert isinstance(call, Present | Cleanup)
    assert call.values == {PLACE: [OTHER]}
    if isinstance(call, Present):
        assert call.tokens == {OTHER: "b"}


def test_an_argument_that_is_empty_is_called_so() -> None:
    """Nobody has written a bad name there."""
    for client, told, what in (
        (uacme, ["begin", "dns-01", "", "t", VALUE], "IDENT"),
        (dehydrated, ["deploy_challenge", "", "t", VALUE], "DOMAIN of deploy_challenge"),
        (lego, ["present", "", VALUE], "FQDN"),
        (acmesh, ["rm", "", VALUE], "NAME"),
    ):
        with pytest.raises(ConfigError, match=f"^{what} is empty$"):
            client.call(told, BASE)


@pytest.mark.parametrize(
    "hook", ["generate_csr", "request_failure", "deploy_ocsp", "this_hookscript_is_broken__x", "some_hook_of_2031"]
)
def test_a_hook_that_needs_nothing_is_accepted_with_any_arguments(hook: str) -> None:
    """As dehydrated asks for those to come."""
    assert dehydrated.call([hook], BASE) is dehydrated.call([hook, "-x", "", "\udcff"], BASE) is None


@pytest.mark.parametrize("hook", ["", "Deploy_challenge", "certbot-auth", "--config"])
def test_what_is_no_hook_s_name_is_refused(hook: str) -> None:
    """The twin: what is accepted is a name, not anything."""
    with pytest.raises(ConfigError, match="dehydrated"):
        dehydrated.call([hook], BASE)


def test_only_an_exit_hook_without_an_argument_is_the_end_of_the_run() -> None:
    """An empty one is an error too."""
    assert dehydrated.call(["exit_hook"], BASE) == Ended(SESSION)
    assert dehydrated.call(["exit_hook", ""], BASE) == Stumbled(SESSION)
    assert dehydrated.call(["exit_hook", "no nonce"], BASE) == Stumbled(SESSION)
    assert dehydrated.call(["startup_hook"], BASE) == Started(SESSION)


def test_a_run_that_cannot_be_told_is_no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand, without dehydrated's environment; in group 0, as all are in whose leader is outside their container."""
    assert dehydrated.call(["exit_hook"], {}) == Ended("")
    assert dehydrated.call(["exit_hook"], {"BASEDIR": ""}) == Ended("")
    monkeypatch.setattr(os, "getpgrp", lambda: 0)
    assert dehydrated.call(["startup_hook"], BASE) == Started("")


def test_octets_that_are_no_text_are_escaped_before_anything_keeps_them() -> None:
    """A journal takes text alone."""
    call = dehydrated.call(["exit_hook", "\udce9"], {"BASEDIR": "/\udce9"})
    assert call == Stumbled(f"dehydrated /\\udce9 {NAMESPACE} {GROUP} 0")


def test_a_refused_challenge_is_passed_on_with_all_that_was_answered() -> None:
    """Which one it was is told by the token in the answer, not by the name."""
    response = '["type"]\t"dns-01"\n["token"]\t"abc"'
    assert dehydrated.call(["invalid_challenge", "b.example", response], BASE) == Refused(
        SESSION, "b.example", response
    )
    assert dehydrated.call(["invalid_challenge"], BASE) == Refused(SESSION, "", "")


def test_a_deployment_is_that_of_the_certificate_s_directory() -> None:
    """The domain may be a wildcard whose directory has another name; later versions may pass more."""
    for domain in ("*.example.org", "example.org"):
        call = dehydrated.call(["deploy_cert", domain, *FILES, "1700000000", "more"], BASE)
        assert call == Deploy(SESSION, Path(LIVE), is_new=True, is_heeded=False)
        unchanged = dehydrated.call(["unchanged_cert", domain, *FILES], BASE)
        assert unchanged == Deploy(SESSION, Path(LIVE), is_new=False, is_heeded=False)


def test_a_certificate_about_to_go_live_is_told_by_its_own_files() -> None:
    """Which have another name than those that are served."""
    key, cert, fullchain, chain = (path.replace(".pem", "-1700000000.pem") for path in FILES)
    call = dehydrated.call(["sync_cert", key, cert, fullchain, chain, f"{LIVE}/cert-1700000000.csr"], BASE)
    assert call == Admit(Path(LIVE), Path(cert), Path(fullchain), Path(key))


@pytest.mark.parametrize("hook", ["sync_cert", "deploy_cert", "unchanged_cert"])
def test_a_deployment_without_its_files_is_refused(hook: str) -> None:
    """So is one whose certificate has no path."""
    for told in ([], FILES[:3], ["", "", "", "", ""]):
        with pytest.raises(ConfigError, match=f"{hook} takes "):
            dehydrated.call([hook, *told], BASE)


def test_lego_s_two_modes_come_to_the_same() -> None:
    """RAW tells what the value is made of."""
    authorization = "token.thumbprint"
    value = urlsafe_b64encode(sha256(authorization.encode()).digest()).decode().rstrip("=")
    for word in ("present", "cleanup"):
        final = lego.call([word, PLACE, value], {})
        assert final == lego.call([word, "--", "example.org", "token", authorization], {})
    assert lego.call(["present", PLACE, value], {}) == Present("", {PLACE: [value]})
    assert lego.call(["cleanup", PLACE, value], {}) == Cleanup("", {PLACE: [value]})


def test_lego_has_followed_the_alias_already() -> None:
    """Its name is final, whatever it begins with."""
    call = lego.call(["present", "Challenges.Example.NET.", OTHER], {})
    assert call == Present("", {"challenges.example.net.": [OTHER]})


@pytest.mark.parametrize(
    "told",
    [
        [],
        ["present"],
        ["present", PLACE],
        ["present", PLACE, VALUE, "more"],
        ["present", PLACE, "short"],
        ["present", PLACE, VALUE + "="],
        ["present", "a..b", VALUE],
        ["present", "--", "example.org", "token"],
        ["present", "--", "example.org", "token", ""],
        ["present", "--", "example.org", "token", "é"],
        ["present", "--", "192.0.2.1", "token", "token.thumbprint"],
        ["timeout"],
    ],
)
def test_what_lego_never_passes_is_refused(told: list[str]) -> None:
    """Nothing of it is guessed."""
    with pytest.raises(ConfigError):
        lego.call(told, {})


def test_acme_sh_passes_the_full_name_without_its_last_dot() -> None:
    """An alias is applied already."""
    assert acmesh.call(["add", "_acme-challenge.example.org", OTHER], {}) == Present("", {PLACE: [OTHER]})
    assert acmesh.call(["rm", "_acme-challenge.example.org", OTHER], {}) == Cleanup("", {PLACE: [OTHER]})


@pytest.mark.parametrize("told", [[], ["add"], ["add", PLACE], ["rm", PLACE, ""], ["add", PLACE, VALUE, VALUE], ["ad"]])
def test_what_acme_sh_never_passes_is_refused(told: list[str]) -> None:
    """Nothing of it is guessed."""
    with pytest.raises(ConfigError):
        acmesh.call(told, {})


def test_uacme_is_told_by_its_arguments_alone() -> None:
    """Its variables are only those of newer versions; here they are another call's."""
    environment = {"UACME_METHOD": "done", "UACME_TYPE": "http-01", "UACME_IDENT": "b.example", "UACME_AUTH": "x"}
    for variables in ({}, environment):
        begin = uacme.call(["begin", "dns-01", "example.org", "-t", OTHER], variables)
        assert begin == Present("", {PLACE: [OTHER]})
        for word in ("done", "failed"):
            ended = uacme.call([word, "dns-01", "example.org", "-t", OTHER], variables)
            assert ended == Cleanup("", {PLACE: [OTHER]}, is_forgiving=True)


@pytest.mark.parametrize("kind", ["http-01", "tls-alpn-01", "DNS-01", ""])
def test_uacme_s_other_challenges_are_declined_and_nothing_is_done_at_their_end(kind: str) -> None:
    """So it comes to dns-01 by itself."""
    assert isinstance(uacme.call(["begin", kind, "example.org", "t", "x"], {}), Declined)
    assert uacme.call(["done", kind, "example.org", "t", "x"], {}) is None
    assert uacme.call(["failed", kind, "example.org", "t", "x"], {}) is None


@pytest.mark.parametrize(
    "told",
    [
        [],
        ["begin"],
        ["begin", "dns-01", "example.org", "t"],
        ["begin", "dns-01", "example.org", "t", VALUE, "more"],
        ["begin", "dns-01", "example.org", "t", "short"],
        ["begin", "dns-01", "_", "t", VALUE],
        ["ended", "dns-01", "example.org", "t", VALUE],
    ],
)
def test_what_uacme_never_passes_is_refused(told: list[str]) -> None:
    """Nothing of it is guessed."""
    with pytest.raises(ConfigError):
        uacme.call(told, {})


@pytest.mark.parametrize("name", ["example.org", "example.org.", "*.example.org", "*.EXAMPLE.org.", "Example.Org"])
def test_a_name_may_be_written_in_any_way(name: str) -> None:
    """With a dot at its end, as a wildcard, in upper case."""
    assert certbot.call(["cleanup"], {**AUTH, "CERTBOT_DOMAIN": name}) == certbot.call(["cleanup"], AUTH)
    for call in (
        dehydrated.call(["deploy_challenge", name, "t", VALUE], BASE),
        lego.call(["present", f"_acme-challenge.{name.removeprefix('*.')}", VALUE], {}),
        acmesh.call(["add", f"_acme-challenge.{name.removeprefix('*.')}", VALUE], {}),
        uacme.call(["begin", "dns-01", name, "t", VALUE], {}),
    ):
        assert isinstance(call, Present)
        assert call.values == {PLACE: [VALUE]}


def test_a_name_may_be_written_in_its_own_letters() -> None:
    """In Unicode it is the same one."""
    call = dehydrated.call(["deploy_challenge", "*.bücher.example", "t", VALUE], BASE)
    assert isinstance(call, Present)
    assert call.values == {"_acme-challenge.xn--bcher-kva.example.": [VALUE]}


KINDS = ("dns-01", "http-01")
ARGUMENTS = st.lists(
    st.one_of(
        st.text(st.characters(exclude_characters="\0"), max_size=50),
        st.sampled_from(
            [*CLIENTS, "auth", "cleanup", "deploy", "--", "", "-v", *KINDS, "example.org", "*.x.org.", VALUE]
        ),
    ),
    max_size=8,
)
ENVIRONMENT = st.dictionaries(st.sampled_from([*AUTH, "CERTBOT_TOKEN", "RENEWED_LINEAGE", "BASEDIR"]), st.text())
MODULES = {"certbot": certbot, "dehydrated": dehydrated, "lego": lego, "acme.sh": acmesh, "uacme": uacme}


@given(client=st.sampled_from(sorted(MODULES)), arguments=ARGUMENTS, environment=ENVIRONMENT)
def test_whatever_is_passed_is_a_call_or_an_error_of_ours(
    client: str, arguments: list[str], environment: dict[str, str]
) -> None:
    """And nothing but dns-01 values ever comes to be published."""
    try:
        call = MODULES[client].call(arguments, environment)
    except ConfigError as error:
        assert error.hint
        return
    if isinstance(call, Present | Cleanup):
        assert call.values
        for place, values in call.values.items():
            assert place.endswith(".")
            assert all(len(value) == 43 for value in values)
