"""The check of CAA: what a CA must refuse is found before it is asked, with the record that would permit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from dnsbroker.checks.caa import Authority, caa, caa_servers
from dnsbroker.clock import SystemClock
from dnsbroker.findings import Finding, Severity
from dnsbroker.lookup.caa import CAASets
from dnsbroker.lookup.exchange import Exchange
from dnsbroker.lookup.place import Finder
from dnsbroker.testing.nameserver import NameServers
from dnsbroker.testing.tree import Tree

ACCOUNT = "https://ca.test/acme/acct/7"
OURS = Authority(("ca.test", "second.ca.test"), ACCOUNT)
RECORDS = "@ NS ns1\n@ NS ns2\nns1 A 127.0.0.21\nns2 A 127.0.0.22\nwww A 127.0.0.100\n"
IPS = ("127.0.0.21", "127.0.0.22")


@pytest.fixture
def tree() -> Iterator[Tree]:
    """``example.test`` at two servers, and ``other.test`` at a third."""
    with NameServers() as servers:
        made = Tree(servers)
        made.zone("example.test.", RECORDS, *IPS)
        made.zone("other.test.", "@ NS ns\nns A 127.0.0.31\ncdn A 127.0.0.100\n", "127.0.0.31")
        made.delegate("example NS ns1.example", "example NS ns2.example", "other NS ns.other")
        made.delegate("ns1.example A 127.0.0.21", "ns2.example A 127.0.0.22", "ns.other A 127.0.0.31")
        yield made


def have(tree: Tree, *lines: str, zone: str = "example.test.") -> None:
    """Have these records in every copy of ``zone``."""
    for server in tree.servers.servers:
        for each in server.zones:
            if each.origin == zone:
                each.add(*lines)


def found(tree: Tree, *names: str, authority: Authority = OURS) -> list[Finding]:
    """What the check finds for ``names``, asked for at once, as a run does."""

    async def story() -> list[Finding]:
        clock, exchange = SystemClock(), Exchange(10.0, 10.0)
        sets = CAASets(Finder(tree.config(), exchange, clock), clock)
        told = await asyncio.gather(*(caa(name, sets, authority) for name in names))
        return [finding for findings in told for finding in findings]

    return asyncio.run(story())


def at_servers(tree: Tree) -> list[Finding]:
    """What the check of the zone's servers finds."""

    async def story() -> list[Finding]:
        exchange = Exchange(10.0, 10.0)
        zone = await Finder(tree.config(), exchange, SystemClock()).zone_of("example.test.")
        return list(await caa_servers(zone, exchange))

    return asyncio.run(story())


def checks(tree: Tree, name: str, authority: Authority = OURS) -> list[str]:
    """The kinds of what is found."""
    return [finding.check for finding in found(tree, name, authority=authority)]


def test_without_caa_records_anybody_may_issue(tree: Tree) -> None:
    """Up to the top-level domain, and no resolver hears the name."""
    assert found(tree, "www.example.test", "*.www.example.test") == []
    assert not [question for question in tree.servers.asked(tree.resolver) if "example" in question]


