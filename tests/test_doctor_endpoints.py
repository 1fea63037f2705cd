"""What the doctor finds about TLSA records: as `tlsa check` does, and what stands against a first publication."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dnsbroker.doctor import Diagnosis
from dnsbroker.journal import Journal, Published, Rollovers
from dnsbroker.store import Store
from dnsbroker.testing import FakeClock
from doctor_scenes.dane_faults import table
from doctor_scenes.signing_faults import signed
from practice import CERTIFICATE, Practice, practising

ENDPOINT = "tls://www.example.test:5061"


@pytest.fixture
def practice(tmp_path: Path) -> Iterator[Practice]:
    with practising(tmp_path / "state") as made:
        table(made)
        yield made


def looked(practice: Practice, *names: str) -> Diagnosis:
    return practice.visit(*names, config=practice.config(CERTIFICATE))


def words(diagnosis: Diagnosis) -> set[str]:
    """Those of TLSA records."""
    return {found.check for found in diagnosis.findings if found.check.startswith("tlsa-")}


def published(practice: Practice, *, is_withdrawn: bool = False) -> None:
    """Records of the endpoint were written once."""
    Store(practice.state_dir).prepare()
    journal = Journal(practice.state_dir)
    kept = Published(ENDPOINT, ("_5061._tcp.www.example.test.",), ("example.test",), is_withdrawn)
    Rollovers(journal, FakeClock()).keep_published(kept)
    journal.close()


def test_what_would_be_refused_is_told_before_it_is(practice: Practice) -> None:
    """With the reason and the cure; the twin is a zone that is signed."""
    found = [one for one in looked(practice).findings if one.check == "tlsa-publication"]
    assert [one.subject for one in found if one.severity == "error"] == [ENDPOINT]
    assert "nothing is published at _5061._tcp.www.example.test: " in found[0].message
    assert found[0].hint
    signed(practice)
    assert "tlsa-publication" not in words(looked(practice))


def test_what_clients_see_is_told_as_by_tlsa_check(practice: Practice) -> None:
    """Once, as a finding of the doctor's and no event of another kind."""
    signed(practice)
    diagnosis = looked(practice)
    assert {"tlsa-no-records", "tlsa-unreachable"} <= words(diagnosis)
    told = [event for event in practice.told if event["event"] == "finding"]
    assert len(told) == len(diagnosis.findings)
    assert not [event for event in practice.told if event["event"] == "checked"]


def test_what_is_published_is_held_against_no_first_publication(practice: Practice) -> None:
    """Clients' verdict is what counts then."""
    published(practice)
    assert "tlsa-publication" not in words(looked(practice))
    assert "tlsa-not-signed" in words(looked(practice))


def test_what_was_withdrawn_is_left_alone(practice: Practice) -> None:
    """A person wanted it so."""
    published(practice, is_withdrawn=True)
    assert words(looked(practice)) == set()


def test_names_choose_endpoints(practice: Practice) -> None:
    """By the certificate or by the host, however it is written; another name chooses none."""
    assert words(looked(practice, "example.test"))
    assert words(looked(practice, "WWW.example.test."))
    assert words(looked(practice, "other.example.test")) == set()


def test_without_a_table_nothing_of_it_is_looked_at(practice: Practice) -> None:
    """Nor is a word of it said."""
    practice.tables.clear()
    assert words(looked(practice)) == set()
