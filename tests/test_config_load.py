import subprocess
import sys
from pathlib import Path

import pytest

from dnsbroker.config import Config
from dnsbroker.errors import ConfigError

EMPTY = "parallel = 3\n"


def written(path: Path, text: str = EMPTY) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_path_given_comes_before_the_variable(tmp_path: Path) -> None:
    """--config wins."""
    given = written(tmp_path / "given.toml")
    named = written(tmp_path / "named.toml", "parallel = 4")
    environment = {"DNSBROKER_CONFIG": str(named), "HOME": str(tmp_path)}
    assert Config.load(given, environment=environment, is_root=False).path == given
    assert Config.load(str(given), environment=environment, is_root=False).parallel == 3


def test_the_variable_comes_before_the_usual_places(tmp_path: Path) -> None:
    """$DNSBROKER_CONFIG wins for root and for everybody else; an empty one counts as unset."""
    named = written(tmp_path / "named.toml")
    environment = {"DNSBROKER_CONFIG": str(named), "HOME": str(tmp_path)}
    for is_root in (True, False):
        assert Config.load(environment=environment, is_root=is_root).path == named
    own = written(tmp_path / ".config/dnsbroker/dnsbroker.toml")
    assert Config.load(environment={**environment, "DNSBROKER_CONFIG": ""}, is_root=False).path == own


@pytest.mark.parametrize("directory", ["", "relative/config"])
def test_an_ordinary_user_has_it_below_home(tmp_path: Path, directory: str) -> None:
    """Without $XDG_CONFIG_HOME, or with one that is not absolute, it is ~/.config."""
    own = written(tmp_path / ".config/dnsbroker/dnsbroker.toml")
    environment = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": directory}
    assert Config.load(environment=environment, is_root=False).path == own


def test_an_ordinary_user_has_it_below_xdg_config_home(tmp_path: Path) -> None:
    """$XDG_CONFIG_HOME comes before ~/.config."""
    written(tmp_path / ".config/dnsbroker/dnsbroker.toml", "parallel = 4")
    own = written(tmp_path / "xdg/dnsbroker/dnsbroker.toml")
    environment = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    assert Config.load(environment=environment, is_root=False).path == own


def test_root_has_it_in_etc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Root's is the system's, whatever root's own environment says of homes."""
    system = written(tmp_path / "etc/dnsbroker.toml")
    monkeypatch.setattr("dnsbroker.config.files.SYSTEM_PATH", system)
    environment = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    assert Config.load(environment=environment, is_root=True).path == system


def test_the_environment_is_the_process_s_unless_one_is_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The command line hands over nothing, and its variables count."""
    monkeypatch.setenv("DNSBROKER_CONFIG", str(written(tmp_path / "c.toml")))
    assert Config.load().parallel == 3
    with pytest.raises(ConfigError):
        Config.load(environment={"HOME": str(tmp_path)}, is_root=False)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"DNSBROKER_CONFIG": "/nowhere/c.toml"}, "/nowhere/c.toml: there is no such file, named by $DNSBROKER_CONFIG"),
        ({"HOME": "/nowhere"}, "/nowhere/.config/dnsbroker/dnsbroker.toml: there is no such file, the place for an"),
    ],
)
def test_a_missing_file_says_where_was_looked_and_how_to_come_by_one(environment: dict[str, str], words: str) -> None:
    """The first run of anybody ends here."""
    with pytest.raises(ConfigError) as caught:
        Config.load(environment=environment, is_root=False)
    assert words in str(caught.value)
    assert "dnsbroker config example" in caught.value.hint
    assert "--config" in caught.value.hint


def test_a_missing_file_that_was_named_is_not_replaced_by_another(tmp_path: Path) -> None:
    """A slip in --config must not fall back to another configuration."""
    own = written(tmp_path / ".config/dnsbroker/dnsbroker.toml")
    with pytest.raises(ConfigError, match="named with --config"):
        Config.load(tmp_path / "slip.toml", environment={"HOME": str(tmp_path)}, is_root=False)
    assert own.exists()


def test_a_directory_in_its_place_is_an_error_of_one_line(tmp_path: Path) -> None:
    """What the operating system says is passed on."""
    with pytest.raises(ConfigError, match="cannot be read: is a directory") as caught:
        Config.load(tmp_path, environment={})
    assert caught.value.path == str(tmp_path)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("a = b", "line 1, column 5: not TOML: invalid value", "quotes"),
        ("\n[acme\n", "line 2, column 6: not TOML: expected ']'", "config example"),
        ("[defaults]\nmode = 0640\n", "line 2, column 9: not TOML: expected newline", '"0640"'),
        ("[acme]\n[acme]\n", "line 2, column 6: not TOML: cannot declare", "once"),
        ('secrets_group = "x', "at the end: not TOML: unterminated string", "quotes"),
        ('secrets_group = "x\n', "line 1, column 19: not TOML: illegal character", "quotes"),
        ("parallel = 1\nparallel = 2", "not TOML: cannot overwrite", "once"),
        ("parallel", "not TOML: expected '='", "key = value"),
        ("x = [1", "not TOML: unclosed array", "bracket"),
        ('x = "a\\q"', "not TOML: unescaped", "backslash"),
    ],
)
def test_what_is_no_toml_is_shown_by_line_and_column(tmp_path: Path, text: str, words: str, hint: str) -> None:
    """The parser's words, where it stumbled, and what is most often the matter."""
    path = written(tmp_path / "c.toml", text)
    with pytest.raises(ConfigError) as caught:
        Config.load(path, environment={})
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)
    assert hint in caught.value.hint
    assert "\n" not in str(caught.value)


