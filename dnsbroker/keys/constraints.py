"""Names in certificates, and the constraints that a CA puts on those below it (RFC 5280 sections 4.2.1.6 and 4.2.1.10).

Rule: a constraint on names of a kind that is not compared here counts as violated where such a name stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cryptography import x509

from dnsbroker import readable

_Name = x509.GeneralName


@dataclass(frozen=True)
class Names:
    """The names of a certificate: DNS names (lower case) and all other alternative names, subject, common names.

    Common names are in the letter case that the certificate has.
    """

    dns: tuple[str, ...]
    others: tuple[_Name, ...]
    subject: x509.Name
    common: tuple[str, ...]

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Names:
        """Raises ValueError for what cannot be read."""
        try:
            found = list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
        except x509.ExtensionNotFound:
            found = []
        common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return cls(
            dns=tuple(name.value.lower() for name in found if isinstance(name, x509.DNSName)),
            others=tuple(name for name in found if not isinstance(name, x509.DNSName)),
            subject=certificate.subject,
            common=tuple(str(name.value) for name in common),
        )

    @property
    def hosts(self) -> tuple[str, ...]:
        """What hosts it names, in lower case: by common name only without a DNS name (RFC 6125 section 6.4.4)."""
        return self.dns or tuple(name.lower() for name in self.common)

    @property
    def called(self) -> str:
        """How people speak of the certificate, in a line; newer leaves have no subject."""
        name = next(iter((*self.common, *self.dns)), "") or self.subject.rfc4514_string()
        return readable.line(name, 100) or "without a name"

    def constrained(self, *, is_leaf: bool) -> Iterator[_Name]:
        """Each as constraints see it; a common name is a host's in a leaf only."""
        yield from (x509.DNSName(_plain(name)) for name in (self.hosts if is_leaf else self.dns))
        yield from self.others
        if len(list(self.subject)):
            yield x509.DirectoryName(self.subject)


def _plain(name: str) -> str:
    return name if name.isascii() else "."  # what is no DNS name, in no tree but that of everything


@dataclass(frozen=True)
class Constraints:
    """The name constraints of a CA."""

    extension: x509.NameConstraints

    def forbids(self, names: Names, *, is_leaf: bool) -> str:
        """The first of the ``names`` of a certificate that may not stand below this CA; empty where all may."""
        return next((_shown(name) for name in names.constrained(is_leaf=is_leaf) if self._is_forbidden(name)), "")

    def _is_forbidden(self, name: _Name) -> bool:
        excluded = _alike(name, self.extension.excluded_subtrees)
        permitted = _alike(name, self.extension.permitted_subtrees)
        if any(_is_within(name, tree) is not False for tree in excluded):
            return True
        return bool(permitted) and not any(_is_within(name, tree) for tree in permitted)


def _alike(name: _Name, trees: Iterable[_Name] | None) -> Sequence[_Name]:
    """Those of ``trees`` that are of the same kind: no other says anything about ``name``."""
    return [tree for tree in trees or () if type(tree) is type(name)]


def _is_within(name: _Name, tree: _Name) -> bool | None:
    """Whether ``name`` is in ``tree``; None where names of this kind are not compared."""
    if isinstance(name, x509.DNSName) and isinstance(tree, x509.DNSName):
        inner, outer = name.value.split("."), tree.value.lower().lstrip(".").split(".")
        is_deep = len(inner) > len(outer) or not tree.value.startswith(".")
        return outer == [""] or (inner[-len(outer) :] == outer and is_deep)
    if isinstance(name, x509.DirectoryName) and isinstance(tree, x509.DirectoryName):
        wanted = list(tree.value.rdns)
        return list(name.value.rdns)[: len(wanted)] == wanted
    if isinstance(name, x509.IPAddress) and isinstance(tree, x509.IPAddress):
        return name.value in tree.value  # type: ignore[operator]  # of a constraint it is a network
    return None


def _shown(name: _Name) -> str:
    return readable.line(name.value.rfc4514_string() if isinstance(name, x509.DirectoryName) else str(name.value), 100)
