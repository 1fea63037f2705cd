"""What a CA says of its certificates, and what becomes of that: windows, revocations, profiles, what an order replaces.

Said by a desk before Pebble where no CA program at hand does. A later process is one whose clock is ahead; certificates
live for four days, so that half of that is when they are due by age.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dnsbroker import keys
from dnsbroker.acme import Client
from dnsbroker.clock import SystemClock
from dnsbroker.transport import Connections
from household import credulous
from lab.acme2certifier import SecondCA
from lab.front_desk import FrontDesk, Refusal, Window
from later import DAY, HOUR, MINUTE, later
from program import Program, Ran

Configured = Callable[..., Program]
ZONE = "example.test"
LIFETIME = 4 * DAY
PAGE = "https://ca.example/incident/7"
#: The CAs in here believe everything, so that nobody has to wait for name servers.
AT_ONCE = {"require": "none", "settle": "1ms"}


@pytest.fixture(scope="module")
def running_desk(namespace: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontDesk]:
    """The desk of this module, before a Pebble of its own."""
    configuration = {"certificateValidityPeriod": int(LIFETIME)}
    pebble = credulous(tmp_path_factory.mktemp("pebble"), port=14150, configuration=configuration)
    with pebble, FrontDesk(pebble, port=14151) as desk:
        yield desk


@pytest.fixture
def desk(running_desk: FrontDesk) -> FrontDesk:
    """The desk as it was at the start, but offering renewal information."""
    running_desk.behave()
    running_desk.renewal_info = True
    running_desk.window = ahead(3 * DAY)
    return running_desk


def ahead(seconds: float, explanation: str = "") -> Window:
    """A window of an hour that begins so much later than now, or earlier."""
    start = datetime.now(UTC) + timedelta(seconds=seconds)
    return Window(start.isoformat(), (start + timedelta(hours=1)).isoformat(), explanation)


def at(ca: FrontDesk | SecondCA, **keys: object) -> dict[str, object]:
    """The configuration's part that goes there; one of these CAs opens no account without an address."""
    trust = ca.pebble.ca_file if isinstance(ca, FrontDesk) else ca.ca_file
    account = {"directory": ca.url, "ca_bundle": str(trust), "contact": [f"hostmaster@{ZONE}"]}
    return {"acme": account, "propagation": AT_ONCE, **keys}


def named(*names: str) -> dict[str, list[str]]:
    """Certificates of these names."""
    return {name: [f"{name}.{ZONE}"] for name in names}


def outcomes(ran: Ran) -> dict[str, tuple[str, str]]:
    """Status and reason of each certificate."""
    return {item["name"]: (item["status"], item["reason"]) for item in ran.result["certificates"]}


def statuses(ran: Ran) -> dict[str, str]:
    """What became of each certificate."""
    return {name: status for name, (status, _) in outcomes(ran).items()}


def id_of(dnsbroker: Program, name: str) -> str:
    """The identifier of the live certificate (RFC 9773 section 4.1)."""
    found = keys.renewal_id((dnsbroker.live(name) / "fullchain.pem").read_text())
    assert found
    return found


def advised(desk: FrontDesk) -> list[str]:
    """The identifiers that were asked about, in alphabetical order."""
    return sorted(one.path.rpartition("/")[2] for one in desk.asked("renewalInfo"))


# Windows

NONSENSE: dict[str, Window | Refusal] = {
    "inverted": Window("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"),
    "missing": Window(),
    "absurd": Window("0001-01-01T00:00:00Z", "99999-12-31T00:00:00Z"),
    "zoneless": Window("2026-01-01T00:00:00", "2026-01-02T00:00:00"),
    "unknown": Refusal(404, "malformed"),
}


