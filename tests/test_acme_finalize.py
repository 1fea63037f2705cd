"""From a ready order to the certificate's chains."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from dnsbroker.acme import Order
from dnsbroker.clock import Deadline
from dnsbroker.errors import OrderFailed, OrderUnfinished, PemInvalid, Problem
from fake_ca import CHAIN, URN, Stage, answer, refusal, scenario
from loopback import Response

OTHER = CHAIN.replace("MAoCAQE=", "MAoCAQI=")
CSR = (
    x509.CertificateSigningRequestBuilder()
    .subject_name(x509.Name([]))
    .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    .public_bytes(serialization.Encoding.DER)
)


async def _ready(stage: Stage, status: str = "ready") -> Order:
    order = await stage.client.new_order(["a.test"])
    stage.ca.orders[1]["status"] = status
    return order


def _deadline(stage: Stage, seconds: float = 60) -> Deadline:
    return Deadline.after(stage.clock, seconds)


@scenario
async def test_a_ready_order_gets_its_certificate_in_one_request(stage: Stage) -> None:
    """Where the CA issues at once, nothing is polled."""
    order = await _ready(stage)
    before = len(stage.ca.posts)
    done = await stage.client.finalize(order, CSR, _deadline(stage))
    assert (done.status, done.certificate) == ("valid", stage.ca.url("cert/1"))
    assert [post.path for post in stage.ca.posts[before:]] == ["finalize/1"]
    assert await stage.client.chains(done) == (CHAIN,)
    assert stage.ca.server.requests[-1].headers["accept"] == "application/pem-certificate-chain"


@scenario
async def test_an_order_that_is_not_ready_is_looked_at_until_it_is(stage: Stage) -> None:
    """The refusal is tolerated, and the CSR sent again then (RFC 8555 section 7.4)."""
    order = await _ready(stage, "pending")
    pending = answer(200, stage.ca.orders[1])
    stage.ca.scripts["order/1"] = [pending, pending]
    stage.ca.scripts["finalize/1"] = [refusal(403, "orderNotReady")]
    stage.ca.orders[1]["status"] = "ready"
    assert (await stage.client.finalize(order, CSR, _deadline(stage))).status == "valid"
    assert stage.ca.paths.count("POST finalize/1") == 2
    assert len(stage.clock.slept) == 3


@scenario
async def test_a_ca_that_says_ready_and_means_not_yet_does_not_make_us_spin(stage: Stage) -> None:
    """Each repetition waits longer."""
    order = await _ready(stage)
    stage.ca.scripts["finalize/1"] = [refusal(403, "orderNotReady")] * 4
    assert (await stage.client.finalize(order, CSR, _deadline(stage))).status == "valid"
    assert len(stage.clock.slept) == 4
    assert stage.clock.slept == sorted(set(stage.clock.slept))


@pytest.mark.parametrize("retry_after", ["0", "-5", "1", "Fri, 20 Nov 2026 11:00:00 GMT"])
def test_processing_without_a_pause_does_not_make_us_spin(retry_after: str) -> None:
    """Zero, less, and moments gone by are a second."""

    @scenario
    async def play(stage: Stage) -> None:
        order = await _ready(stage)
        processing = answer(200, {**stage.ca.orders[1], "status": "processing"}, Retry_After=retry_after)
        stage.ca.scripts["finalize/1"] = [processing]
        stage.ca.scripts["order/1"] = [processing, processing]
        stage.ca.orders[1].update(status="valid", certificate=stage.ca.url("cert/1"))
        assert (await stage.client.finalize(order, CSR, _deadline(stage))).status == "valid"
        assert stage.clock.slept == [1.0, 1.0, 1.0]

    play()


@scenario
async def test_processing_is_looked_at_soon_and_when_the_ca_says(stage: Stage) -> None:
    """Our own pace where it says nothing, its own where it does, dates included."""
    order = await _ready(stage)
    processing = {**stage.ca.orders[1], "status": "processing"}
    stage.ca.scripts["finalize/1"] = [answer(200, processing)]
    stage.ca.scripts["order/1"] = [answer(200, processing, Retry_After="Fri, 20 Nov 2026 12:00:08 GMT")]
    stage.ca.orders[1].update(status="valid", certificate=stage.ca.url("cert/1"))
    await stage.client.finalize(order, CSR, _deadline(stage))
    assert stage.clock.slept == [0.05, 7.95]


@scenario
async def test_fail_processing_ends_at_the_deadline(stage: Stage) -> None:
    """With the time, where the CA named one."""
    order = await _ready(stage, "processing")
    with pytest.raises(OrderUnfinished, match=r"order for a\.test is still processing after 5 s"):
        await stage.client.finalize(order, CSR, _deadline(stage, 5))
    assert stage.clock.monotonic() == 5
    stage.ca.scripts["order/1"] = [answer(200, stage.ca.orders[1], Retry_After="99999999999999")]
    with pytest.raises(OrderUnfinished) as late:
        await stage.client.finalize(order, CSR, _deadline(stage, 5))
    assert late.value.retry_after == 86_400.0
    assert stage.clock.monotonic() == 5


@scenario
async def test_a_valid_order_is_looked_at_until_it_has_its_certificate(stage: Stage) -> None:
    """The URL may come later than the state."""
    order = await _ready(stage)
    stage.ca.scripts["finalize/1"] = [answer(200, {**stage.ca.orders[1], "status": "valid"})]
    stage.ca.orders[1].update(status="valid", certificate=stage.ca.url("cert/1"))
    assert (await stage.client.finalize(order, CSR, _deadline(stage))).certificate == stage.ca.url("cert/1")


@pytest.mark.parametrize("status", ["invalid", "deactivated", "dreaming", ""])
def test_fail_an_order_in_any_other_state_has_failed(status: str) -> None:
    """The order's own problem is the message."""

    @scenario
    async def play(stage: Stage) -> None:
        order = await _ready(stage)
        error = {"type": URN + "caa", "detail": "CAA changed"}
        stage.ca.scripts["finalize/1"] = [answer(200, {**stage.ca.orders[1], "status": status, "error": error})]
        with pytest.raises(OrderFailed, match=r"order for a\.test: CAA changed \(caa\)") as failed:
            await stage.client.finalize(order, CSR, _deadline(stage))
        assert (failed.value.problem_type, failed.value.detail) == ("caa", "CAA changed")
        assert failed.value.hint

    play()