def test_what_is_no_toml_shows_none_of_its_text(tmp_path: Path) -> None:
    """The line that the parser stumbles over may hold a secret; no exception behind the error keeps it either."""
    path = written(tmp_path / "c.toml", '[providers.x]\napi_key = "hunter2" oops\n')
    with pytest.raises(ConfigError) as caught:
        Config.load(path, environment={})
    assert "hunter2" not in str(caught.value) + caught.value.hint
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_what_is_no_utf_8_is_shown_by_line(tmp_path: Path) -> None:
    """Latin-1 is an error, not a wrong name; a byte-order mark is none."""
    path = tmp_path / "c.toml"
    path.write_bytes(b"parallel = 3\n# caf\xe9\n")
    with pytest.raises(ConfigError, match="line 2: not UTF-8"):
        Config.load(path, environment={})
    path.write_bytes(b"\xef\xbb\xbfparallel = 3\n")
    assert Config.load(path, environment={}).parallel == 3


def test_state_is_the_system_s_for_root_and_the_user_s_for_others(tmp_path: Path) -> None:
    """The default of state_dir depends on who runs it; a configured one on nobody."""
    path = written(tmp_path / "c.toml")
    xdg = {"HOME": "/home/u", "XDG_STATE_HOME": "/home/u/state"}
    assert Config.load(path, environment={"HOME": "/home/u"}, is_root=True).state_dir == Path("/var/lib/dnsbroker")
    assert Config.load(path, environment=xdg, is_root=False).state_dir == Path("/home/u/state/dnsbroker")
    home = Config.load(path, environment={"HOME": "/home/u"}, is_root=False).state_dir
    assert home == Path("/home/u/.local/state/dnsbroker")
    written(path, 'state_dir = "state"')
    for is_root in (True, False):
        assert Config.load(path, environment=xdg, is_root=is_root).state_dir == tmp_path / "state"


def test_an_empty_file_holds_the_defaults(tmp_path: Path) -> None:
    """Every key at the top, in acme, dns and propagation may stay away."""
    config = Config.load(written(tmp_path / "c.toml", ""), environment={}, is_root=True)
    default = Config()
    assert (config.acme, config.dns, config.propagation) == (default.acme, default.dns, default.propagation)
    assert (config.parallel, config.secrets_group) == (8, "")
    assert not config.providers
    assert not config.certificates


def test_a_program_s_tables_are_read_as_a_file_is(tmp_path: Path) -> None:
    """No file, no environment, the same keys and errors."""
    config = Config.from_dict({"state_dir": str(tmp_path), "acme": {"directory": "letsencrypt-staging"}})
    assert config.state_dir == tmp_path
    assert config.acme.directory == "https://acme-staging-v02.api.letsencrypt.org/directory"
    assert config.path is None
    assert config.environment == {}
    assert Config.from_dict({"state_dir": tmp_path}).state_dir == tmp_path
    with pytest.raises(ConfigError, match=r"^\[acme\] directroy: unknown key; the nearest known key is directory"):
        Config.from_dict({"acme": {"directroy": "letsencrypt"}})


@pytest.mark.parametrize("key", ["directory", "staging"])
@pytest.mark.parametrize(
    "url",
    [
        "https://u:hunter2@ca.test/dir",
        "https://:hunter2@ca.test/dir",
        "https://u:hunter2@ca.test:port/dir",
        "https://u:hunter2/@ca.test/dir",
        "https://u:hunter2@[::1/dir",
        "http://u:hunter2@ca.test/dir",
        "u:hunter2@ca.test/dir",
    ],
)
def test_a_ca_s_url_with_a_password_is_refused_and_not_shown(tmp_path: Path, key: str, url: str) -> None:
    """Errors name the CA's URL; a sign that looks like a password's is nothing in the path of a good one."""
    with pytest.raises(ConfigError, match=rf"\[acme\] {key}: should be a URL of the form") as refused:
        Config.from_dict({"state_dir": tmp_path, "acme": {key: url}})
    assert "hunter2" not in f"{refused.value} {refused.value.hint}"
    good = "https://ca.test/dir/u@hunter2"
    assert getattr(Config.from_dict({"state_dir": tmp_path, "acme": {key: good}}).acme, key) == good


def test_reading_a_program_s_tables_looks_at_no_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The library reads the environment only where it is handed over."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "wrong"))
    monkeypatch.setenv("DNSBROKER_CONFIG", str(tmp_path / "wrong.toml"))
    assert "wrong" not in str(Config.from_dict({}).state_dir)


def test_importing_the_configuration_imports_none_of_the_heavy_libraries() -> None:
    """Start-up is a budget; a parser and the entry points are for the moment in which a file is read."""
    heavy = ["dns", "httpx", "acme", "josepy", "rich", "cryptography", "idna", "asyncio", "ssl", "subprocess"]
    heavy += ["tomllib", "importlib.metadata"]
    program = f"import sys, dnsbroker.config; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
