"""The demonstration's acts six and seven: the doctor names faults made on purpose, and an order is not opened.

Rule: as in the other acts; a fault is made at a real server, and what was or was not done about it is read there.
"""

from __future__ import annotations

from collections.abc import Sequence

from cloudflare import ALL, NONE
from cloudflare.credentials import Scope
from cloudflare.delegated import Delegated
from lab.demo.acts import POWERDNS, Stage
from lab.demo.services import CERTIFICATE, ZONE
from lab.front_desk import FrontDesk
from lab.processes import look_until
from lab.topology import PLACES

DOWN = "bind-secondary"
"""The secondary that goes down, by the lab's name."""

CA = "pebble.test"
ANOTHER = "another-ca.test"


def examine(stage: Stage, cloudflare: Delegated) -> None:
    """Silence, then a fault at each of two services and a server, and what the doctor says of them and mends."""
    page = stage.page
    page.section("6. When something is wrong: dnsbroker doctor")
    page.text("At this moment nothing is wrong, and so no error and no warning is told:")
    done = stage.run("doctor")
    page.claim(done.returncode == 0, "it ended with status 0", done.returncode)
    page.claim(not _findings(done.stdout), "with no finding", done.stdout)
    page.line()
    page.text(
        f"""Now somebody takes DNS:Edit away from the token at Cloudflare, and SOA-EDIT-API from {POWERDNS.zone} again;
        and {PLACES[DOWN].host.rstrip(".")} goes down. No certificate is due, so nothing fails yet:"""
    )
    _allow_editing(cloudflare, NONE)
    stage.lab.powerdns.set_soa_edit_api(POWERDNS.zone, "")
    stage.lab.stop(DOWN)
    _named(stage)
    page.line()
    page.text("Somebody gives the right back and starts the server again; the setting can be mended from here:")
    _allow_editing(cloudflare, ALL)
    stage.lab.start(DOWN)
    stage.lab.secondaries[DOWN].refresh(POWERDNS.zone)  # it may come back with an old copy
    stage.lab.await_served(POWERDNS.zone)
    done = stage.run("doctor", "--fix")
    page.claim(done.returncode == 0, "it ended with status 0", done.returncode)
    page.claim(_setting(stage) == "INCREASE", "the zone has SOA-EDIT-API INCREASE again", _setting(stage))
    page.claim(not _findings(done.stdout), "and nothing else is found any more", done.stdout)


def _named(stage: Stage) -> None:
    """Each fault, with evidence and a next step."""
    page = stage.page
    done = stage.run("doctor")
    page.claim(done.returncode == 4, "it ended with status 4", done.returncode)
    found, lines = _findings(done.stdout), done.stdout.splitlines()
    rights = [line for line in found if line.startswith(f"error: {ZONE}: ") and "not written" in line]
    page.claim(len(rights) == 1 and "DNS:Edit" in done.stdout, "the missing right is named, as an error", found)
    settings = [line for line in found if line.partition(" ")[2].startswith(f"{POWERDNS.zone}: secondaries")]
    page.claim(len(settings) == 1, "the setting is named", found)
    told = " ".join(line for line in lines if line.startswith("    "))
    are_named = all(address in told for address in PLACES[DOWN].addresses)
    page.claim(are_named, "the server is named, by its address", told)
    steps = [line for line in lines if line.startswith("    next: ")]
    page.claim(len(steps) == len(found), "each finding says what to do next", steps)
    page.claim(_setting(stage) == "", "and nothing was touched", _setting(stage))


def _allow_editing(cloudflare: Delegated, zones: Scope) -> None:
    for token in cloudflare.tokens:
        token.dns_read, token.dns_edit = ALL, zones


def _setting(stage: Stage) -> object:
    return stage.lab.powerdns.settings_of(POWERDNS.zone)["soa_edit_api"]


def _findings(text: str) -> Sequence[str]:
    """Those that a person is told without ``-v``."""
    return [line for line in text.splitlines() if line.startswith(("error: ", "warning: "))]


def forbid(stage: Stage, cloudflare: Delegated) -> None:
    """A CAA record that lets only another CA issue: no order is opened, and nothing is written."""
    page, record = stage.page, f'0 issue "{ANOTHER}"'
    page.section("7. What cannot succeed is not tried")
    page.text(
        f"""The owner of {ZONE} now lets only another CA issue, by a CAA record. Any CA has to refuse, and counts the
        attempt. Pebble does not say by which name CAA records call it; a front desk before it says {CA}, and writes
        down who comes. It is another CA by its address, so the certificate is due there:"""
    )
    (zone,) = cloudflare.zones
    cloudflare.plant(zone, ZONE, "CAA", record)
    look_until(lambda: cloudflare.values(ZONE, "CAA") == {record}, "the CAA record is served")
    page.quoted([f"{ZONE}. CAA {record}"])
    changes = len(cloudflare.changing)
    with FrontDesk(stage.lab.pebble) as desk:
        desk.identities = [CA]
        text = stage.configuration.read_text()
        stage.configuration.write_text(text.replace(stage.lab.pebble.url, desk.url))
        done = stage.run("issue", CERTIFICATE)
        page.claim(done.returncode == 1, "it ended with status 1", done.returncode)
        page.claim(record in done.stderr and CA in done.stderr, "the record is named, and one that would permit it")
        resources = {heard.resource for heard in desk.heard}
        page.claim("directory" in resources, "the CA was asked for its directory", resources)
        page.claim("newOrder" not in resources, "and not for a certificate", resources)
    page.claim(len(cloudflare.changing) == changes, "Cloudflare was sent no change", cloudflare.changing[changes:])
