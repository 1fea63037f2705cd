"""What is computed for a chain is what clients accept it by; what is computed for another is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certified import NOW, Certified, certified
from dnsbroker.tlsa.computing import compute
from dnsbroker.tlsa.objections import CHECKS
from dnsbroker.tlsa.verifying import verify

HOST = "mail.example.org"
KINDS = [f"{usage} {selector} {matching}" for usage in "23" for selector in "01" for matching in "012"]


def chain(name: str) -> tuple[Certified, ...]:
    """A leaf for HOST, its issuer and the root above, all of their own."""
    root = certified(f"{name} root")
    issuing = certified(f"{name} issuing", root)
    return certified("", issuing, authority=False, names=[HOST]), issuing, root


OURS, THEIRS = chain("our"), chain("their")


def pem(of: tuple[Certified, ...]) -> str:
    """As it is served."""
    return "".join(each.pem for each in of)


@given(st.lists(st.sampled_from(KINDS), min_size=1, unique=True), st.integers(1, 3))
def test_a_chain_is_accepted_under_all_that_is_computed_for_it(kinds: list[str], length: int) -> None:
    """Whatever the kinds, and without a kind that fails; as long as there is a CA where one is named."""
    served = pem(OURS[:length])
    wanted = [kind for kind in kinds if length > 1 or kind.startswith("3")] or ["3 1 1"]
    verdict = verify(served, HOST, compute(served, wanted, allow=CHECKS), now=NOW)
    assert (verdict.accepted, verdict.warnings) == (True, ())
    assert {judged.state for judged in verdict.records} <= {"matches", "passed_over"}


@given(st.lists(st.sampled_from(KINDS), min_size=1, unique=True))
def test_no_chain_is_accepted_under_what_is_computed_for_another(kinds: list[str]) -> None:
    """The twin: not even by one record of many."""
    verdict = verify(pem(OURS), HOST, compute(pem(THEIRS), kinds, allow=CHECKS), now=NOW)
    assert (verdict.accepted, verdict.matched) == (False, ())


@pytest.mark.parametrize("kinds", [(), ("3 1 1",), ("2 1 1",)])
def test_a_renewed_certificate_is_accepted_under_the_old_records(kinds: tuple[str, ...]) -> None:
    """With the same key; a new key is covered by its issuer alone, and one of another issuer by nothing."""
    records = compute(pem(OURS), kinds)
    leaf, issuing, root = OURS
    renewed = certified("", issuing, authority=False, names=[HOST], own_key=leaf.key)
    another = certified("", issuing, authority=False, names=[HOST])
    assert verify(pem((renewed, issuing, root)), HOST, records, now=NOW).accepted
    assert verify(pem((another, issuing, root)), HOST, records, now=NOW).accepted is (kinds != ("3 1 1",))
    assert not verify(pem(THEIRS), HOST, records, now=NOW).accepted


def test_a_renewed_ca_is_the_same_to_its_key_and_another_to_its_certificate() -> None:
    """Why 2 1 1 and not 2 0 1."""
    leaf, issuing, root = OURS
    renewed = certified("our root", own_key=root.key)
    keyed, whole = (compute(pem(OURS), [kind], allow=CHECKS) for kind in ("2 1 1", "2 0 1"))
    served = pem((leaf, issuing, renewed))
    assert compute(served, ["2 1 1"]) == keyed
    assert compute(served, ["2 0 1"], allow=CHECKS) != whole
    assert verify(served, HOST, keyed, now=NOW).accepted
    assert not verify(served, HOST, whole, now=NOW).accepted
