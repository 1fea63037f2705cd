"""The certificates: from the main file, from ``certificates.d``, and those remembered below ``state_dir``.

An error inside one certificate is kept as that certificate's, and the others go on; with the directory of another
client's where there is one, for that client is to hear of it. Where a certificate is configured and remembered, the
configuration wins; where it is configured twice, nobody can tell, and it is broken.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from dnsbroker import names
from dnsbroker.config.certificate import BrokenLineage, CertificateConfig
from dnsbroker.config.claims import Claims
from dnsbroker.config.files import read_file
from dnsbroker.config.model import Config
from dnsbroker.config.tables import Document, Table, key_names
from dnsbroker.config.toml import written, written_key
from dnsbroker.errors import ConfigError, NameInvalid
from dnsbroker.settings import Rejected

# A file system takes names of 255 octets, and NAME.toml and what is written beside it need some of them.
_LONGEST = 200
#: What concerns an order, or live files of our own, and so nothing that another client obtains.
_OF_OURS = (
    *("names", "account", "key_type", "key_rotation", "allow", "profile", "preferred_profile", "preferred_chain"),
    *("owner", "group", "mode", "pre_hooks"),
)
_NAMED = "a certificate's NAME is a directory's too; for example [certificates.\"example.org\"]"


@dataclass(frozen=True)
class _Source:
    """Where one certificate stands: in a table of ``document``, or with ``raw`` None in a whole file."""

    name: str
    document: Document
    table: str = ""
    raw: object = None
    remembered: bool = False

    def words(self) -> str:
        """For an error."""
        return f"[{self.table}] of {self.document.path}" if self.table else self.document.path

    def read(self) -> Table:
        """Its table. Raises ConfigError where it is none."""
        raw = self.raw if self.table else read_file(Path(self.document.path)).tables
        return Table.of(self.document, self.table, raw)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Let what is rejected inside be a ConfigError that says where it stands."""
        try:
            yield
        except Rejected as error:
            key = f"[{self.table}] {error.key}" if self.table else error.key
            raise ConfigError(str(error), path=self.document.path, key=key, hint=error.hint) from error


@dataclass
class Gathered:
    """The certificates that can be used, and the error of each that cannot; of some also what another client keeps."""

    certificates: dict[str, CertificateConfig] = field(default_factory=dict)
    broken: dict[str, ConfigError] = field(default_factory=dict)
    broken_lineages: list[BrokenLineage] = field(default_factory=list)

    @contextmanager
    def keeping(self, source: _Source) -> Iterator[None]:
        """Let an error inside be that of the certificate of ``source``."""
        try:
            with source.explained():
                yield
        except ConfigError as error:
            self.broken[source.name] = error
            self.broken_lineages += _lineages(source, error)


def gather(
    main: Table, directory: Path | None, state_dir: Path, defaults: Mapping[str, object], accounts: Sequence[str]
) -> Gathered:
    """Every certificate of the table ``main``, of the files in ``directory``, and of those remembered in ``state_dir``.

    ``accounts`` are those known.

    Raises ConfigError where a directory cannot be listed.
    """
    sources: dict[str, list[_Source]] = {}
    for name, raw in main.raw.items():
        source = _Source(name, main.document, f"{main.name}.{written_key(name)}", raw)
        sources.setdefault(_folded(name), []).append(source)
    for path in _files(directory):
        source = _Source(path.stem, replace(main.document, path=str(path)))
        sources.setdefault(_folded(path.stem), []).append(source)
    for path in _files(state_dir / "certificates"):
        source = _Source(path.stem, replace(main.document, path=str(path)), remembered=True)
        sources.setdefault(_folded(path.stem), [source])
    return _sorted_out(sources.values(), defaults, accounts, state_dir)


def _folded(name: str) -> str:
    """What two spellings of one name have in common."""
    try:
        return names.owner(name)
    except NameInvalid:
        return name.lower()


