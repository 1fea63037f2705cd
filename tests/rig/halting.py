"""The program dnsbroker, which stops itself with the first line of output that holds a text.

Called as ``halting.py TEXT [ARG...]``.

Rule: not a moment passes between that line and SIGSTOP, however busy the machine is; all else is the program as it is
installed. Whoever waits for the line goes on with SIGCONT, or ends it there.
"""

from __future__ import annotations

import io
import os
import signal
import sys

from dnsbroker.cli import main


class Halting(io.TextIOWrapper):
    """A stream that stops its own process when a line that holds ``text`` has left it."""

    text = ""
    is_due = False

    def write(self, written: str, /) -> int:
        """Pass it on."""
        self.is_due = self.is_due or bool(self.text and self.text in written)
        return super().write(written)

    def flush(self) -> None:
        """Pass it on, and stop if that was the line."""
        super().flush()
        if self.is_due:
            self.text, self.is_due = "", False
            os.kill(os.getpid(), signal.SIGSTOP)


if __name__ == "__main__":
    stream = Halting(sys.stdout.buffer, encoding="utf-8")
    stream.text = sys.argv[1]
    sys.stdout = stream
    sys.exit(main(sys.argv[2:]))
