"""CA keys by name: dated data about an authority that issues for everybody, for messages and for warnings.

What is here can only become old: nothing is decided by it, and a key that is not here is a key like any other. The
digests are SHA-256 of the SubjectPublicKeyInfo, as in 2 1 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from dnsbroker.tlsa.records import SHA256, SPKI, Tlsa

#: When this was true.
AS_OF = date(2026, 10, 1)
_OLD = timedelta(days=365)

State = Literal["issuing", "root", "retired", "unsent"]


@dataclass(frozen=True)
class Authority:
    """A CA key of ``authority``: ``digest`` begins with these hexadecimal digits.

    ``state`` is ``issuing`` (it may sign the next leaf, by chance), ``root`` (it is sent along above those of its
    ``family``), ``retired`` (it signs no more) or ``unsent`` (clients have it, servers do not send it).
    """

    name: str
    digest: str
    state: State
    family: str = ""
    authority: str = "Let's Encrypt"

    def __str__(self) -> str:
        return f"{self.authority} {self.name}"


KNOWN = (
    Authority("YE1", "6ebcefb4210b088654a38b03fea3d7d1c711b4fb1ddc363a45f9b1a4e53da01e", "issuing", "YE"),
    Authority("YE2", "b3fb5d00e994cddf2cc9a4eea9f806bc5727e83cc0e4299bf956f2d524fe5376", "issuing", "YE"),
    Authority("YE3", "a698a20824be04e47a1a33c4fa488731be92011f23a31e900e2ca26c9c2acfce", "issuing", "YE"),
    Authority("YR1", "2e8307068b6db620e4a39d068b5dee5d6ef5788cbb2c0b6d23ead84fcc17178c", "issuing", "YR"),
    Authority("YR2", "9d637b3d27a9e570d07607b9ccadb80a70915c7af72afce12841b1b1da825fd1", "issuing", "YR"),
    Authority("YR3", "51aaa87d984b559ac69e929f888a022d832e089ff4dba0a412b5101bca4bc799", "issuing", "YR"),
    Authority("Root YE", "b0292ae545978e0fbb98abbd94c861605e5b18bb32ed523f50d5b7b5c71d47bc", "root", "YE"),
    Authority("Root YR", "7e4e8838a8add6295de7ae3b047d3aba3488ab95db0a0aa56d897a00d8618bcf", "root", "YR"),
    Authority("ISRG Root X2", "762195c225586ee6c0237456e2107dc54f1efc21f61a792ebd515913cce68332", "root", "YE"),
    Authority("ISRG Root X1", "0b9fa5a59eed715c26c1020c711b4f6ec42d58b0015e14337a39dad301c5afc3", "unsent"),
    *(
        Authority(name, digest, "retired")
        for name, digest in (
            ("E1", "276fe8a8"),
            ("E2", "bd936e72"),
            ("E5", "3586d4ec"),
            ("E6", "d016e1fe"),
            ("E7", "cbbc559b"),
            ("E8", "885bf057"),
            ("E9", "f1440a9b"),
            ("R3", "8d02536c"),
            ("R4", "e5545e21"),
            ("R10", "2bbad93a"),
            ("R11", "6ddac186"),
            ("R12", "919c0df7"),
            ("R13", "02549086"),
            ("R14", "f1647a5e"),
        )
    ),
)


def named_by(record: Tlsa) -> Authority | None:
    """The CA whose key ``record`` names by its SHA-256; None where it is none that is known here."""
    kind = record.kind
    if not kind.is_of_authority or (kind.selector, kind.matching) != (SPKI, SHA256):
        return None
    return next((one for one in KNOWN if record.data.hex().startswith(one.digest)), None)


def is_by_chance(authority: Authority, records: Iterable[Tlsa]) -> bool:
    """Whether records of an ``issuing`` key alone match only as long as chance will have it.

    They do not where all its family, or a root above it that is sent along, is among ``records`` too.
    """
    if authority.state != "issuing":
        return False
    published = {one for one in map(named_by, records) if one is not None and one.family == authority.family}
    family = {one for one in KNOWN if one.state == "issuing" and one.family == authority.family}
    return not (family <= published or any(one.state == "root" for one in published))


def is_outdated(today: date) -> bool:
    """Whether all this has become old."""
    return today - AS_OF > _OLD
