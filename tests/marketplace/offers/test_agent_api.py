"""Enrolling over the API: a host's unproven machines are bounded."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.test import Client
from django.utils import timezone

from marketplace.machines.actions.issue_token import issue_token
from marketplace.machines.models import EnrolmentToken, Machine
from marketplace.offers import agent_api
from marketplace.verification.actions.record_verdict import record
from protocol import paths
from protocol.signing import public_key_of, request_bytes, sign
from tests.marketplace import scene

pytestmark = pytest.mark.django_db


def enrol(private: Ed25519PrivateKey) -> tuple[int, str]:
    """Return the status and the problem's code of an agent's call."""
    now = timezone.now()
    sent_at_ms, key = int(now.timestamp() * 1000), public_key_of(private)
    token = issue_token(host_id=scene.user().pk, now=now).token
    body = scene.enrol_request(private, token).model_dump_json().encode()
    content = request_bytes(
        method="POST", path=paths.AGENT_ENROL, sender=key, sent_at_ms=sent_at_ms, body=body
    )
    headers = {
        paths.HEADER_MACHINE: key,
        paths.HEADER_SENT_AT: str(sent_at_ms),
        paths.HEADER_SIGNATURE: sign(private, content),
    }
    reply = Client().post(paths.AGENT_ENROL, body, content_type="application/json", headers=headers)
    return reply.status_code, reply.json().get("code", "")


def test_a_host_enrols_a_bounded_number_of_unproven_machines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(agent_api, "UNPROVEN_MACHINES_MAX", 2)
    machines = [Ed25519PrivateKey.generate() for _ in range(3)]
    assert [enrol(private)[0] for private in machines[:2]] == [200, 200]
    assert enrol(machines[2]) == (409, "unproven_machines_many")
    assert not EnrolmentToken.objects.filter(used_by_key=public_key_of(machines[2])).exists()
    # A machine that is there already may enrol again, and a verified one counts no more.
    assert enrol(machines[0]) == (200, "")
    machine = Machine.objects.get(machine_key=public_key_of(machines[0]))
    record(signed=scene.Judge().admitted().verdict(machine), now=scene.NOW)
    assert enrol(machines[2]) == (200, "")
