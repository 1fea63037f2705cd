"""Unbound as the lab's validating resolver, which stands for a CA's as well.

Rule: its cache is as strict as a CA's may be: TTLs capped at 60 seconds, denials stretched over neighbours by NSEC, so
that a question asked too early shows. Refused: any server outside the lab, for its only hint is the lab's root.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import wire
from lab.processes import Process, Server, executable, run

QUERY_LINE = re.compile(r"info: (?P<client>[0-9a-f.:]+) (?P<name>\S+) (?P<type>[A-Z0-9]+) IN$")


@dataclass(frozen=True)
class Query:
    """One question that a client asked the resolver; ``at`` is a time of the monotonic clock."""

    at: float
    client: str
    name: str
    record_type: str


class Unbound(Server):
    """A validating resolver below the private root at ``root_address``, with its DS records as trust anchor."""

    def __init__(
        self,
        directory: Path,
        *,
        address: str = "127.0.0.53",
        port: int = 53,
        root_address: str = "127.0.0.10",
        trust_anchors: Sequence[str] = (),
        aggressive: bool = True,
        name: str = "unbound",
    ) -> None:
        super().__init__(name, directory, address=address, port=port)
        self.root_address = root_address
        self.trust_anchors = tuple(trust_anchors)
        self.aggressive = aggressive
        self._queries: list[Query] = []
        self._lock = threading.Lock()

    def write_files(self) -> None:
        """Configuration, root hint and trust anchor."""
        # Debian's AppArmor profile confines unbound by its path to directories of its own.
        program = self.directory / "unbound"
        program.write_bytes(Path(executable("unbound")).read_bytes())
        program.chmod(0o755)
        (self.directory / "root.hints").write_text(f". 60 NS ns.test.\nns.test. 60 A {self.root_address}\n")
        (self.directory / "root.ds").write_text("".join(f". 60 IN DS {ds}\n" for ds in self.trust_anchors))
        (self.directory / "unbound.conf").write_text(f"""
server:
    interface: {self.address}@{self.port}
    access-control: 127.0.0.0/8 allow
    access-control: ::1 allow
    do-not-query-localhost: no
    local-zone: "test." nodefault
    root-hints: "{self.directory}/root.hints"
    trust-anchor-file: "{self.directory}/root.ds"
    cache-max-ttl: 60
    aggressive-nsec: {"yes" if self.aggressive else "no"}
    num-threads: 1
    username: ""
    chroot: ""
    pidfile: ""
    directory: "{self.directory}"
    use-syslog: no
    logfile: ""
    log-queries: yes
    verbosity: 1
remote-control:
    control-enable: yes
    control-interface: "{self.directory}/control"
    control-use-cert: no
""")

    def command(self) -> Sequence[str | Path]:
        """The server in the foreground, its log on stderr."""
        return [self.directory / "unbound", "-d", "-p", "-c", self.directory / "unbound.conf"]

    def launch(self) -> None:
        """Start the process; its log is read line by line as it comes."""
        if not self.is_running:
            self._process = Process(self.name, self.command(), self.log, on_line=self._note)

    def is_ready(self) -> bool:
        """It answers, whether or not the root does yet."""
        return wire.answers(self.address, port=self.port)

    def control(self, *arguments: str) -> str:
        """What ``unbound-control ARGUMENTS`` prints; LabError if it fails."""
        return run(["unbound-control", "-c", self.directory / "unbound.conf", *arguments])

    def flush(self) -> None:
        """Forget every answer, and what it thinks of the servers."""
        self.control("flush_zone", ".")
        self.control("flush_infra", "all")

    def queries(self, name: str = "", record_type: str = "") -> list[Query]:
        """What clients asked since the start or :meth:`forget_queries`, at this very name if one is given."""
        wanted = name.rstrip(".").lower()
        with self._lock:
            seen = list(self._queries)
        return [
            query
            for query in seen
            if (not wanted or query.name.rstrip(".").lower() == wanted) and record_type in ("", query.record_type)
        ]

    def forget_queries(self) -> None:
        """Begin a new list of queries."""
        with self._lock:
            self._queries.clear()

    def _note(self, at: float, line: str) -> None:
        match = QUERY_LINE.search(line)
        if match:
            with self._lock:
                self._queries.append(Query(at, match["client"], match["name"], match["type"]))
