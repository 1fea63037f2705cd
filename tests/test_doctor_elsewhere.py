"""The doctor and certificates that another client orders: said, read where they are named, and never held to our CA."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dnsbroker.cli.doctor import summed_up
from dnsbroker.doctor import Diagnosis
from dnsbroker.findings import Severity
from kept_house import House
from practice import Practice, grave, practising, words


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """One with certbot's certificate, called by no domain's name."""
    monkeypatch.setattr("dnsbroker.lineages.reading.PAUSES", (0.0,))
    found = House(tmp_path)
    found.renewed()
    found.tables["certificates"] = {"mail": {"lineage": str(found.kept.directory)}}
    return found


def visit(house: House, *names: str) -> Diagnosis:
    """What the doctor finds; a name server or an authority that is asked fails."""
    return house.run(lambda broker: broker.doctor(names))


def test_one_that_is_named_is_told_of(house: House) -> None:
    """Who orders it, and that it can be read; nothing else is looked at, and nothing is wrong."""
    diagnosis = visit(house, "mail")
    told = f"mail: certbot orders it, and keeps it in {house.kept.directory}, where it can be read"
    assert (diagnosis.notes, diagnosis.findings, diagnosis.examined.names) == ((told,), (), 0)
    result = summed_up(diagnosis, is_verbose=False)
    assert result.lines == [told, "0 names, 0 zones, 0 providers, 0 servers examined: all is well"]
    assert (result.status, result.fields["notes"]) == (0, [told])


@pytest.mark.parametrize("gone", ["key", "all"])
def test_one_that_cannot_be_read_is_a_finding(house: House, gone: str) -> None:
    """A key that leads nowhere, or nothing there at all: why, and what to do."""
    if gone == "key":
        house.kept.key.resolve().unlink()
    else:
        house.kept.directory.rename(house.directory / "away")
    diagnosis = visit(house, "mail")
    (found,) = diagnosis.findings
    assert (found.check, found.severity, found.subject) == ("unexamined", Severity.WARNING, "mail")
    assert str(house.kept.directory) in found.message
    assert found.hint
    (note,) = diagnosis.notes
    assert note.endswith(str(house.kept.directory))


def test_without_names_they_are_counted(house: House) -> None:
    """That nothing was said of them is said; whoever has none hears nothing."""
    assert visit(house).notes == (
        "1 certificate that another client orders is left out: `dnsbroker status` tells how it is",
    )
    house.tables["certificates"]["web"] = {"lineage": str(house.directory)}
    assert visit(house).notes[0].startswith("2 certificates that other clients order are left out")
    house.tables["certificates"] = {}
    assert visit(house).notes == ()


@pytest.fixture
def practice(tmp_path: Path) -> Iterator[Practice]:
    with practising(tmp_path / "state") as made:
        yield made


def test_a_domain_s_name_is_looked_at_but_no_authority(practice: Practice, house: House) -> None:
    """The client's hooks may write there; of whom it orders is not known here, so CAA forbids nobody."""
    practice.everywhere('@ CAA 0 issue "other.test"', "_acme-challenge NS ns1")
    certificates: dict[str, Any] = {"example.test": {"lineage": str(house.kept.directory)}}
    config = practice.config(certificates)
    diagnosis = practice.visit("example.test", config=config)
    assert (diagnosis.examined.names, len(diagnosis.notes)) == (1, 1)
    of_dns = words(diagnosis)
    assert of_dns
    assert "caa-forbids" not in [check for check, _ in of_dns]
    assert practice.ca.requests == []
    assert "caa-forbids" in [found.check for found in grave(practice.visit("www.example.test", config=config))]
    assert practice.ca.requests