@scenario
async def test_fail_a_refused_csr_is_the_cas_words(stage: Stage) -> None:
    """And nothing is polled."""
    order = await _ready(stage)
    stage.ca.scripts["finalize/1"] = [refusal(400, "badCSR", "key too small")]
    with pytest.raises(Problem, match="refused the CSR: key too small") as refused:
        await stage.client.finalize(order, CSR, _deadline(stage))
    assert "key_type" in refused.value.hint
    assert stage.clock.slept == []


@scenario
async def test_chains_are_the_default_and_its_alternates(stage: Stage) -> None:
    """Several Link fields are all followed, the default is first, one twice told is there once."""
    done = await stage.client.finalize(await _ready(stage), CSR, _deadline(stage))
    links = [("Link", f'<{stage.ca.url(f"alternate/{number}")}>;rel="alternate"') for number in (1, 2, 3)]
    stage.ca.scripts["cert/1"] = [Response(200, (*links, ("Link", '</dir>;rel="index"')), CHAIN.encode())]
    for number, chain in enumerate((OTHER, OTHER, "<html>no</html>"), start=1):
        stage.ca.scripts[f"alternate/{number}"] = [Response(200, body=chain.encode())]
    assert await stage.client.chains(done) == (CHAIN, OTHER)


@scenario
async def test_an_alternate_that_cannot_be_had_is_left_out(stage: Stage) -> None:
    """The certificate is not lost for it."""
    done = await stage.client.finalize(await _ready(stage), CSR, _deadline(stage))
    link = ("Link", f'<{stage.ca.url("alternate/1")}>;rel="alternate"')
    stage.ca.scripts["cert/1"] = [Response(200, (link,), CHAIN.encode())]
    stage.ca.scripts["alternate/1"] = [refusal(404, "malformed")]
    assert await stage.client.chains(done) == (CHAIN,)


@pytest.mark.parametrize("body", ["<html>hello</html>", "", CHAIN + "-----BEGIN PRIVATE KEY-----\nMAo=\n"])
def test_fail_a_download_that_is_no_chain_is_refused(body: str) -> None:
    """It never reaches the store."""

    @scenario
    async def play(stage: Stage) -> None:
        done = await stage.client.finalize(await _ready(stage), CSR, _deadline(stage))
        stage.ca.scripts["cert/1"] = [Response(200, body=body.encode())]
        with pytest.raises(PemInvalid, match="not certificates"):
            await stage.client.chains(done)

    play()


@scenario
async def test_the_url_of_the_certificate_is_used_as_it_was_given(stage: Stage) -> None:
    """No part of it is made up or made nicer."""
    done = await stage.client.finalize(await _ready(stage), CSR, _deadline(stage))
    odd = replace(done, certificate=stage.ca.url("cert//1/x%2Fy?z=%41"))
    stage.ca.scripts["cert//1/x%2Fy?z=%41"] = [Response(200, body=CHAIN.encode())]
    assert await stage.client.chains(odd) == (CHAIN,)
    assert stage.ca.posts[-1].protected["url"] == odd.certificate


@scenario
async def test_fail_an_order_that_fails_names_its_names_as_people_write_them(stage: Stage) -> None:
    """Given up by the CA, or not done in time."""
    order = await stage.client.new_order(["xn--mnchen-3ya.test"])
    with pytest.raises(OrderUnfinished, match=r"the order for münchen\.test"):
        await stage.client.finalize(order, CSR, _deadline(stage, 1))
    stage.ca.orders[1]["status"] = "invalid"
    with pytest.raises(OrderFailed, match=r"gave up the order for münchen\.test:"):
        await stage.client.finalize(order, CSR, _deadline(stage))
