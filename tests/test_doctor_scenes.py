"""Every word of the doctor's through the doctor himself: said where its fault is, and not where it is not."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import pages
from dnsbroker.doctor import Diagnosis
from doctor_scenes import SCENES, Act, Scene
from practice import CERTIFICATE, Practice, practising, words


@pytest.fixture
def practice(tmp_path: Path) -> Iterator[Practice]:
    with practising(tmp_path / "state") as made:
        yield made


def looked(practice: Practice) -> Diagnosis:
    """What is found for every certificate of the scene."""
    return practice.visit(config=practice.config(practice.tables.get("certificates", CERTIFICATE)))


@pytest.fixture(scope="module")
def silences() -> dict[Act, Diagnosis]:
    """What was found in each stage; several scenes have the same one."""
    return {}


@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_a_fault_is_named_where_it_is_and_nothing_where_it_is_not(
    practice: Practice, scene: Scene, silences: dict[Act, Diagnosis]
) -> None:
    """As gravely as the scene says, with what to do; without it there is neither an error nor a warning."""
    scene.stage(practice)
    if scene.stage not in silences:
        silences[scene.stage] = looked(practice)
    sound = silences[scene.stage].findings
    assert words(silences[scene.stage]) == []
    assert (scene.check, scene.severity) not in {(found.check, found.severity) for found in sound}
    scene.fault(practice)
    named = [found for found in looked(practice).findings if found.check == scene.check]
    assert scene.severity in {found.severity for found in named}
    assert all(found.subject and found.message and found.hint for found in named)


#: For each job of the doctor's a word that is not said unless it is run.
WITNESSES = {
    "its account": "unexamined",
    "what earlier runs left": "left-behind",
    "its servers": "stale-server",
    "DNSSEC": "denial-unsound",
    "its SOA": "short-expire",
    "what its servers say of CAA": "caa-servfail",
    "who holds it": "delegated-elsewhere",
    "the way to its record": "alias-missing",
    "wildcards above it": "wildcard-shadowing",
    "what stands there": "foreign-values",
    "what limits it": "postponed",
    "its CAA records": "caa-forbids",
    "its TLSA records": "tlsa-publication",
}


def jobs() -> set[str]:
    """What the jobs in the doctor's modules look at."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (pages.ROOT / "dnsbroker/doctor").glob("*.py")]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    made = [node.args[1] for node in calls if isinstance(node.func, ast.Name) and node.func.id == "Job"]
    return {str(what.value) for what in made if isinstance(what, ast.Constant)}


def test_every_job_has_a_witness() -> None:
    """None is added without."""
    assert jobs() == set(WITNESSES)


@pytest.mark.parametrize("job", WITNESSES)
def test_without_its_job_a_word_is_not_said(practice: Practice, job: str) -> None:
    """So that a job that is forgotten does not go unnoticed."""
    scene = next(scene for scene in SCENES if scene.check == WITNESSES[job])
    scene.stage(practice)
    scene.fault(practice)
    assert scene.check in {found.check for found in looked(practice).findings}
    practice.left_out = frozenset({job})
    assert scene.check not in {found.check for found in looked(practice).findings}
