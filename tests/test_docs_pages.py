"""All pages: their links lead somewhere, their examples load, and they tell nothing of where they were written."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import dnsbroker
import pages
from dnsbroker.config import Config
from dnsbroker.config.directories import KNOWN_DIRECTORIES

#: Where a page may send its reader; whatever else is written as a URL is an example.
KNOWN_HOSTS = {"toml.io", "semver.org", "api.cloudflare.com", "dash.cloudflare.com"} | {
    urlsplit(url).hostname for url in KNOWN_DIRECTORIES.values()
}
EXAMPLE_HOSTS = re.compile(r"localhost|127\.0\.0\.1|ADDRESS|(.*\.)?example(\.[a-z]+)?")
#: Paths that are there on somebody's machine only.
PRIVATE_PATHS = re.compile(r"/(work|home|root|tmp|Users)/|\.\./[s]hared")

ids = [str(page.relative_to(pages.ROOT)) for page in pages.PAGES]
each_page = pytest.mark.parametrize("page", pages.PAGES, ids=ids)


@each_page
def test_every_link_leads_to_a_file_and_a_header(page: Path) -> None:
    """On the pages as they are in the repository."""
    for link in pages.links(page.read_text(encoding="utf-8")):
        if urlsplit(link).scheme:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in pages.anchors(target.read_text(encoding="utf-8")), link


@each_page
def test_no_page_sends_its_reader_to_a_strange_host(page: Path) -> None:
    """Neither to where packages are kept nor to where somebody has a copy."""
    hosts = {urlsplit(url).hostname for url in re.findall(r"https?://[^\s\"'`<>)]+", page.read_text(encoding="utf-8"))}
    assert [host for host in hosts - KNOWN_HOSTS if not EXAMPLE_HOSTS.fullmatch(host or "")] == []


@each_page
def test_no_page_tells_where_it_was_written(page: Path) -> None:
    """A path of one machine is wrong on every other."""
    assert PRIVATE_PATHS.findall(page.read_text(encoding="utf-8")) == []


def test_a_private_path_would_be_found() -> None:
    """The twin: the pattern is not one that never matches."""
    assert PRIVATE_PATHS.search("see /home" + "/somebody/notes")


@each_page
def test_every_page_is_reached(page: Path) -> None:
    """From the first one, by links."""
    found = {pages.ROOT / "README.md"}
    while True:
        linked = {
            (source.parent / link.partition("#")[0]).resolve()
            for source in found
            if source.suffix == ".md"
            for link in pages.links(source.read_text(encoding="utf-8"))
            if not urlsplit(link).scheme and link.partition("#")[0]
        }
        if linked <= found:
            break
        found |= linked
    assert page in found


@pytest.mark.parametrize("name", ["README.md", "docs/getting-started.md"])
def test_every_configuration_shown_loads(tmp_path: Path, name: str) -> None:
    """As it stands on the page."""
    examples = pages.blocks(pages.text(name), "toml")
    assert examples
    for example in examples:
        (tmp_path / "dnsbroker.toml").write_text(example)
        config = Config.load(tmp_path / "dnsbroker.toml", environment={}, is_root=True)
        assert not config.broken
        assert config.state_dir == Path("/var/lib/dnsbroker")


@pytest.mark.parametrize("page", pages.PAGES, ids=ids)
def test_every_shell_example_parses(page: Path) -> None:
    """No quote is left open."""
    for example in pages.blocks(page.read_text(encoding="utf-8"), "sh"):
        done = subprocess.run(["sh", "-n"], input=example, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_the_readme_s_timer_and_cron_line_use_the_path_that_it_installs() -> None:
    """Neither cron nor systemd has the directory of a virtual environment in its path."""
    readme = pages.text("README.md")
    assert "/opt/dnsbroker/bin/dnsbroker /opt/dnsbroker/bin/dnsbroker-hook /usr/local/bin/" in readme
    assert "root  /usr/local/bin/dnsbroker -q renew" in readme
    assert any("dnsbroker config systemd --write /etc/systemd/system" in shell for shell in pages.blocks(readme, "sh"))


def test_getting_started_shows_what_is_tested_on_real_servers() -> None:
    """BIND's policy is the manual's recipe, and PowerDNS is set up as it is in the lab."""
    page = pages.text("docs/getting-started.md")
    (policy,) = pages.blocks(page, "bind")
    assert policy in pages.blocks(pages.text("docs/rfc2136.md"), "bind")
    (settings,) = pages.blocks(page, "ini")
    lab = pages.text("tests/rig/lab/powerdns.py")
    assert [line for line in settings.splitlines() if f'"{line.partition("=")[0]}": ' not in lab] == []


def test_every_make_target_named_exists() -> None:
    """In the README and for contributors."""
    targets = set(re.findall(r"^([a-z]+):", pages.text("Makefile"), re.MULTILINE))
    named = set(re.findall(r"`?make ([a-z]+)[`\s]", pages.text("README.md") + pages.text("CONTRIBUTING.md")))
    assert {"demo", "test"} <= named <= targets


def test_the_change_log_has_this_version() -> None:
    """With a header of its own, the newest first."""
    versions = re.findall(r"^## (\d+\.\d+\.\d+)", pages.text("CHANGELOG.md"), re.MULTILINE)
    assert versions[0] == dnsbroker.__version__


def test_the_project_says_the_same_everywhere() -> None:
    """Python versions, licence, pages and packages."""
    project = tomllib.loads(pages.text("pyproject.toml"))
    oldest = project["project"]["requires-python"].removeprefix(">=")
    classifiers = project["project"]["classifiers"]
    assert f"Programming Language :: Python :: {oldest}" in classifiers
    assert f"Python {oldest}" in pages.text("README.md")
    assert project["tool"]["ruff"]["target-version"] == "py" + oldest.replace(".", "")
    assert project["project"]["license"] == "Apache-2.0"
    assert "Apache-2.0" in pages.text("README.md")
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {Path(package).name for package in packages} == set(project["tool"]["importlinter"]["root_packages"])


def test_the_pins_are_versions_and_nothing_else() -> None:
    """No place to fetch them from; and every dependency is among them."""
    pins = pages.text("constraints.txt").splitlines()
    assert [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9A-Za-z.]+", pin)] == []
    project = tomllib.loads(pages.text("pyproject.toml"))["project"]
    pinned = {pin.partition("==")[0].lower() for pin in pins}
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    assert {re.split(r"[<>=]", name)[0] for name in wanted} <= pinned
