from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest

from dnsbroker import due
from dnsbroker.config import CertificateConfig
from dnsbroker.journal import Answer
from dnsbroker.keys import Leaf
from dnsbroker.settings import Duration
from dnsbroker.store import Lineage, Provenance

START = datetime(2026, 3, 1, 6, 30, tzinfo=UTC)
DIRECTORY = "https://ca.test/dir"
NAMES = ("example.test", "*.example.test")
DAY = timedelta(days=1)
FROM = Provenance(DIRECTORY, START)
WANTED = CertificateConfig(name="example.test", names=NAMES)


def lineage(
    names: tuple[str, ...] = NAMES,
    *,
    lifetime: timedelta = 90 * DAY,
    key_type: str = "ecdsa-p256",
    provenance: Provenance | None = FROM,
) -> Lineage:
    leaf = Leaf(names, START, START + lifetime, 1, "test issuing", key_type, "00")
    return Lineage("example.test", Path("live"), Path("archive"), "", leaf, provenance)


def test_what_is_not_there_is_due() -> None:
    """There is no other condition."""
    assert due.reason(None, WANTED, DIRECTORY, START) == "not there"


def test_what_is_as_wanted_and_young_is_not_due() -> None:
    """The negative of all the rest."""
    assert due.reason(lineage(), WANTED, DIRECTORY, START) is None


AGES = {
    "a long life, before two thirds": (90 * DAY, 60 * DAY - timedelta(seconds=1), None),
    "a long life, at two thirds": (90 * DAY, 60 * DAY, "past two thirds of its lifetime since 2026-04-30 06:30 UTC"),
    "exactly ten days, at half": (10 * DAY, 5 * DAY, None),
    "exactly ten days, at two thirds": (
        10 * DAY, 10 * DAY * 2 / 3, "past two thirds of its lifetime since 2026-03-07 22:30 UTC"
    ),
    "six days, before half": (6 * DAY, 3 * DAY - timedelta(seconds=1), None),
    "six days, at half": (6 * DAY, 3 * DAY, "past half of its lifetime since 2026-03-04 06:30 UTC"),
    "at its end": (90 * DAY, 90 * DAY, "expired on 2026-05-30 06:30 UTC"),
    "before its beginning, by a clock that is behind": (90 * DAY, -DAY, None),
}  # fmt: skip


@pytest.mark.parametrize(("lifetime", "age", "expected"), AGES.values(), ids=AGES)
def test_age_makes_a_certificate_due(lifetime: timedelta, age: timedelta, expected: str | None) -> None:
    """At two thirds of a long life, at half of a short one, and the moment is told."""
    assert due.reason(lineage(lifetime=lifetime), WANTED, DIRECTORY, START + age) == expected


def test_other_names_make_it_due_and_their_order_does_not() -> None:
    """What comes and what goes is told."""
    wanted = CertificateConfig(name="example.test", names=("www.example.test", "example.test"))
    assert due.reason(lineage(), wanted, DIRECTORY, START) == "names changed: +www.example.test -*.example.test"
    assert due.reason(lineage(NAMES[::-1]), WANTED, DIRECTORY, START) is None


def test_another_key_type_makes_it_due() -> None:
    """Both are told."""
    found = due.reason(lineage(key_type="rsa2048"), WANTED, DIRECTORY, START)
    assert found == "key_type changed: rsa2048 to ecdsa-p256"


def test_another_ca_makes_it_due_where_the_former_is_known() -> None:
    """A certificate of unknown provenance is not ordered anew for that."""
    other = Provenance("https://staging.test/dir", START)
    found = due.reason(lineage(provenance=other), WANTED, DIRECTORY, START)
    assert found == "directory changed: https://staging.test/dir to https://ca.test/dir"
    assert due.reason(lineage(provenance=None), WANTED, DIRECTORY, START) is None


ORIGINS = {
    "another account": (Provenance(DIRECTORY, START, account="tcs"), {}, "account changed: tcs to default"),
    "a profile": (FROM, {"profile": "shortlived"}, "profile changed: the default to shortlived"),
    "a preferred profile": (FROM, {"preferred_profile": "tls"}, "profile changed: the default to tls"),
    "no profile any more": (
        Provenance(DIRECTORY, START, profile="tls"), {}, "profile changed: tls to the default"
    ),
    "the same profile": (Provenance(DIRECTORY, START, profile="tls"), {"profile": "tls"}, None),
    "a chain that was asked for": (
        Provenance(DIRECTORY, START, preferred_chain="Root X"), {"preferred_chain": "Root X"}, None
    ),
    "no chain any more": (Provenance(DIRECTORY, START, preferred_chain="Root X"), {}, None),
}  # fmt: skip


@pytest.mark.parametrize(("origin", "settings", "expected"), ORIGINS.values(), ids=ORIGINS)
def test_what_was_asked_for_otherwise_makes_it_due(
    origin: Provenance, settings: dict[str, str], expected: str | None
) -> None:
    """But a chain that the CA did not have is not asked for again and again."""
    wanted = CertificateConfig(name="example.test", names=NAMES, **settings)  # type: ignore[arg-type]
    assert due.reason(lineage(provenance=origin), wanted, DIRECTORY, START) == expected


def answer(**facts: object) -> Answer:
    """What a CA has said."""
    return Answer(id="a.b", source="ari", url="", asked_at=START, ask_again_at=START, **facts)  # type: ignore[arg-type]


ADVICE = {
    "before the moment": (answer(moment=START + DAY), START, None),
    "at the moment": (
        answer(moment=START + DAY, explanation="https://ca.test/why"),
        START + DAY,
        "the CA wants it renewed since 2026-03-02 06:30 UTC (https://ca.test/why)",
    ),
    "past two thirds, but the CA says later": (answer(moment=START + 80 * DAY), START + 70 * DAY, None),
    "past two thirds, and no moment": (
        answer(), START + 60 * DAY, "past two thirds of its lifetime since 2026-04-30 06:30 UTC"
    ),
    "revoked": (answer(revoked_at=START + DAY), START + DAY, "revoked on 2026-03-02 06:30 UTC"),
    "at its end, whatever the CA says": (
        answer(moment=START + 91 * DAY), START + 90 * DAY, "expired on 2026-05-30 06:30 UTC"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("told", "now", "expected"), ADVICE.values(), ids=ADVICE)
def test_the_ca_s_word_goes_before_the_age(told: Answer, now: datetime, expected: str | None) -> None:
    """And without one the age decides."""
    assert due.reason(lineage(), WANTED, DIRECTORY, now, told) == expected


def test_names_are_told_as_people_write_them() -> None:
    """Not as DNS has them."""
    wanted = CertificateConfig(name="example.test", names=("xn--mller-kva.test",))
    assert "+müller.test" in str(due.reason(lineage(), wanted, DIRECTORY, START))


@pytest.mark.parametrize(
    ("rotation", "created", "expected"),
    [
        ("renewal", START, True),
        ("never", START - 9999 * DAY, False),
        ("never", None, False),
        (Duration(86400), START - DAY, True),
        (Duration(86400), START - DAY + timedelta(seconds=1), False),
        (Duration(86400), None, True),
    ],
)
def test_a_key_is_made_anew_as_configured(
    rotation: Literal["renewal", "never"] | Duration, created: datetime | None, expected: bool
) -> None:
    """At each renewal, never, or once it is old enough; one of unknown age is."""
    assert due.new_key_wanted(rotation, created, START) is expected