@pytest.mark.parametrize(
    "value",
    [
        "ca.test",
        "CA.Test",
        " second.ca.test ; ",
        "ca.test; unknown=1",
        f"ca.test; accounturi={ACCOUNT}",
        f"ca.test;validationmethods=http-01,dns-01 ;accounturi = {ACCOUNT}",
    ],
)
def test_a34_a_record_that_permits(tree: Tree, value: str) -> None:
    """Whatever the case and the blanks, and with parameters that hold."""
    have(tree, f'@ CAA 0 issue "{value}"')
    assert checks(tree, "www.example.test") == []


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("elsewhere.test", "permits elsewhere.test"),
        (";", "permits nobody"),
        ("", "permits nobody"),
        ("ca.test.", "is malformed"),
        ("ca .test", "is malformed"),
        ("%%%%%", "is malformed"),
        ("ca.test; accounturi", "is malformed"),
        ("ca.test; a=b c=d", "is malformed"),
        ("notca.test", "permits notca.test"),
        (f"ca.test; accounturi={ACCOUNT}0", f"permits another account than {ACCOUNT}"),
        (f"ca.test; accounturi={ACCOUNT}; accounturi={ACCOUNT}", "has a parameter twice"),
        ("ca.test; validationmethods=http-01", "does not permit dns-01"),
        ("ca.test; validationmethods=", "does not permit dns-01"),
        (f"ca.test; accounturi={ACCOUNT}; validationmethods=tls-alpn-01", "does not permit dns-01"),
    ],
)
def test_a34_a_record_that_does_not_permit(tree: Tree, value: str, reason: str) -> None:
    """The record that is missing is told as zone files have it, at the name where the others stand."""
    have(tree, f'@ CAA 0 issue "{value}"')
    (finding,) = found(tree, "www.example.test")
    assert (finding.check, finding.severity) == ("caa-forbids", Severity.ERROR)
    assert reason in finding.message
    assert finding.hint == f'add beside it: example.test. CAA 0 issue "ca.test; accounturi={ACCOUNT}"'
    assert finding.evidence[0].record == f'example.test. CAA 0 issue "{value}"'


def test_the_record_that_is_advised_permits(tree: Tree) -> None:
    """Beside the one that does not."""
    have(tree, '@ CAA 0 issue ";"')
    (finding,) = found(tree, "example.test")
    have(tree, finding.hint.partition(": ")[2].replace("example.test. ", "@ ", 1))
    assert found(tree, "example.test") == []


def test_what_a_terminal_would_obey_is_told_as_digits(tree: Tree) -> None:
    """A zone's owner writes what they like."""
    have(tree, '@ CAA 0 issue "ca.test\\027[2J"')
    (finding,) = found(tree, "example.test")
    assert "'0 issue \"ca.test\\027[2J\"' is malformed" in finding.message


def test_any_of_several_records_permits(tree: Tree) -> None:
    """And records about other things restrict nothing."""
    have(tree, '@ CAA 0 issue ";"', '@ CAA 0 issue "elsewhere.test"', '@ CAA 0 issue "ca.test"')
    have(tree, '@ CAA 0 iodef "mailto:a@example.test"')
    assert checks(tree, "example.test") == []


def test_records_about_other_things_alone_restrict_nothing(tree: Tree) -> None:
    """Neither do unknown ones that are not critical; but they end the climb."""
    have(tree, '@ CAA 0 issue ";"')
    have(tree, 'www CAA 0 iodef "mailto:a@example.test"', 'www CAA 0 surprise "1"', 'www CAA 0 issuemail ";"')
    assert checks(tree, "www.example.test") == []


def test_a34_wildcards_have_records_of_their_own(tree: Tree) -> None:
    """``issuewild`` replaces ``issue`` for them, and says nothing about other names."""
    have(tree, '@ CAA 0 issue "ca.test"', '@ CAA 0 issuewild ";"')
    assert checks(tree, "example.test") == []
    (finding,) = found(tree, "*.example.test")
    assert finding.subject == "*.example.test"
    assert f'CAA 0 issuewild "ca.test; accounturi={ACCOUNT}"' in finding.hint
    have(tree, '@ CAA 0 issuewild "ca.test"')
    assert checks(tree, "*.example.test") == []


def test_issuewild_alone_leaves_other_names_free(tree: Tree) -> None:
    """And ``issue`` alone holds for wildcards too."""
    have(tree, '@ CAA 0 issuewild "elsewhere.test"', 'www CAA 0 issue "elsewhere.test"')
    assert checks(tree, "example.test") == []
    assert checks(tree, "*.www.example.test") == ["caa-forbids"]


