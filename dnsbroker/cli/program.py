"""The tree of commands, and the one place where an error becomes words and an exit status."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import click

from dnsbroker import __version__
from dnsbroker.cli import streams
from dnsbroker.cli.grammar import Group, common, nearest
from dnsbroker.cli.options import Options

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

#: Where each command is, and what it does in a line; imported only when it is called.
_COMMANDS = {
    "issue": ("dnsbroker.cli.certificates:issue", "Obtain certificates."),
    "renew": ("dnsbroker.cli.certificates:renew", "Make what is there what the configuration says."),
    "deploy": ("dnsbroker.cli.deploying:deploy", "Bring certificates to their users again."),
    "revoke": ("dnsbroker.cli.revoking:revoke", "Have the CA take a certificate back."),
    "delete": ("dnsbroker.cli.revoking:delete", "Put a certificate aside."),
    "account": ("dnsbroker.cli.accounts:account", "Register, show or change an account at a CA."),
    "list": ("dnsbroker.cli.certificates:list_certificates", "Show the certificates that are there."),
    "show": ("dnsbroker.cli.knowing:show", "Show all that is known of a certificate."),
    "status": ("dnsbroker.cli.knowing:status", "Tell whether all is well with the certificates."),
    "log": ("dnsbroker.cli.knowing:log", "Show what was done, and by which run."),
    "import": ("dnsbroker.cli.importing:import_directory", "Take over what certbot or dehydrated keeps."),
    "doctor": ("dnsbroker.cli.doctor:doctor", "Find what would make a validation fail, before it does."),
    "txt": ("dnsbroker.cli.records:txt", "Publish or withdraw TXT values."),
    "wait": ("dnsbroker.cli.records:wait", "Watch the authoritative servers until all have a value."),
    "tlsa": ("dnsbroker.cli.tlsa:tlsa", "Compute TLSA records, and judge chains by them."),
    "gc": ("dnsbroker.cli.records:gc", "Withdraw what dead or expired runs left in DNS."),
    "hook": ("dnsbroker.cli.hook.command:hook", "Do what another ACME client asks its hook for."),
    "config": ("dnsbroker.cli.configuration:config", "Check the configuration, and print what goes with it."),
    "providers": ("dnsbroker.cli.configuration:providers", "Show the configured providers and the adapters installed."),
}


class _Commands(Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name][0].split(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)  # noqa: S101 - for the type checker
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(cls=_Commands, context_settings=_SETTINGS)
@click.version_option(__version__, "--version", prog_name="dnsbroker", message="%(prog)s %(version)s")
@common
def program() -> None:
    """Wildcard certificates by dns-01 that wait for every authoritative name server.

    \b
    Examples:
      dnsbroker config example > /etc/dnsbroker/dnsbroker.toml
      dnsbroker issue -d example.org -d '*.example.org'
      dnsbroker renew            the one command for a timer
    """  # noqa: D301 - a real control character, by which click knows not to wrap


def run(arguments: Sequence[str] | None) -> int:
    """Run ``arguments``; returns the exit status. No traceback reaches the user but of a defect, with -vv."""
    streams.prepare()
    options = Options()
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        status = program.main(args=given, prog_name="dnsbroker", standalone_mode=False, obj=options)
        return status if isinstance(status, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        return _usage(error, options, given)
    except (click.Abort, KeyboardInterrupt):
        return _interrupted(options, given)
    except SystemExit as stop:  # so click ends where nobody reads what --help or --version print
        streams.abandon(sys.stdout)
        return stop.code if isinstance(stop.code, int) else 1
    except Exception as error:  # noqa: BLE001 - whatever it is, the user gets words
        from dnsbroker.cli.defects import admit

        return admit(error, options, _called(given))


def _usage(error: click.ClickException, options: Options, given: Sequence[str]) -> int:
    from dnsbroker.cli.output import usage_failed

    options.json = options.json or "--json" in given
    context = getattr(error, "ctx", None)
    command = context.command_path.removeprefix("dnsbroker").strip() if context is not None else _called(given)
    usage_failed(options, command, _words(error))
    return 2


def _words(error: click.ClickException) -> str:
    if isinstance(error, click.NoSuchOption):
        return f"no such option {error.option_name}{nearest(error.option_name, error.possibilities or ())}"
    return error.format_message()


def _interrupted(options: Options, given: Sequence[str]) -> int:
    """Ctrl-C before the work began, or when it was over."""
    from dnsbroker.cli.output import Result, ended_early

    ended_early(options, _called(given), Result(status=130))
    return 130


def _called(given: Sequence[str]) -> str:
    """The command in ``given``, as far as it can be told without parsing it."""
    return next((word for word in given if word in _COMMANDS), "")
