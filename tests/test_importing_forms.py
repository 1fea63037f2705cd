"""The forms in which older clients keep settings: certbot's ini files, dehydrated's shell assignments."""

from __future__ import annotations

import pytest

from dnsbroker.importing.ini import TOP, read_ini
from dnsbroker.importing.shell import read_assignments

KNOWN = {"BASEDIR": "/etc/dehydrated"}

TAKEN = {
    "bare": ("CA=letsencrypt", "letsencrypt"),
    "empty": ("CA=", ""),
    "double quotes": ('CA="a b"', "a b"),
    "single quotes": ("CA='a $b `c`'", "a $b `c`"),
    "mixed": ("CA=a'b c'\"d e\"", "ab cd e"),
    "variable": ('CA="${BASEDIR}/x"', "/etc/dehydrated/x"),
    "bare variable": ("CA=$BASEDIR/x", "/etc/dehydrated/x"),
    "no variable in single quotes": ("CA='${BASEDIR}'", "${BASEDIR}"),
    "escaped": (r'CA="a\"b\$c"', 'a"b$c'),
    "escaped bare": (r"CA=a\ b", "a b"),
    "backslash kept": (r'CA="a\nb"', r"a\nb"),
    "exported": ("export CA=x", "x"),
    "comment": ("CA=x # why", "x"),
    "number sign in a word": ("CA=x#y", "x#y"),
}

#: What a shell would have to be run for, or would make something else of.
PASSED_OVER = {
    "fail_substitution": 'CA="$(cat /etc/passwd)"',
    "fail_backquote": "CA=`id`",
    "fail_arithmetic": "CA=$((1+1))",
    "fail_default": "CA=${X:-y}",
    "fail_unknown_variable": "CA=$NOBODY",
    "fail_command_after_it": "CA=x rm -rf /",
    "fail_second_command": "CA=x; rm -rf /",
    "fail_pipe": "CA=x|y",
    "fail_open_quote": 'CA="x',
    "fail_home": "CA=~/x",
    "fail_indented": "  CA=x",
    "fail_condition": "if true; then CA=x; fi",
    "fail_function": "CA() {",
}


@pytest.mark.parametrize(("line", "value"), TAKEN.values(), ids=TAKEN)
def test_a_plain_assignment_is_read_as_a_shell_does(line: str, value: str) -> None:
    """With its quotes, escapes and variables."""
    assigned = read_assignments(f"# head\n\n{line}\n", KNOWN)
    assert (assigned.values["CA"], assigned.passed_over) == (value, ())


@pytest.mark.parametrize("line", PASSED_OVER.values(), ids=PASSED_OVER)
def test_what_needs_a_shell_is_passed_over_and_told(line: str) -> None:
    """By the number of its line; nothing is run."""
    assigned = read_assignments(f"CA=before\n{line}\n", KNOWN)
    assert (assigned.values["CA"], assigned.passed_over) == ("before", (2,))


VALUES = {
    "plain": ("a b", "a b"),
    "double": ('"echo one, two # three"', "echo one, two # three"),
    "single": ("'a \"b\"'", 'a "b"'),
    "triple": ("'''echo 'a' \"b\"'''", "echo 'a' \"b\""),
    "comment": ("a # why", "a"),
    "number sign in a word": ("a#b", "a#b"),
    "equals sign": ("x=1 cmd", "x=1 cmd"),
    "per cent": ("date +%s", "date +%s"),
    "list": ("dns-01,", "dns-01,"),
}


@pytest.mark.parametrize(("raw", "value"), VALUES.values(), ids=VALUES)
def test_certbot_s_values_lose_their_quotes(raw: str, value: str) -> None:
    """As its library writes them."""
    sections = read_ini(f"version = 2.1.0\n[renewalparams]\nKey_x = {raw}\n[[webroot_map]]\na.example = /var/www\n")
    assert sections[TOP] == {"version": "2.1.0"}
    assert sections["renewalparams"] == {"Key_x": value}


def test_what_is_no_such_file_is_refused() -> None:
    """In words, without the text, which may be a secret."""
    with pytest.raises(ValueError, match="not made of lines like key = value"):
        read_ini("hunter2\n")