@pytest.mark.parametrize("flags", [128, 1])
def test_a_critical_record_that_nobody_knows_forbids(tree: Tree, flags: int) -> None:
    """Whatever else permits; 1 is taken for it by some CAs."""
    have(tree, f'@ CAA {flags} surprise "1"', '@ CAA 0 issue "ca.test"')
    (finding,) = found(tree, "example.test")
    assert (finding.check, finding.severity) == ("caa-forbids", Severity.ERROR)
    assert f"'{flags} surprise" in finding.message
    assert "remove it from example.test" in finding.hint


def test_a_critical_record_that_cas_know_forbids_nothing(tree: Tree) -> None:
    """The flag is for those who do not know the tag."""
    have(tree, '@ CAA 128 issue "ca.test"', '@ CAA 128 iodef "mailto:a@example.test"')
    assert checks(tree, "example.test") == []


@pytest.mark.parametrize("tag", ["contactemail", "contactphone"])
def test_a_critical_record_that_some_cas_know_is_a_warning(tree: Tree, tag: str) -> None:
    """They are for methods of validation that not every CA offers; and only where it is critical."""
    have(tree, f'@ CAA 128 {tag} "x"', '@ CAA 0 issue "ca.test"')
    (finding,) = found(tree, "example.test")
    assert (finding.check, finding.severity) == ("caa-forbids", Severity.WARNING)
    assert f"'128 {tag} \"x\"'" in finding.message and "some CAs" in finding.message
    have(tree, f'www CAA 0 {tag} "x"', 'www CAA 0 issue "ca.test"')
    assert checks(tree, "www.example.test") == []


def test_the_nearest_set_counts_alone(tree: Tree) -> None:
    """One above it neither adds nor takes away."""
    have(tree, '@ CAA 0 issue ";"', 'www CAA 0 issue "ca.test"')
    assert checks(tree, "deep.www.example.test") == []
    assert checks(tree, "example.test") == ["caa-forbids"]


def test_what_a_wildcard_makes_is_gone_once_a_challenge_stands_below(tree: Tree) -> None:
    """The name is there then, and empty, so that the CA climbs on to the apex."""
    have(tree, '* CAA 0 issue "elsewhere.test"')
    assert checks(tree, "new.example.test") == checks(tree, "deep.new.example.test") == []
    have(tree, '@ CAA 0 issue ";"')
    (finding,) = found(tree, "new.example.test")
    assert "CAA at example.test does not permit" in finding.message


def test_what_stands_beside_a_wildcard_counts(tree: Tree) -> None:
    """The same set under the name itself is no wildcard's, and one below a name that exists makes nothing."""
    have(tree, '* CAA 0 issue "elsewhere.test"', 'new CAA 0 issue "elsewhere.test"', "old A 127.0.0.100")
    assert checks(tree, "new.example.test") == ["caa-forbids"]
    assert checks(tree, "old.example.test") == []


def test_no_random_name_is_asked_about_above_an_apex(tree: Tree) -> None:
    """Whoever serves the parent is not to wonder; an apex is no wildcard's."""
    have(tree, '@ CAA 0 issue "elsewhere.test"')
    assert checks(tree, "example.test") == ["caa-forbids"]
    assert [name for name in tree.servers.asked() if len(name.partition(".")[0]) == 14] == []


def test_the_climb_leaves_the_zone(tree: Tree) -> None:
    """Up to the top-level domain."""
    have(tree, '@ CAA 0 issue "elsewhere.test"', zone="test.")
    (finding,) = found(tree, "www.example.test")
    assert "CAA at test does not permit" in finding.message


def test_a34_an_alias_leads_to_another_owner_set(tree: Tree) -> None:
    """The hint says where the records stand, and that the alias could go."""
    have(tree, "shop CNAME cdn.other.test.", '@ CAA 0 issue "ca.test"')
    have(tree, 'cdn CAA 0 issue "elsewhere.test"', zone="other.test.")
    (finding,) = found(tree, "shop.example.test")
    assert "CAA at cdn.other.test does not permit" in finding.message
    assert "cdn.other.test. CAA 0 issue" in finding.hint
    assert "have shop.example.test" in finding.hint