def test_a_window_decides_and_nonsense_does_not(desk: FrontDesk, program: Configured) -> None:
    """Past: renewed, told why; to come: kept, even past half of the lifetime; none of sense: by age, and asked rarely.

    Who has expired is renewed without a question.
    """
    dnsbroker = program(named("past", "future", "failing", *NONSENSE), at(desk))
    dnsbroker("issue").succeeded()
    assert advised(desk) == [], "nobody asks about what was just issued"
    idents = {name: id_of(dnsbroker, name) for name in ("past", "future", "failing", *NONSENSE)}
    told: dict[str, Window | Refusal] = {"past": ahead(-HOUR, explanation=PAGE), "failing": Refusal(503), **NONSENSE}
    desk.windows = {idents[name]: window for name, window in told.items()}
    desk.forget()

    first = dnsbroker("--json", "renew").succeeded()
    status, reason = outcomes(first)["past"]
    assert (status, reason.startswith("the CA wants it renewed since 20")) == ("issued", True)
    assert PAGE in reason
    assert statuses(first) == {**dict.fromkeys(idents, "kept"), "past": "issued"}
    assert advised(desk) == sorted(idents.values())
    assert [order.sent.get("replaces") for order in desk.asked("newOrder")] == [idents["past"]]
    assert {item["certificate"] for item in first.named("warning")} == {"failing", *NONSENSE}

    desk.forget()
    dnsbroker("renew").succeeded()
    assert advised(desk) == [id_of(dnsbroker, "past")], "the new one, and none that was asked about just now"
    desk.forget()
    dnsbroker("renew", environment=later(5.9 * HOUR)).succeeded()
    assert advised(desk) == [idents["failing"]], "what may pass is asked again sooner"
    desk.forget()
    dnsbroker("renew", environment=later(6.1 * HOUR)).succeeded()
    assert set(advised(desk)) >= {idents[name] for name in ("future", *NONSENSE)}

    aged = dnsbroker("--json", "renew", environment=later(LIFETIME / 2 + HOUR)).succeeded()
    assert statuses(aged) == {**dict.fromkeys(idents, "issued"), "past": "kept", "future": "kept"}
    assert "past half of its lifetime since" in outcomes(aged)["inverted"][1]

    desk.forget()
    expired = dnsbroker("--json", "renew", environment=later(LIFETIME + HOUR)).succeeded()
    assert outcomes(expired)["future"][1].startswith("expired on")
    assert set(statuses(expired).values()) == {"issued"}
    assert advised(desk) == []


def test_nobody_is_asked_before_the_ca_allows(desk: FrontDesk, program: Configured) -> None:
    """Its Retry-After holds from a minute to a day; nothing else is contacted, and the moment stays as it was drawn."""
    desk.renewal_info = False
    dnsbroker = program(named("one"), at(desk))
    dnsbroker("issue").succeeded()
    desk.forget()
    dnsbroker("renew").succeeded()
    assert desk.asked() == [], "a CA without renewal information"

    desk.renewal_info = True
    far = ahead(3 * DAY)
    desk.window = replace(far, wait=5)
    dnsbroker("renew", "--force").succeeded()
    desk.forget()
    moments = set()
    for seconds, asked in ((0.0, 1), (30.0, 1), (65.0, 2)):
        assert statuses(dnsbroker("--json", "renew", environment=later(seconds)).succeeded()) == {"one": "kept"}
        assert (seconds, len(desk.asked())) == (seconds, asked)
        moments.add(dnsbroker("--json", "show", "one").result["certificates"][0]["renewal"]["moment"])
    assert {one.resource for one in desk.asked()} == {"renewalInfo"}
    assert len(moments) == 1
    desk.window = replace(far, wait=30 * DAY)
    dnsbroker("renew", environment=later(5 * MINUTE)).succeeded()
    dnsbroker("renew", environment=later(DAY + 10 * MINUTE)).succeeded()
    assert len(desk.asked()) == 4


# What an order replaces


def test_an_order_that_may_replace_nothing_is_made_without(desk: FrontDesk, program: Configured) -> None:
    """As the RFC has it refused, and as CAs do; what is refused for another reason is not asked for again."""
    dnsbroker = program(named("one", "two", "three"), at(desk))
    dnsbroker("issue").succeeded()
    desk.forget()
    for status, kind in ((409, "alreadyReplaced"), (400, "malformed"), (403, "unauthorized")):
        desk.refuse("newOrder", Refusal(status, kind, having="replaces"), times=1)
    ran = dnsbroker("--json", "renew", "--force").succeeded()
    assert set(statuses(ran).values()) == {"issued"}
    orders = [(order.status, "replaces" in order.sent) for order in desk.asked("newOrder")]
    assert sorted(orders) == [*[(201, False)] * 3, (400, True), (403, True), (409, True)]
    assert {item["certificate"] for item in ran.named("not_replacing")} == {"one", "two", "three"}

    desk.forget()
    desk.refuse("newOrder", Refusal(403, "rejectedIdentifier", having="replaces"))
    dnsbroker("renew", "--force", "one").failed(1)
    assert len(desk.asked("newOrder")) == 1


