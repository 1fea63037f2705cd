"""The units for systemd and the line for cron, and what the command does with them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import pages
from dnsbroker.cli import main
from dnsbroker.config import Config
from dnsbroker.errors import ConfigError
from dnsbroker.scheduling import cron_line, units

PROGRAM = ("/opt/dnsbroker/bin/dnsbroker",)
#: Whatever a path may hold that systemd, a shell or cron would read as something else.
ODD_PROGRAM = "a b/50%n/$HOME/${X}/münchen"  # systemd itself forbids quotes here
ODD = "a b/50%n/$HOME/${X}/\"q'/back\\slash/münchen"
PAGE = pages.text("docs/scheduling.md")


def configured(data: dict[str, object], path: Path = Path("/etc/dnsbroker/dnsbroker.toml")) -> Config:
    """A configuration as if it stood in ``path``."""
    config = Config.from_dict({"state_dir": "/var/lib/dnsbroker", **data})
    assert not config.broken
    return replace(config, path=path)


def service(config: Config, program: Sequence[str] = PROGRAM, *, is_root: bool = True) -> list[str]:
    """The lines of the service."""
    return units(config, program=program, is_root=is_root)[0].text.splitlines()


def values(lines: Sequence[str], name: str) -> list[str]:
    """What the unit says for ``name``, in order."""
    return [line.partition("=")[2] for line in lines if line.startswith(f"{name}=")]


def copied(*copies: dict[str, object], **others: object) -> dict[str, object]:
    """Tables with one certificate."""
    return {"certificates": {"a.example": {"copies": list(copies), **others}}}


def analyzed(*arguments: str | Path, runtime: str | Path = "/run") -> subprocess.CompletedProcess[str]:
    """What ``systemd-analyze`` says; it needs no systemd that runs."""
    assert shutil.which("systemd-analyze"), "tests/rig/install-packages installs systemd"
    command = ["env", f"XDG_RUNTIME_DIR={runtime}", "systemd-analyze", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_service_calls_this_program_with_this_configuration() -> None:
    """By absolute paths, for systemd knows neither directory nor variable of the caller; and with the whole story."""
    lines = service(configured({}))
    assert values(lines, "ExecStart") == ["/opt/dnsbroker/bin/dnsbroker --config /etc/dnsbroker/dnsbroker.toml renew"]
    assert values(lines, "Type") == ["oneshot"]
    assert values(lines, "SuccessExitStatus") == ["5 6"]
    assert values(lines, "EnvironmentFile") == ["-/etc/dnsbroker/environment"]


def test_every_directory_of_a_copy_may_be_written_and_no_other() -> None:
    """The directory itself, or that of each path; each once, and none within another."""
    config = configured(
        {
            "metrics": "/var/lib/prometheus/dnsbroker.prom",
            **copied(
                {"to": "/etc/prosody/certs/a.example"},
                {"key": "/etc/ssl/private/a.key", "fullchain": "/etc/ssl/certs/a.crt"},
                {"combined": "/etc/ssl/private/deeper/../a.pem"},
                {"cert": "/var/lib/daemon/out/a.pem"},
                {"to": "/etc/ssl/private/more"},
            ),
        }
    )
    written = values(service(config), "ReadWritePaths")
    assert written == [
        "-/var/lib/dnsbroker",
        "-/etc/prosody/certs/a.example",
        "-/etc/ssl/certs",
        "-/etc/ssl/private",
        "-/var/lib/daemon/out",
        "-/var/lib/prometheus",
    ]
    assert values(service(config), "ProtectSystem") == ["strict"]
    assert values(service(configured({})), "ReadWritePaths") == ["-/var/lib/dnsbroker"]


def test_what_may_be_written_is_made_before_the_sandbox_closes() -> None:
    """A path that is not there keeps systemd from starting anything, unless a dash says that it may be missing."""
    lines = service(configured(copied({"to": "/etc/prosody/certs"})))
    assert values(lines, "ExecStartPre") == [
        "+mkdir -p -m 0711 -- /var/lib/dnsbroker",
        "+mkdir -p -m 0755 -- /etc/prosody/certs",
    ]
    assert all(path.startswith("-/") for path in values(lines, "ReadWritePaths"))


def test_each_credential_is_loaded_once() -> None:
    """Of providers and of accounts; a secret from elsewhere is none."""
    tables: dict[str, object] = {
        "acme": {"eab_kid": "k", "eab_hmac_key": {"credential": "eab"}},
        "providers": {
            "p": {"type": "powerdns", "url": "http://127.0.0.1:1", "api_key": {"credential": "pdns"}},
            "q": {"type": "powerdns", "url": "http://127.0.0.1:2", "api_key": {"credential": "pdns"}},
            "r": {"type": "powerdns", "url": "http://127.0.0.1:3", "api_key": {"file": "/etc/k"}},
        },
    }
    assert values(service(configured(tables)), "LoadCredential") == ["eab", "pdns"]
    user = service(configured(tables), is_root=False)
    assert values(user, "LoadCredential") == ["eab:%E/credstore/eab", "pdns:%E/credstore/pdns"]


@pytest.mark.parametrize("name", ["schlüssel", "a b", "a:b"])
def test_a_credential_that_systemd_could_not_load_is_refused(name: str) -> None:
    """Rather than a unit that it would not read."""
    table = {"type": "powerdns", "url": "http://127.0.0.1:1", "api_key": {"credential": name}}
    with pytest.raises(ConfigError, match="systemd does not take") as caught:
        service(configured({"providers": {"p": table}}))
    assert caught.value.hint


HOOKED: list[dict[str, object]] = [
    {"alert_hooks": ["mail root"]},
    copied(pre_hooks=["x"]),
    copied(deploy_hooks=["x"]),
    copied(post_hooks=["x"]),
    {"providers": {"p": {"type": "powerdns", "url": "http://127.0.0.1:1", "api_key": {"command": ["pass", "x"]}}}},
]


@pytest.mark.parametrize("tables", HOOKED, ids=lambda tables: json.dumps(tables)[:40])
def test_commands_of_the_administrator_s_own_get_room(tables: dict[str, object]) -> None:
    """They may mail and log; what they need of the kernel nobody knows. The rest stays closed, and the unit says so."""
    lines = service(configured(tables))
    assert "-/run -/var/log -/var/spool" in values(lines, "ReadWritePaths")
    assert not values(lines, "CapabilityBoundingSet") + values(lines, "SystemCallFilter")
    assert values(lines, "ProtectSystem") == ["strict"]
    assert "#   ReadWritePaths=/its/directory" in lines


def test_without_such_commands_nothing_of_that_is_open() -> None:
    """Reloading by systemd itself needs no more than a socket."""
    lines = service(configured(copied(reload=["nginx"])))
    assert values(lines, "CapabilityBoundingSet")
    assert values(lines, "SystemCallFilter") == ["@system-service"]
    assert values(lines, "ReadWritePaths") == ["-/var/lib/dnsbroker"]
    assert "AF_UNIX" in values(lines, "RestrictAddressFamilies")[0]


def test_a_run_may_last_as_long_as_it_may_wait() -> None:
    """For the name servers, for the authority, and for every hook one after the other."""
    hooks = copied(deploy_hooks=["x", "y"], post_hooks=["z"], hook_timeout="20m")
    tables = {"propagation": {"timeout": "2h", "settle": "60s"}, **hooks}
    (seconds,) = values(service(configured(tables)), "TimeoutStartSec")
    assert int(seconds) >= 7200 + 60 + 3 * 1200


def test_a_run_may_last_as_long_as_an_adapter_waits() -> None:
    """Where the configuration does not say how long a record settles; a zero that it says is a zero."""

    def seconds(**propagation: str) -> int:
        cloudflare = {"cf": {"type": "cloudflare", "api_token": "x"}}
        tables = {"providers": cloudflare, "propagation": {"timeout": "10m", **propagation}}
        (found,) = values(service(configured(tables)), "TimeoutStartSec")
        return int(found)

    assert seconds() - seconds(settle="0s") == 3


def test_a_unit_counts_once_however_many_certificates_have_it() -> None:
    """Five seconds for the question whether it runs, and a minute and a half for what is done about it."""

    def seconds(units: Sequence[str]) -> int:
        names = ("a.example", "b.example")
        (found,) = values(
            service(configured({"certificates": {name: {"reload": list(units)} for name in names}})), "TimeoutStartSec"
        )
        return int(found)

    assert seconds(["nginx", "postfix"]) - seconds([]) == 2 * 95


def test_the_timer_is_hourly_and_not_everybody_s_at_once() -> None:
    """And makes up for what a machine that was off has missed."""
    _, timer = units(configured({}), program=PROGRAM, is_root=True)
    lines = timer.text.splitlines()
    assert values(lines, "OnCalendar") == ["hourly"]
    assert values(lines, "RandomizedDelaySec") == ["45min"]
    assert values(lines, "Persistent") == ["true"]
    assert values(lines, "WantedBy") == ["timers.target"]


def unit_files(directory: Path, config: Config, program: Path, *, is_root: bool) -> list[Path]:
    """Both units, as files."""
    files = []
    for unit in units(config, program=[str(program)], is_root=is_root):
        files.append(directory / unit.name)
        files[-1].write_text(unit.text)
    return files


def odd_configuration(directory: Path) -> tuple[Config, Path]:
    """A configuration whose every path is odd, and a program in such a place."""
    program = directory / ODD_PROGRAM / "dnsbroker"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    table = {"type": "powerdns", "url": "http://127.0.0.1:1", "api_key": {"credential": "50%n"}}
    tables: dict[str, object] = {
        "state_dir": f"/srv/{ODD}/state",
        "metrics": f"/srv/{ODD}/m/x.prom",
        "providers": {"p": table},
        "certificates": {"münchen.example": {"copies": [{"to": f"/srv/{ODD}/new\nline"}]}},
    }
    return configured(tables, Path(f"/etc/{ODD}/dnsbroker.toml")), program


@pytest.mark.parametrize("is_root", [True, False])
def test_systemd_finds_no_fault_with_the_units_whatever_the_paths(tmp_path: Path, is_root: bool) -> None:
    """The program is found in a place with blanks, quotes, percent and dollar signs: it is read as it was meant."""
    config, program = odd_configuration(tmp_path)
    files = unit_files(tmp_path, config, program, is_root=is_root)
    done = analyzed("verify", "--system" if is_root else "--user", *files, runtime=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_would_have_found_fault_with_a_path_as_it_stands(tmp_path: Path) -> None:
    """The twin: such paths do need what is done to them."""
    config, program = odd_configuration(tmp_path)
    file, timer = unit_files(tmp_path, config, program, is_root=True)
    text = "\n".join(line for line in file.read_text().splitlines() if not line.startswith("ExecStart="))
    file.write_text(f"{text}\n[Service]\nExecStart={program} renew\n")
    assert analyzed("verify", file, timer).returncode


def exposure(tmp_path: Path, tables: dict[str, object]) -> int:
    """How exposed systemd holds the service to be, from 0 to 100."""
    (tmp_path / "dnsbroker.service").write_text("\n".join(service(configured(tables))))
    for threshold in range(0, 101, 5):
        options = ("security", "--offline=true", f"--threshold={threshold}", "--no-pager")
        if not analyzed(*options, tmp_path / "dnsbroker.service").returncode:
            return threshold
    raise AssertionError("systemd cannot judge the unit")


def test_systemd_holds_the_service_for_hardened(tmp_path: Path) -> None:
    """Less where commands of the administrator's own run in it, for nobody knows what those need."""
    assert exposure(tmp_path, {}) <= 30
    assert exposure(tmp_path, HOOKED[0]) <= 70