def test_nobody_climbs_from_where_an_alias_leads(tree: Tree) -> None:
    """What stands above the target does not matter; what stands above the alias does (RFC 8659 section 3)."""
    have(tree, "shop CNAME cdn.other.test.")
    have(tree, '@ CAA 0 issue "elsewhere.test"', zone="other.test.")
    assert checks(tree, "shop.example.test") == []
    have(tree, '@ CAA 0 issue ";"')
    assert checks(tree, "shop.example.test") == ["caa-forbids"]


def test_a_dname_is_followed_too(tree: Tree) -> None:
    """By the CNAME that it makes."""
    have(tree, "sub DNAME other.test.")
    have(tree, 'cdn CAA 0 issue "elsewhere.test"', zone="other.test.")
    assert checks(tree, "cdn.sub.example.test") == ["caa-forbids"]


def test_where_the_challenge_is_delegated_does_not_matter(tree: Tree) -> None:
    """The domain name's own tree counts."""
    have(tree, "_acme-challenge CNAME x.other.test.")
    have(tree, '@ CAA 0 issue ";"', zone="other.test.")
    assert checks(tree, "example.test") == []


def test_an_account_that_is_not_registered_yet_is_a_notice(tree: Tree) -> None:
    """Its URL is the CA's to choose; another CA's record is an error all the same."""
    unregistered = Authority(("ca.test",), "")
    have(tree, f'@ CAA 0 issue "ca.test; accounturi={ACCOUNT}"', 'www CAA 0 issue "elsewhere.test"')
    (finding,) = found(tree, "example.test", authority=unregistered)
    assert (finding.check, finding.severity) == ("caa-account", Severity.NOTICE)
    (finding,) = found(tree, "www.example.test", authority=unregistered)
    assert finding.hint == 'add beside it: www.example.test. CAA 0 issue "ca.test"'


def test_a_ca_without_published_names_is_a_notice_where_caa_restricts(tree: Tree) -> None:
    """And nothing anywhere else."""
    nameless = Authority((), ACCOUNT)
    assert checks(tree, "example.test", nameless) == []
    have(tree, '@ CAA 0 issue "ca.test"')
    (finding,) = found(tree, "example.test", authority=nameless)
    assert (finding.check, finding.severity) == ("caa-unknown", Severity.NOTICE)


@pytest.mark.parametrize("value", [";", "%%%%%", ""])
def test_what_permits_no_ca_at_all_forbids_one_without_published_names_too(tree: Tree, value: str) -> None:
    """A warning only: a private CA may well not look at CAA (RFC 8659 section 4.2 says what others do)."""
    nameless = Authority((), ACCOUNT)
    have(tree, f'@ CAA 0 issue "{value}"')
    (finding,) = found(tree, "example.test", authority=nameless)
    assert (finding.check, finding.severity) == ("caa-forbids", Severity.WARNING)
    assert "permits no CA at all" in finding.message
    have(tree, '@ CAA 0 issue "any.test"')
    assert checks(tree, "example.test", nameless) == ["caa-unknown"]


def test_a_critical_record_at_a_ca_without_published_names_is_a_warning(tree: Tree) -> None:
    """For the same reason."""
    have(tree, '@ CAA 128 surprise "1"')
    (finding,) = found(tree, "example.test", authority=Authority((), ACCOUNT))
    assert (finding.check, finding.severity) == ("caa-forbids", Severity.WARNING)


def test_forty_names_of_a_zone_ask_for_what_they_share_once(tree: Tree) -> None:
    """One question for each name, one for each ancestor."""
    found(tree, *(f"h{number}.example.test" for number in range(40)))
    asked = [question for question in tree.servers.asked() if question.endswith("CAA")]
    assert len(asked) == len(set(asked)) == 42


