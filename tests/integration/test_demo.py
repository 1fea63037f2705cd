from __future__ import annotations

from pathlib import Path

from cloudflare import errors
from cloudflare.delegated import Delegated
from dane_client import Watch
from dane_lab import MailServer
from lab.demo.__main__ import show
from lab.demo.acts import FOREIGN, POWERDNS, Stage
from lab.demo.foreseen import examine, forbid
from lab.demo.kept import keep
from lab.demo.page import Page
from lab.demo.rolled import ENDPOINT, judge
from lab.demo.services import ZONE, all_three, judge_cloudflare
from lab.rig import Lab
from lab.topology import RESOLVER


def test_the_demonstration_holds(lab: Lab) -> None:
    """What `make demo` claims is so."""
    page = Page()
    show(Stage(lab, page))
    assert page.claims > 45
    assert page.failed == 0


def test_fail_a_demonstration_without_a_certificate(lab: Lab) -> None:
    """Twin: where nothing comes of it, the page says so, and is still a page."""
    page = Page()
    stage = Stage(lab, page)
    stage.introduce()
    untouchable = lab.config(
        stage.state,
        certificates={POWERDNS.zone: [POWERDNS.zone]},
        overrides={"providers": {"powerdns": {"soa_edit_api": False}}},
    )
    stage.configuration.write_text(untouchable)
    stage.play(POWERDNS)
    assert page.failed >= 3


def test_fail_a_demonstration_that_leaves_a_record(lab: Lab) -> None:
    """Twin: one value too many on one server is one claim that does not hold."""
    page = Page()
    stage = Stage(lab, page)
    lab.powerdns.set_soa_edit_api(POWERDNS.zone, "INCREASE")
    lab.powerdns.replace(POWERDNS.zone, POWERDNS.challenge, [f'"{FOREIGN}"'])
    lab.powerdns.notify(POWERDNS.zone)
    lab.await_values(POWERDNS.challenge, [FOREIGN])
    stage.judge_zone(POWERDNS)
    assert page.failed == 0
    lab.powerdns.replace(POWERDNS.zone, POWERDNS.challenge, [f'"{FOREIGN}"', '"left"'])
    stage.judge_zone(POWERDNS)
    assert page.failed == 1


def test_fail_a_demonstration_in_which_one_of_three_services_refuses(lab: Lab, cloudflare: Delegated) -> None:
    """Twin: no certificate, no records that every server had, and no two batches."""
    page = Page()
    stage = Stage(lab, page)
    stage.introduce()
    cloudflare.fail_next(errors(403, 9109), path="/zones", times=1000)
    all_three(stage, cloudflare)
    assert page.failed == 4


def test_fail_a_demonstration_whose_requests_are_not_as_described(lab: Lab, cloudflare: Delegated) -> None:
    """Twin: neither no request at all nor one that the description has not is taken for a sound one."""
    page = Page()
    judge_cloudflare(Stage(lab, page), cloudflare)
    assert page.failed == 1
    cloudflare.violations.append("GET /zones: there is a body")
    judge_cloudflare(Stage(lab, page), cloudflare)
    assert page.failed == 3


def test_fail_a_demonstration_of_silence_where_something_is_wrong(lab: Lab, cloudflare: Delegated) -> None:
    """Twin: a fault that is there from the beginning is found before one is made."""
    page = Page()
    stage = Stage(lab, page)
    stage.introduce()
    examine(stage, cloudflare)
    assert page.failed == 3  # silence; and no provider here has a token that could lose a right


def test_fail_a_demonstration_that_stops_for_another_reason(lab: Lab, cloudflare: Delegated) -> None:
    """Twin: a certificate that nobody configured is not ordered either, but that is not the record's doing."""
    page = Page()
    stage = Stage(lab, page)
    stage.introduce()
    cloudflare.delegate(ZONE)
    forbid(stage, cloudflare)
    assert page.failed == 3


def test_fail_a_demonstration_whose_hook_cannot_read_its_configuration(lab: Lab) -> None:
    """Twin: dehydrated stops, nothing is copied, and only that nothing is left still holds."""
    page = Page()
    stage = Stage(lab, page)
    stage.configuration.touch(mode=0o600)
    stage.configuration.write_text("[broken\n")
    keep(stage)
    assert (page.claims, page.failed) == (6, 5)


def test_fail_a_demonstration_in_which_nobody_saw_or_could_deliver_anything(lab: Lab, tmp_path: Path) -> None:
    """Twin: a client that never looked was never turned away, and that is no claim; there is no server to agree."""
    page = Page()
    postfix = MailServer(tmp_path / "postfix", tmp_path / "state", ["mail"], [])
    postfix.prepare()
    judge(Stage(lab, page), Watch(RESOLVER, [ENDPOINT]), postfix)
    assert (page.claims, page.failed) == (2, 2)