def test_an_ordinary_user_s_units_are_for_that_user_s_systemd() -> None:
    """Which may not build the sandbox, and has no target for the network."""
    lines = service(configured({}), is_root=False)
    assert not values(lines, "ProtectSystem") + values(lines, "After")
    assert "systemctl --user edit dnsbroker.service" in lines[1]


def test_cron_s_line_is_run_as_it_is_meant(tmp_path: Path) -> None:
    """By a shell, after cron has taken the backslashes from percent signs."""
    config, program = odd_configuration(tmp_path)
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    line = cron_line(config, program=[str(program)], user="root", minute=7)
    schedule, user, command = line.split("  ", 2)
    assert (schedule, user) == ("7 * * * *", "root")
    assert "%" not in command.replace("\\%", "")
    done = subprocess.run(["sh", "-c", command.replace("\\%", "%")], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["--config", str(config.path), "-q", "renew"]


def test_the_page_shows_what_the_program_makes(tmp_path: Path) -> None:
    """Units and cron's line for the configuration above them, to the letter."""
    (example,) = pages.blocks(PAGE, "toml")
    (tmp_path / "dnsbroker.toml").write_text(example)
    loaded = Config.load(tmp_path / "dnsbroker.toml", environment={}, is_root=True)
    config = replace(loaded, path=Path("/etc/dnsbroker/dnsbroker.toml"))
    program = ["/usr/local/bin/dnsbroker"]
    made = [unit.text for unit in units(config, program=program, is_root=True)]
    assert pages.blocks(PAGE, "ini")[:2] == made
    assert cron_line(config, program=program, user="root", minute=17) in PAGE.splitlines()


@pytest.fixture
def called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Call ``config systemd`` for a configuration; its status, stdout and stderr."""
    path = tmp_path / "dnsbroker.toml"
    path.write_text(f'state_dir = "{tmp_path}/state"\n[certificates."a.example"]\n')
    monkeypatch.setenv("DNSBROKER_CONFIG", str(path))

    def call(*arguments: str) -> tuple[int, str, str]:
        status = main([*arguments[:-1], "config", "systemd", *arguments[-1:]] if arguments else ["config", "systemd"])
        said = capsys.readouterr()
        return status, said.out, said.err

    return call


def test_both_units_are_printed_with_where_they_belong(
    tmp_path: Path, called: Callable[..., tuple[int, str, str]]
) -> None:
    """And cron's line, as a comment; the path is one that can be run."""
    status, out, err = called()
    assert (status, err) == (0, "")
    heads = [line for line in out.splitlines() if line.endswith(("/dnsbroker.service", "/dnsbroker.timer"))]
    assert len(heads) == 2
    (command,) = values(out.splitlines(), "ExecStart")
    assert os.access(command.split()[0], os.X_OK)
    assert f"--config {tmp_path}/dnsbroker.toml renew" in command
    assert out.splitlines()[-1].startswith("# ")
    assert " * * * *  " in out.splitlines()[-1]


def test_units_are_written_once(tmp_path: Path, called: Callable[..., tuple[int, str, str]]) -> None:
    """With what to run next; what says the same already is not touched, and nothing is left beside."""
    target = tmp_path / "units"
    status, out, _ = called(f"--write={target}")
    assert status == 0
    assert f"written: {target}/dnsbroker.timer" in out
    assert "daemon-reload" in out
    before = {path.name: path.stat().st_mtime_ns for path in target.iterdir()}
    assert set(before) == {"dnsbroker.service", "dnsbroker.timer"}
    assert {path.stat().st_mode & 0o777 for path in target.iterdir()} == {0o644}
    status, out, _ = called(f"--write={target}")
    assert out == f"unchanged: {target}/dnsbroker.service\nunchanged: {target}/dnsbroker.timer\n"
    assert {path.name: path.stat().st_mtime_ns for path in target.iterdir()} == before
    assert json.loads(called("--json", f"--write={target}")[1])["changed"] is False
    (target / "dnsbroker.timer").write_text("[Timer]\n")
    told = json.loads(called("--json", f"--write={target}")[1])
    assert told["changed"] is True
    assert [each["changed"] for each in told["files"]] == [False, True]


def test_where_one_unit_cannot_be_written_none_is(tmp_path: Path, called: Callable[..., tuple[int, str, str]]) -> None:
    """And what was there before is as it was."""
    target = tmp_path / "units"
    (target / ".dnsbroker.timer.new").mkdir(parents=True)
    (target / "dnsbroker.service").write_text("old")
    status, _, err = called(f"--write={target}")
    assert status == 1
    assert err.startswith(f"error: {target} cannot be written: ")
    assert "\nhint: " in err
    assert (target / "dnsbroker.service").read_text() == "old"
    assert not (target / ".dnsbroker.service.new").exists()


def test_a_wrong_certificate_is_told_and_the_others_are_scheduled(
    tmp_path: Path, called: Callable[..., tuple[int, str, str]]
) -> None:
    """Its copies are missing in the unit, so the status is no success."""
    with (tmp_path / "dnsbroker.toml").open("a") as file:
        file.write('[certificates."b.example"]\nmood = 1\n')
    status, out, err = called()
    assert status == 1
    assert "ExecStart=" in out
    assert "mood: unknown key" in err


def test_the_program_is_found_however_it_is_called(tmp_path: Path) -> None:
    """As a module it has no path of its own, so its neighbour's is taken."""
    (tmp_path / "dnsbroker.toml").write_text("")
    arguments = ["--config", str(tmp_path / "dnsbroker.toml"), "config", "systemd"]
    script = Path(sys.executable).with_name("dnsbroker")
    link = tmp_path / "dnsbroker"
    link.symlink_to(script)
    for call, wanted in (
        ([sys.executable, "-m", "dnsbroker"], script),
        ([str(script)], script),
        ([str(link)], link),  # it may lead to another version tomorrow
    ):
        done = subprocess.run([*call, *arguments], capture_output=True, text=True, timeout=60, check=True)
        (command,) = values(done.stdout.splitlines(), "ExecStart")
        assert command.split()[0] == str(wanted)