def test_a_name_whose_alias_leads_to_servers_that_fail_is_an_error(tree: Tree) -> None:
    """The CA gets no answer there either, and that is no permission."""
    have(tree, "shop CNAME cdn.other.test.")
    tree.server("127.0.0.31").behaviour.failing = frozenset({"CAA"})
    (finding,) = found(tree, "shop.example.test")
    assert (finding.check, finding.severity) == ("caa-servfail", Severity.ERROR)
    assert "SERVFAIL" in finding.message


@pytest.mark.parametrize("rcode", ["REFUSED", None])
def test_a_name_whose_alias_leads_to_servers_that_do_not_answer_us_is_a_warning(tree: Tree, rcode: str | None) -> None:
    """They may answer the CA."""
    have(tree, "shop CNAME cdn.other.test.")
    if rcode is None:
        tree.server("127.0.0.31").stop()
    else:
        tree.server("127.0.0.31").behaviour.rcode = rcode
    (finding,) = found(tree, "shop.example.test")
    assert (finding.check, finding.severity) == ("caa-servfail", Severity.WARNING)


def test_a_name_for_which_every_server_fails_is_an_error(tree: Tree) -> None:
    """And while one answers, its word is taken."""
    tree.server(IPS[0]).behaviour.failing = frozenset({"CAA"})
    assert found(tree, "www.example.test") == []
    tree.server(IPS[1]).behaviour.failing = frozenset({"CAA"})
    (finding,) = found(tree, "www.example.test")
    assert (finding.check, finding.severity) == ("caa-servfail", Severity.ERROR)


def test_where_one_server_fails_and_one_is_silent_it_is_a_warning(tree: Tree) -> None:
    """The silent one may have answered the CA."""
    tree.server(IPS[0]).behaviour.failing = frozenset({"CAA"})
    tree.server(IPS[1]).stop()
    (finding,) = found(tree, "www.example.test")
    assert (finding.check, finding.severity) == ("caa-servfail", Severity.WARNING)


def test_aliases_in_a_circle_are_a_warning(tree: Tree) -> None:
    """As a resolver fails at them."""
    have(tree, "shop CNAME buy", "buy CNAME shop")
    (finding,) = found(tree, "shop.example.test")
    assert "turn in a circle" in finding.message


def test_a_top_level_domain_that_does_not_answer_us_is_a_notice(tree: Tree) -> None:
    """This host may not be let out; the CA is."""
    tree.top.behaviour.failing = frozenset({"CAA"})
    (finding,) = found(tree, "www.example.test")
    assert (finding.check, finding.severity) == ("caa-unknown", Severity.NOTICE)


def test_n34_one_server_that_fails_for_caa(tree: Tree) -> None:
    """A CA that meets it must not issue; the others are no help then."""
    tree.server(IPS[1]).behaviour.failing = frozenset({"CAA"})
    (finding,) = at_servers(tree)
    assert (finding.check, finding.severity) == ("caa-servfail", Severity.WARNING)
    assert [(one.server.partition(" ")[0], one.record) for one in finding.evidence] == [
        ("ns2.example.test", "CAA: SERVFAIL")
    ]


def test_n34_every_server_that_fails_for_caa_is_an_error(tree: Tree) -> None:
    """Nobody can issue then."""
    for ip in IPS:
        tree.server(ip).behaviour.failing = frozenset({"CAA"})
    (finding,) = at_servers(tree)
    assert finding.severity is Severity.ERROR
    assert finding.message.startswith("every server")


def test_servers_that_answer_for_caa_or_for_nothing_are_passed_in_silence(tree: Tree) -> None:
    """One that is down is named once, by the check of servers."""
    assert at_servers(tree) == []
    tree.server(IPS[1]).behaviour.rcode = "REFUSED"
    assert at_servers(tree) == []
    tree.server(IPS[1]).stop()
    assert at_servers(tree) == []
