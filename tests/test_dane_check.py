"""`tlsa check`, the looking: each fault between MX and key is found by its word, and a sound endpoint is passed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dane_scene import HOST, Scene, standing


@pytest.fixture
def scene() -> Iterator[Scene]:
    """The world in its best state."""
    with standing() as made:
        yield made


def test_a_sound_endpoint_is_passed(scene: Scene) -> None:
    """With the records' name proved and the chain accepted at its address, asked for by its host."""
    report = scene.look()
    (checked,) = report.endpoints
    assert report.all_findings == ()
    assert checked.is_good
    (owner,) = checked.owners
    assert (owner.name, owner.standing, len(owner.records)) == (f"{scene.owner}.example.test.", "secure", 2)
    assert {(sight.address, sight.algorithm) for sight in checked.sights} == {("127.0.0.1", "ecdsa")}
    assert all(sight.verdict and sight.verdict.accepted for sight in checked.sights)
    assert set(scene.service.names) == {HOST}
