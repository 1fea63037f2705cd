"""The page on the library tells of all that programs may do with TLSA records."""

from __future__ import annotations

import dataclasses
import inspect

import pages
from dnsbroker.rekeying import Rekeyed, Rekeying

PAGE = pages.section(pages.text("docs/library.md"), "### DANE")


def test_each_method_is_on_the_page_with_its_parameters() -> None:
    """And no other."""
    told = {pages.words(row[0])[0] for row in pages.rows(PAGE)}
    assert told == {
        f"{name}({', '.join(_parameters(method))})"
        for name, method in vars(Rekeying).items()
        if not name.startswith("_")
    }


def _parameters(method: object) -> list[str]:
    assert callable(method)
    found = [item for item in inspect.signature(method).parameters.values() if item.name != "self"]
    plain = [str(item.replace(annotation=inspect.Parameter.empty)) for item in found]
    named = next((at for at, item in enumerate(found) if item.kind is inspect.Parameter.KEYWORD_ONLY), None)
    return plain if named is None else [*plain[:named], "*", *plain[named:]]


def test_each_field_of_a_result_is_on_the_page() -> None:
    """So that nobody has to read the source for it."""
    told = PAGE.partition("`dnsbroker.rekeying.Rekeyed` has ")[2]
    assert {field.name for field in dataclasses.fields(Rekeyed)} <= set(pages.words(told))
