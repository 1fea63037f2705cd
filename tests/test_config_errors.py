"""Every rule for a single key: the wrong value with its error, beside it the right one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest

from dnsbroker.adapter import Adapter
from dnsbroker.config import Config
from dnsbroker.errors import ConfigError
from dnsbroker.settings import Duration, Rejected, Secret, key
from dnsbroker.testing.memory import MemoryProvider


def read_even(raw: object) -> object:
    """An even number."""
    if not isinstance(raw, int) or raw % 2:
        raise ValueError("it is an even number")
    return raw


@dataclass(frozen=True)
class EverySettings:
    """A key of each type that an adapter may have."""

    url: str = key(doc="Base URL.", example='"http://127.0.0.1:8081"')
    token: Secret | None = key(None, doc="The token.")
    flag: bool = key(True, doc="A flag.")
    count: int = key(3, doc="A number.")
    pause: Duration = key(5.0, doc="A pause.")
    kinds: tuple[str, ...] = key((), doc="Some kinds.")
    ids: dict[str, str] = key({}, doc="An id for each zone.")
    peers: dict[str, tuple[str, ...]] = key({}, doc="Peers of each zone.")
    mood: Literal["calm", "bold"] = key("calm", doc="A mood.")
    even: int = key(2, doc="An even number.", example="4", read=read_even)

    def __post_init__(self) -> None:
        if self.mood == "bold" and not self.flag:
            raise Rejected("a bold one needs its flag", key="mood", hint="set flag = true")
        if self.count == 13:
            raise ValueError("thirteen is too many")


class Every(MemoryProvider):
    """An adapter with all those keys."""

    Settings: ClassVar[type[Any]] = EverySettings


ADAPTERS: dict[str, type[Adapter]] = {"every": Every, "memory": MemoryProvider}
HEAD = '[providers.p]\ntype = "every"\nurl = "u"\n'


def load(directory: Path, text: str) -> Config:
    path = directory / "c.toml"
    path.write_text(text)
    path.chmod(0o600)
    return Config.load(path, environment={"HOME": str(directory)}, is_root=False, adapters=ADAPTERS)


WRONG = [
    # the top
    (
        "parralel = 8",
        "parralel",
        "unknown key; the nearest known key is parallel",
        "state_dir, secrets_group, parallel",
    ),
    ("nonsense = 1", "nonsense", "unknown key; the nearest known key is ", "known here"),
    ("parallel = '8'", "parallel", 'should be an integer, 1 or more, not the string "8"', "without quotes: 8"),
    ("parallel = true", "parallel", "not the boolean true", "without quotes"),
    ("parallel = 0", "parallel", "should be an integer, 1 or more, not 0", "1 or more"),
    ("parallel = 1.5", "parallel", "not the number 1.5", "without quotes"),
    ("state_dir = 1", "state_dir", "should be a string, not the integer 1", "quotes"),
    ('state_dir = ""', "state_dir", "should be a path", "/var/lib/dnsbroker"),
    ("secrets_group = [1]", "secrets_group", "should be a string, not an array", '"…"'),
    ("secrets_group = 1979-05-27", "secrets_group", "not a date or time", '"…"'),
    ("acme = 1", "acme", "should be a table, not an integer", "[acme]"),
    ("[[acme]]", "acme", "should be a table, not an array", "[acme]"),
    ("[provider.p]\ntype = 'every'", "provider", "the nearest known key is providers", "providers"),
    # what later versions bring
    ("metrics = 1", "metrics", "should be a string", "quotes"),
    ('alert_hooks = "x"', "alert_hooks", "array of strings", '["x"]'),
    ("alert_after = 0", "alert_after", "above zero", "10m"),
    ("[accounts.tcs]\ndirectory = 'x'", "[accounts.tcs] directory", "neither a known CA", "known are"),
    ("[accounts.default]\nagree_tos = true", "[accounts] default", "is [acme]", "into [acme]"),
    ('[accounts."../x"]\nagree_tos = true', '[accounts] "../x"', "no name for an account", "[accounts.tcs]"),
    ("[accounts.tcs]\nagree_to = true", "[accounts.tcs] agree_to", "unknown key", "agree_tos"),
    ("[[dane]]\nttl = '1h'", "[[dane]] 1 endpoint", "required key is missing", "smtp://mail.example.org"),
    ('[acme]\nstaging = "x"', "[acme] staging", "neither a known CA", "known are"),
    ('[acme]\neab_kid = "k"', "[acme] eab_hmac_key", "needs eab_hmac_key too", "gives out both"),
    ('[acme]\neab_hmac_key = { env = "K" }', "[acme] eab_kid", "needs eab_kid too", "gives out both"),
    ('[acme]\neab_algorithm = "HS1"', "[acme] eab_algorithm", '"HS256"', "the nearest is"),
    # the wrong table
    ("[acme]\nresolvers = []", "[acme] resolvers", "unknown key here; it belongs in [dns]", "in [dns]"),
    ("[dns]\ntimeout = 5", "[dns] timeout", "it belongs in [propagation]", "in [propagation]"),
    ("[dns]\nparallel = 5", "[dns] parallel", "at the top of the file, before the first [table]", "write parallel"),
    ("[dns]\ncontact = []", "[dns] contact", "it belongs in [acme]", "in [acme]"),
    ("zones = []", "zones", "it belongs in [providers.NAME]", "in [providers.NAME]"),
    ("[acme]\nkey_type = 'x'", "[acme] key_type", "in [certificates.NAME] or [defaults]", "key_type"),
    ("[defaults]\nnames = ['a.example']", "[defaults] names", "in [certificates.NAME]", "names"),
    ("[acme]\ndirectory = 'letsencript'", "[acme] directory", "nearest known one is letsencrypt", "zerossl, google"),
    ("[acme]\ndirectory = 'http://ca.example/dir'", "[acme] directory", "is not encrypted", "https"),
    ("[acme]\ndirectory = 'http://127.0.0.1.example/dir'", "[acme] directory", "is not encrypted", "https"),
    ("[acme]\ndirectory = 'ftp://ca.example/dir'", "[acme] directory", "https://HOST/PATH", "https"),
    ("[acme]\ndirectory = 'https:///dir'", "[acme] directory", "https://HOST/PATH", "https"),
    ("[acme]\ndirectory = 'https://u:p@ca.example/dir'", "[acme] directory", "https://HOST/PATH", "https"),
    ("[acme]\ndirectory = 'https://ca.example:x/'", "[acme] directory", "is no URL", "https"),
    ("[acme]\ndirectory = 5", "[acme] directory", "should be the name or URL of a CA", "letsencrypt"),
    ("[acme]\ncontact = 'a@b.example'", "[acme] contact", "array of strings", '["a@b.example"]'),
    ("[acme]\ncontact = ['postmaster']", "[acme] contact", "is no mail address", "hostmaster@example.org"),
    ("[acme]\ncontact = ['a@b.example?x=y']", "[acme] contact", "is no mail address", "hostmaster@example.org"),
    ("[acme]\ncontact = ['a@b.example', 'mailto:a@b.example']", "[acme] contact", "twice", "take one of them out"),
    ("[acme]\ncontact = [1]", "[acme] contact", "should hold strings only, not the integer 1", "quotes"),
    ("[acme]\nagree_tos = 'yes'", "[acme] agree_tos", 'a boolean, not the string "yes"', "true or false"),
    ("[acme]\nagree_tos = 1", "[acme] agree_tos", "a boolean, not the integer 1", "true or false"),
    ("[acme]\nca_bundle = '/nowhere/ca.pem'", "[acme] ca_bundle", "no such file", "ls -l /nowhere/ca.pem"),
    ("[acme]\nca_bundle = '/'", "[acme] ca_bundle", "is a directory", "ls -l /"),
    ("[acme]\nproxy = 'proxy.example:3128'", "[acme] proxy", "is not the URL of an HTTP proxy", "http://"),
    ("[acme]\nproxy = 'http://proxy.example:no'", "[acme] proxy", "is not the URL of an HTTP proxy", "http://"),
    ("[dns]\nresolvers = ['ns.example']", "[dns] resolvers", "is no address of a name server", "[2001:db8::53]:5353"),
    ("[dns]\nresolvers = ['192.0.2.1:0']", "[dns] resolvers", "has no usable port", "192.0.2.53:5353"),
    ("[dns]\nresolvers = ['192.0.2.1:']", "[dns] resolvers", "has no usable port", "192.0.2.53:5353"),
    ("[dns]\nresolvers = ['[::1]53']", "[dns] resolvers", "is no address", "[2001:db8::53]:5353"),
    ("[dns]\nresolvers = ['::1', '[0::1]']", "[dns] resolvers", "names ::1 twice", "take one"),
    ("[dns]\nnameserver_port = 65536", "[dns] nameserver_port", "from 1 to 65535, not 65536", "from 1 to 65535"),
    ("[dns]\ntrust_ad = 'auto'", "[dns] trust_ad", "should be a boolean", "true or false"),
    ("[dns]\nservers = ['10.0.0.1']", "[dns] servers", "should be a table, not an array", "{ "),
    ("[dns]\nservers = { 'a.example' = [] }", "[dns] servers", "a.example. has no server", "at least one"),
    ("[dns]\nservers = { 'a.example' = '10.0.0.1' }", "[dns] servers", "array of strings", '["10.0.0.1"]'),
    ("[dns]\nservers = { a.example = ['10.0.0.1'] }", "[dns] servers", "a holds a table", '"a.example"'),
    ("[dns]\nservers = { 'a..b' = ['10.0.0.1'] }", "[dns] servers", "empty label", "correct the name"),
    (
        "[dns]\nservers = { 'a.example' = ['10.0.0.1'], 'A.example.' = ['10.0.0.2'] }",
        "[dns] servers",
        "names a.example. twice",
        "take one of them out",
    ),
    ("[propagation]\ntimeout = '10 min'", "[propagation] timeout", "should be a duration", '"10m"'),
    ("[propagation]\ntimeout = 0", "[propagation] timeout", "above zero", "10m"),
    ("[propagation]\ninterval = '0s'", "[propagation] interval", "above zero", "10m"),
    ("[propagation]\nsettle = -1", "[propagation] settle", "zero or more, not -1", "10m"),
    ("[propagation]\nrounds = 0", "[propagation] rounds", "1 or more, not 0", "1 or more"),
    ("[propagation]\nrequire = 'al'", "[propagation] require", '"all-reachable" or "all"', 'the nearest is "all"'),
    ("[propagation]\nrequire = false", "[propagation] require", "not the boolean false", "one of them"),
    ("[propagation]\nrequire = 'none'", "[propagation] require", "needs a settle above zero", "settle ="),
    ("[propagation]\nrequire = 'resolvers'", "[propagation] require", "needs a settle above zero", "settle ="),
    ("[propagation]\nrequire = 'none'\nsettle = '0s'", "[propagation] require", "above zero", "settle ="),
    ("[propagation]\nignore = ['a..b']", "[propagation] ignore", "empty label", "correct the name"),
    ("[propagation]\nignore = ['192.0.2.1:53']", "[propagation] ignore", "names a port", '"192.0.2.1"'),
    ("[propagation]\nignore = ['::1', '0::1']", "[propagation] ignore", "names ::1 twice", "take one"),
    ("[providers]\np = 1", "providers.p", "should be a table, not an integer", "[providers.p]"),
    ("[providers.p]\nurl = 'u'", "[providers.p] type", "required key is missing", "installed are cloudflare, every, "),
    ("[providers.p]\ntype = 5", "[providers.p] type", "should be a string, not the integer 5", "installed are"),
    ("[providers.p]\ntype = 'evry'", "[providers.p] type", "the nearest is every", "installed are cloudflare, every, "),
    (
        "[providers.p]\ntype = 'every'",
        "[providers.p] url",
        "required key is missing",
        'add url = "http://127.0.0.1:8081"',
    ),
    (HEAD + "tokn = 'x'", "[providers.p] tokn", "the nearest known key is token", "type, zones, ttl, url, token"),
    (HEAD + "proxy = ''", "[providers.p] proxy", "it belongs in [acme]", "in [acme]"),
    (HEAD + "ttl = '1500ms'", "[providers.p] ttl", "whole seconds", '"5s"'),
    (HEAD + "ttl = '60000d'", "[providers.p] ttl", "whole seconds", '"5s"'),
    (HEAD + "zones = ['a_b..c']", "[providers.p] zones", "empty label", "correct the name"),
    (HEAD + "zones = ['a.example', 'A.EXAMPLE.']", "[providers.p] zones", "names a.example. twice", "take one"),
    (HEAD + "flag = 'no'", "[providers.p] flag", "should be a boolean", "true or false"),
    (HEAD + "count = 'no'", "[providers.p] count", "should be an integer, not", "without quotes"),
    (HEAD + "pause = 'no'", "[providers.p] pause", "should be a duration", "10m"),
    (HEAD + "kinds = 'no'", "[providers.p] kinds", "array of strings", '["no"]'),
    (HEAD + "ids = { 'a' = 5 }", "[providers.p] ids", "should be a string, not the integer 5", "quotes"),
    (HEAD + "ids = { a.example = 'x' }", "[providers.p] ids", "a holds a table", '"a.example"'),
    (HEAD + "peers = { a = 'x' }", "[providers.p] peers", "array of strings", '["x"]'),
    (HEAD + "mood = 'bald'", "[providers.p] mood", '"calm" or "bold"', 'the nearest is "bold"'),
    (HEAD + "even = 3", "[providers.p] even", "it is an even number", "for example even = 4"),
    (HEAD + "mood = 'bold'\nflag = false", "[providers.p] mood", "a bold one needs its flag", "set flag = true"),
    (HEAD + "count = 13", "[providers.p]", "thirteen is too many", "config example --all"),
    ("[defaults]\nkey_type = 'rsa1024'", "[defaults] key_type", 'not the string "rsa1024"', "the nearest is"),
    ("[defaults]\nkey_rotation = 'monthly'", "[defaults] key_rotation", '"renewal", "never" or a duration', "10m"),
    ("[defaults]\nkey_rotation = 0", "[defaults] key_rotation", "above zero", "10m"),
    ("[defaults]\nmode = 640", "[defaults] mode", "a string of octal digits, not the integer 640", '"0640"'),
    ("[defaults]\nmode = '0o640'", "[defaults] mode", "should be octal digits", '"0640"'),
    ("[defaults]\nmode = '0680'", "[defaults] mode", "should be octal digits", '"0640"'),
    ("[defaults]\nmode = '4600'", "[defaults] mode", "permission bits only", '"0640"'),
    ("[defaults]\nmode = '0666'", "[defaults] mode", "everybody write the private key", '"0640"'),
    ("[defaults]\nowner = 0", "[defaults] owner", "should be a string, not the integer 0", "quotes"),
    ("certificates = []", "certificates", "should be a table, not an array", "[certificates]"),
]


@pytest.mark.parametrize(("text", "key", "words", "hint"), WRONG, ids=[f"{row[0]!r}" for row in WRONG])
def test_a_wrong_value_is_one_line_with_file_and_key_and_a_hint(
    tmp_path: Path, text: str, key: str, words: str, hint: str
) -> None:
    """Every error outside the certificates is raised, and reads alike."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    error = caught.value
    assert str(error).startswith(f"{tmp_path / 'c.toml'}: {key}: ")
    assert (error.path, error.key) == (str(tmp_path / "c.toml"), key)
    assert words in str(error)
    assert hint in error.hint
    for line in (str(error), error.hint):
        assert "\n" not in line
        assert not line.endswith(".")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("parallel = 1", "config.parallel == 1"),
        ("state_dir = 'x'", "config.state_dir == directory / 'x'"),
        ("[acme]\ndirectory = 'zerossl'", "config.acme.directory == 'https://acme.zerossl.com/v2/DV90'"),
        ("[acme]\ndirectory = 'https://ca.example/dir'", "config.acme.directory == 'https://ca.example/dir'"),
        ("[acme]\ndirectory = 'http://127.0.0.1:14000/dir'", "config.acme.directory.startswith('http://127')"),
        ("[acme]\ndirectory = 'http://[::1]:14000/dir'", "'::1' in config.acme.directory"),
        ("[acme]\ndirectory = 'http://localhost/dir'", "'localhost' in config.acme.directory"),
        ("[acme]\ncontact = ['a@b.example']", "config.acme.contact == ('mailto:a@b.example',)"),
        ("[acme]\ncontact = ['mailto:a@b.example']", "config.acme.contact == ('mailto:a@b.example',)"),
        ("[acme]\nca_bundle = 'c.toml'", "config.acme.ca_bundle == str(directory / 'c.toml')"),
        ("[acme]\nca_bundle = ''", "config.acme.ca_bundle == ''"),
        ("[acme]\nproxy = ''", "config.acme.proxy == ''"),
        ("[acme]\nproxy = 'http://u:p@p.example:3128'", "config.acme.proxy == 'http://u:p@p.example:3128'"),
        ("[dns]\nresolvers = ['192.0.2.1']", "config.dns.resolvers == ('192.0.2.1',)"),
        ("[dns]\nresolvers = ['192.0.2.1:5353']", "config.dns.resolvers == ('192.0.2.1:5353',)"),
        ("[dns]\nresolvers = ['[2001:DB8:0::1]:53']", "config.dns.resolvers == ('[2001:db8::1]:53',)"),
        ("[dns]\nresolvers = ['[2001:DB8:0::1]']", "config.dns.resolvers == ('2001:db8::1',)"),
        ("[dns]\nresolvers = []", "config.dns.trust_ad is None"),
        ("[dns]\ntrust_ad = false", "config.dns.trust_ad is False"),
        (
            "[dns]\nservers = { 'Corp.Example' = ['10.0.0.53'] }",
            "config.dns.servers == {'corp.example.': ('10.0.0.53',)}",
        ),
        ("[dns.servers]\n'corp.example' = ['::1']", "config.dns.servers == {'corp.example.': ('::1',)}"),
        ("[propagation]\ntimeout = '65m'", "config.propagation.timeout == 3900"),
        ("[propagation]\ninterval = '100ms'", "config.propagation.interval == 0.1"),
        ("[propagation]\nrequire = 'none'\nsettle = 60", "config.propagation.require == 'none'"),
        ("[propagation]\nrequire = 'resolvers'\nsettle = '1s'", "config.propagation.settle == 1"),
        ("[propagation]\nrequire = 'all'", "config.propagation.settle is None"),
        ("[propagation]\nsettle = 0", "config.propagation.settle == 0"),
        (
            "[propagation]\nignore = ['NS3.Example.net', '2001:DB8::1', '192.0.2.1']",
            "config.propagation.ignore == ('ns3.example.net.', '2001:db8::1', '192.0.2.1')",
        ),
        (HEAD, "config.providers['p'].adapter.__name__ == 'Every'"),
        (HEAD, "config.providers['p'].ttl is None and config.providers['p'].zones == ()"),
        (HEAD + "ttl = '5s'\nzones = ['Example.org']", "config.providers['p'].ttl == 5"),
        (HEAD + "zones = ['Example.org', '.']", "config.providers['p'].zones == ('example.org.', '.')"),
        (HEAD + "zones = ['bücher.example']", "config.providers['p'].zones == ('xn--bcher-kva.example.',)"),
        (HEAD + "mood = 'bold'\ncount = 12", "config.providers['p'].settings.mood == 'bold'"),
        (HEAD + "pause = '1m'", "config.providers['p'].settings.pause == 60"),
        (HEAD + "kinds = ['a', 'b']", "config.providers['p'].settings.kinds == ('a', 'b')"),
        (HEAD + "ids = { 'a.example' = 'x' }", "config.providers['p'].settings.ids == {'a.example': 'x'}"),
        (HEAD + "peers = { 'a' = ['x'] }", "config.providers['p'].settings.peers == {'a': ('x',)}"),
        (HEAD + "even = 4", "config.providers['p'].settings.even == 4"),
        ("[providers.'a b']\ntype = 'memory'\nservice = ['example.org']", "list(config.providers) == ['a b']"),
        ("[defaults]\nmode = '640'", "config.defaults == {'mode': '640'}"),
    ],
)
def test_a_right_value_is_read_into_its_canonical_form(tmp_path: Path, text: str, value: str) -> None:
    """The twin of each refusal."""
    config = load(tmp_path, text)
    assert eval(value, {"config": config, "directory": tmp_path})  # noqa: S307 - expressions of this table


def test_the_first_error_is_told_even_where_there_are_several(tmp_path: Path) -> None:
    """One line for one slip."""
    with pytest.raises(ConfigError, match="parallel"):
        load(tmp_path, "parallel = 0\n[acme]\nagree_tos = 1\n")


def test_a_proxy_with_a_password_is_in_no_error(tmp_path: Path) -> None:
    """The proxy's URL is the one plain string that may hold a secret."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, "[acme]\nproxy = 'socks5://u:hunter2@p.example'")
    assert "hunter2" not in str(caught.value) + caught.value.hint


def test_a_key_of_an_unreadable_type_is_the_adapter_s_error() -> None:
    """An adapter's author sees at once which key needs a reader of its own."""

    @dataclass(frozen=True)
    class OddSettings:
        odd: complex = key(1j, doc="Odd.")

    class Odd(MemoryProvider):
        Settings: ClassVar[type[Any]] = OddSettings

    with pytest.raises(TypeError, match=r"odd: .*complex.* needs a read function"):
        Config.from_dict({"providers": {"p": {"type": "odd", "odd": 1}}}, adapters={"odd": Odd})
