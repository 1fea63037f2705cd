"""An exception that is no error of ours: words for the user, and the whole story only for who asks for everything."""

from __future__ import annotations

import sys

from dnsbroker.cli import streams
from dnsbroker.cli.options import Options


def admit(error: Exception, options: Options, command: str) -> int:
    """Tell of ``error``, by which ``command`` ended, in one line, with -vv also where it arose; the exit status."""
    from dnsbroker.cli.output import ended_early, failed
    from dnsbroker.errors import BrokerError

    if options.verbose > 1:
        import traceback

        streams.say("".join(traceback.format_exception(error)).rstrip(), sys.stderr)
        hint = "please report the lines above; they hold no secret unless a message of another program does"
    else:
        hint = "this is a defect: run the same with -vv, and report what it prints"
    told = BrokerError(f"internal error: {type(error).__name__}: {error}".rstrip(": "), hint=hint)
    told.kind = "internal"
    result = failed(told)
    ended_early(options, command, result)
    if isinstance(error, OSError):
        streams.abandon(sys.stdout)  # it may be what failed, and would again at the end
    return result.status