def _files(directory: Path | None) -> list[Path]:
    if directory is None:
        return []
    try:
        return sorted(path for path in directory.iterdir() if path.suffix == ".toml" and not path.name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as error:
        words = (error.strerror or str(error)).lower()
        hint = f"run dnsbroker as a user who may read it; ls -ld {_barrier(directory)} shows who may"
        raise ConfigError(f"cannot be listed: {words}", path=str(directory), hint=hint) from error


def _barrier(directory: Path) -> Path:
    """What keeps us out: ``directory``, or one above it, which ``ls`` could not pass either."""
    while not os.access(directory.parent, os.X_OK) and directory.parent != directory:
        directory = directory.parent
    return directory


def _sorted_out(
    groups: Iterable[Sequence[_Source]], defaults: Mapping[str, object], accounts: Sequence[str], state_dir: Path
) -> Gathered:
    found, claims = Gathered(), Claims(state_dir)
    read: list[tuple[_Source, CertificateConfig]] = []
    for source, others in _with_others(groups):
        with found.keeping(source):
            if others:
                raise _twice(source, others[0])
            read.append((source, _certificate(source, defaults, accounts)))
    single: list[tuple[_Source, CertificateConfig]] = []
    for source, certificate in read:
        with found.keeping(source):
            claims.take_lineage(certificate)
            single.append((source, certificate))
    _leave_broken(found, claims)
    for source, certificate in single:
        with found.keeping(source):
            claims.take_places(certificate)
            found.certificates[source.name] = certificate
    return found


def _leave_broken(found: Gathered, claims: Claims) -> None:
    """What another client keeps is its own, also where we cannot use what is said of it."""
    for broken in found.broken_lineages:
        if broken.path is not None:
            claims.leave(broken.path)


def _lineages(source: _Source, error: ConfigError) -> list[BrokenLineage]:
    """The directory of another client that stands in ``source``; none where that one is surely to be ordered here."""
    if source.remembered:
        return []
    path = None
    try:
        table = source.read()
        if table.raw.get("lineage", "") != "":
            path = replace(table, raw={"lineage": table.raw["lineage"]}).values(CertificateConfig)["lineage"]
        elif set(table.raw) <= set(key_names(CertificateConfig)):
            return []
    except ConfigError:
        path = None
    return [BrokenLineage(source.name, path, error)]


def _with_others(groups: Iterable[Sequence[_Source]]) -> Iterator[tuple[_Source, list[_Source]]]:
    """Each source with those that describe the same certificate."""
    for group in groups:
        for source in group:
            yield source, [each for each in group if each is not source]


def _twice(source: _Source, other: _Source) -> ConfigError:
    return ConfigError(
        f"the same certificate stands in {other.words()}",
        path=source.document.path,
        key=f"[{source.table}]" if source.table else "",
        hint="take one of them out",
    )


def _certificate(source: _Source, defaults: Mapping[str, object], accounts: Sequence[str]) -> CertificateConfig:
    table = source.read()
    if reason := unusable(source.name):
        raise ConfigError(reason, path=source.document.path, key=source.table and f"[{source.table}]", hint=_NAMED)
    if not source.table and "certificates" in table.raw:
        hint = "write the keys alone: the file's name says which certificate it is"
        raise table.error("certificates", "a file for one certificate has no such table", hint)
    table.check_keys(key_names(CertificateConfig))
    if table.raw.get("lineage") == "":  # as its default is written
        table = replace(table, raw={name: value for name, value in table.raw.items() if name != "lineage"})
    if "lineage" in table.raw:
        return _elsewhere(source, table, defaults)
    whole = replace(table, raw={**defaults, **table.raw})
    certificate = whole.build(CertificateConfig, name=source.name, remembered=source.remembered)
    if certificate.account not in accounts:
        hint = f"known are {', '.join(accounts)}; another one is made by a table [accounts.{certificate.account}]"
        raise table.error("account", f"there is no account {certificate.account!r}", hint)
    return certificate if certificate.names else replace(certificate, names=_own_name(source.name, table))


def _elsewhere(source: _Source, table: Table, defaults: Mapping[str, object]) -> CertificateConfig:
    """One that another client obtains; defaults for orders are not meant for it."""
    beside = next((name for name in _OF_OURS if name in table.raw), None)
    if beside is not None:
        hint = f"take {beside} out: another client orders that certificate, and its files are left as they are"
        if beside in ("owner", "group", "mode"):
            hint += f"; {beside} in a [[copies]] table is that of a copy"
        raise table.error(beside, "stands beside lineage", hint)
    meant = {name: value for name, value in defaults.items() if name not in _OF_OURS}
    return replace(table, raw={**meant, **table.raw}).build(CertificateConfig, name=source.name, names=())


def unusable(name: str, kind: str = "a certificate") -> str:
    """Why ``name`` cannot be a directory's name that people type; empty where it can."""
    if name in ("", ".", ".."):
        return f"{name!r} is no name for {kind}"
    if "*" in name:
        return f"{name!r} is no name for {kind}: a wildcard stands in names, not in NAME"
    if name[0] in "-." or any(char in "/\\" or not char.isprintable() or char.isspace() for char in name):
        return f"{name!r} is no name for {kind}: it begins with - or a dot, or holds a slash or a space"
    return f"{name[:20]!r}… is too long for the name of {kind}" if len(name.encode()) > _LONGEST else ""


def _own_name(name: str, table: Table) -> tuple[str, ...]:
    try:
        return (names.identifier(name),)
    except NameInvalid as error:
        hint = f"NAME is {name}; say which names it stands for: names = [{written('www.example.org')}]"
        raise table.error("names", f"required key is missing, for {error.message}", hint) from error


def ad_hoc(
    config: Config, wanted: Sequence[str], *, name: str = "", settings: Mapping[str, object] | None = None
) -> tuple[CertificateConfig, str]:
    """A certificate that no file describes yet, under the configuration's defaults, and the file to remember it by.

    ``wanted`` are its names, ``name`` its own (by default the first of them, less ``*.``); ``settings`` are further
    keys of ``[certificates.NAME]`` as TOML gives them. Raises ConfigError.
    """
    raw: dict[str, object] = {"names": list(wanted), **(settings or {})}
    document = Document("", config.path.parent if config.path else Path())
    own = name or _first(wanted)
    source = _Source(own, document, f"certificates.{written_key(own)}", raw, True)
    certificate = _certificate(source, config.defaults, tuple(config.known_accounts))
    claims = Claims(config.state_dir)
    for other in (other for other in config.certificates.values() if other.name != own):
        claims.take_lineage(other)
        claims.take_places(other)
    _leave_broken(Gathered(broken_lineages=list(config.broken_lineages)), claims)
    with source.explained():
        claims.take_places(certificate)
    lines = [f"{key} = {written(value)}\n" for key, value in {**raw, "names": certificate.names}.items()]
    return certificate, "".join(lines)


def _first(wanted: Sequence[str]) -> str:
    if not wanted:
        raise ConfigError("no name is given for the certificate", hint="name at least one with -d")
    try:
        return names.identifier(wanted[0]).removeprefix("*.")
    except NameInvalid as error:
        raise ConfigError(error.message, hint=error.hint or "correct the name") from error