# Profiles


def test_profiles_required_and_preferred(desk: FrontDesk, program: Configured) -> None:
    """Asked for where they are offered; refused, the preferred one is done without; a changed one is a reason."""
    desk.profiles = {"brief": "for a week", "usual": "for a quarter"}

    def configured(required: str, preferred: str) -> Program:
        tables = {"hard": {"profile": required}, "soft": {"preferred_profile": preferred}, "plain": {}}
        return program(named(*tables), at(desk, certificates=tables))

    configured("brief", "usual")("issue").succeeded()
    assert sorted(order.sent.get("profile", "") for order in desk.asked("newOrder")) == ["", "brief", "usual"]

    changed = configured("usual", "shiny")("--json", "renew").succeeded()
    assert outcomes(changed)["hard"] == ("issued", "profile changed: brief to usual")
    assert outcomes(changed)["soft"][0] == "issued"
    assert "offers no profile 'shiny': ordering without it" in changed.named("warning")[0]["message"]

    desk.forget()
    desk.refuse("newOrder", Refusal(400, "invalidProfile", having="profile"))
    refused = configured("brief", "brief")("--json", "renew").failed(1)
    assert statuses(refused) == {"hard": "failed", "soft": "issued", "plain": "kept"}
    assert "choose another profile" in refused.named("failed")[0]["error"]["hint"]
    assert sorted((order.status, "profile" in order.sent) for order in desk.asked("newOrder")) == [
        *((201, False), (400, True), (400, True))
    ]

    desk.forget()
    unknown = configured("shiny", "brief")("--json", "renew", "hard", "soft").failed(1)
    assert statuses(unknown) == {"hard": "failed", "soft": "kept"}
    assert "the CA offers no profile 'shiny'" in outcomes(unknown)["hard"][1]
    assert "brief, usual" in unknown.named("failed")[0]["error"]["hint"]
    assert desk.asked("newOrder") == []


# Revocation elsewhere

#: The same key again and again, unless there is a reason against it.
STEADY = {"key_rotation": "never"}


@pytest.fixture(scope="module")
def second_ca(namespace: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecondCA]:
    """A CA without renewal information, whose certificates say where its revocation list is."""
    ca = SecondCA(tmp_path_factory.mktemp("second-ca"), port=14660, trusting=True)
    ca.renewal_info = False
    with ca:
        yield ca


def revoke(dnsbroker: Program, name: str, ca: SecondCA) -> None:
    """Revoke the live certificate with the account's key, as another program would that shares the account."""

    async def run() -> None:
        session = Connections({}).session(timeout=20.0, ca_bundle=str(ca.ca_file))
        (key_file,) = (dnsbroker.state / "accounts" / "default").glob("*.pem")
        try:
            client = Client(ca.url, key_file.read_text(), session, SystemClock())
            assert await client.find()
            assert await client.revoke((dnsbroker.live(name) / "fullchain.pem").read_text(), 4)
        finally:
            await session.aclose()

    asyncio.run(run())


def test_a_revocation_is_learnt_from_the_list(second_ca: SecondCA, program: Configured) -> None:
    """Looked at once a day and nothing else besides; the revoked one is renewed with a new key, and the other kept."""
    dnsbroker = program(named("one", "two"), at(second_ca, certificates=dict.fromkeys(("one", "two"), STEADY)))
    dnsbroker("issue").succeeded()
    asked = second_ca.requests()
    for seconds in (0.0, 1.0, 23 * HOUR):
        kept = dnsbroker("--json", "renew", environment=later(seconds)).succeeded()
        assert statuses(kept) == {"one": "kept", "two": "kept"}
    assert second_ca.requests()[len(asked) :] == ["GET /crl 200"], "once for both certificates"

    revoke(dnsbroker, "one", second_ca)
    before = key_of(dnsbroker, "one")
    told = dnsbroker("--json", "renew", environment=later(DAY + HOUR)).succeeded()
    assert statuses(told) == {"one": "issued", "two": "kept"}
    assert outcomes(told)["one"][1].startswith(f"revoked on {datetime.now(UTC):%Y-%m}")
    assert key_of(dnsbroker, "one") != before
    assert second_ca.requests("/crl")[1:] == ["GET /crl 200"]


def key_of(dnsbroker: Program, name: str) -> str:
    """The digest of the live private key's public half."""
    return keys.spki_sha256_of((dnsbroker.live(name) / "privkey.pem").read_text())
