from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pytest_django import Settings

from marketplace.machines.actions.describe import describe
from marketplace.machines.actions.enrol import (
    AddressPrivate,
    EnrolmentTokenExpired,
    EnrolmentTokenUnknown,
    KeyMismatch,
    MachineOfAnother,
    enrol,
)
from marketplace.machines.actions.issue_token import (
    OPEN_TOKENS_MAX,
    TOKEN_LIFETIME,
    EnrolmentTokensMany,
    forget_tokens,
    issue_token,
)
from marketplace.machines.models import EnrolmentToken, Gpu, Machine
from tests.marketplace.scene import (
    GIB,
    NOW,
    after,
    enrol_request,
    hardware,
    machine,
    placement,
    user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def private() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def token_of(email: str = "host@example.org") -> str:
    return issue_token(host_id=user(email).id, now=NOW).token


def test_a_token_makes_a_machine_its_hosts(private: Ed25519PrivateKey) -> None:
    request = enrol_request(private, token_of(), of=hardware(cpus=8, gpus=2))
    made = enrol(request=request, now=NOW, signed_by=request.machine_key)
    assert (made.host, made.machine_key) == (user(), request.machine_key)
    assert (made.cpus_total, made.cpus_free, made.gpus_free) == (8, 8, 2)
    assert (made.gpu_model, made.vram_bytes) == ("H100", 80 * GIB)
    assert list(Gpu.objects.order_by("uuid").values_list("uuid", flat=True)) == ["GPU-0", "GPU-1"]


def test_a_token_is_kept_as_a_hash_only() -> None:
    token = token_of()
    kept = EnrolmentToken.objects.values().get()
    assert token not in str(kept)
    assert len(kept["token_sha256"]) == 64


def test_a_token_enrols_one_machine_only(private: Ed25519PrivateKey) -> None:
    token = token_of()
    enrol(request=enrol_request(private, token), now=NOW)
    with pytest.raises(EnrolmentTokenUnknown):
        enrol(request=enrol_request(Ed25519PrivateKey.generate(), token), now=NOW)
    assert Machine.objects.count() == 1


def test_the_same_machine_may_ask_again_when_its_reply_was_lost(
    private: Ed25519PrivateKey,
) -> None:
    request = enrol_request(private, token_of())
    first = enrol(request=request, now=NOW)
    assert enrol(request=request, now=after(5)).id == first.id


def test_an_expired_token_is_refused_even_to_the_machine_that_used_it(
    private: Ed25519PrivateKey,
) -> None:
    request = enrol_request(private, token_of())
    late = NOW + timedelta(hours=24)
    with pytest.raises(EnrolmentTokenExpired):
        enrol(request=request, now=late)
    enrol(request=request, now=NOW)
    with pytest.raises(EnrolmentTokenExpired):
        enrol(request=request, now=late)


def test_an_unknown_token_is_refused(private: Ed25519PrivateKey) -> None:
    with pytest.raises(EnrolmentTokenUnknown):
        enrol(request=enrol_request(private, "enrol_guessed"), now=NOW)


def test_its_host_may_enrol_a_machine_again_and_what_it_has_is_updated(
    private: Ed25519PrivateKey,
) -> None:
    first = enrol(request=enrol_request(private, token_of()), now=NOW)
    again = enrol(request=enrol_request(private, token_of(), of=hardware(cpus=16)), now=after(5))
    assert again.id == first.id
    assert (again.cpus_total, again.cpus_free) == (16, 16)


def test_another_host_may_not_take_a_machine_and_keeps_the_token(
    private: Ed25519PrivateKey,
) -> None:
    enrol(request=enrol_request(private, token_of()), now=NOW)
    token = token_of("other@example.org")
    with pytest.raises(MachineOfAnother):
        enrol(request=enrol_request(private, token), now=NOW)
    assert Machine.objects.get().host == user()
    assert EnrolmentToken.objects.get(host=user("other@example.org")).used_at is None


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "::1", "localhost", "gpu-box"])
def test_an_address_that_no_renter_reaches_is_refused_and_the_token_kept(
    private: Ed25519PrivateKey, settings: Settings, address: str
) -> None:
    request = enrol_request(private, token_of()).model_copy(update={"address": address})
    settings.PRIVATE_MACHINES = False
    with pytest.raises(AddressPrivate, match=f"cannot reach {address} .* --address"):
        enrol(request=request, now=NOW)
    assert EnrolmentToken.objects.get().used_at is None
    settings.PRIVATE_MACHINES = True
    assert enrol(request=request, now=NOW).address == address


@pytest.mark.parametrize("address", ["9.9.9.9", "2a01:4f8::1", "gpu.example.org"])
def test_a_public_address_and_a_name_are_taken(
    private: Ed25519PrivateKey, settings: Settings, address: str
) -> None:
    settings.PRIVATE_MACHINES = False
    request = enrol_request(private, token_of()).model_copy(update={"address": address})
    assert enrol(request=request, now=NOW).address == address


def test_a_request_signed_by_another_key_is_refused(private: Ed25519PrivateKey) -> None:
    with pytest.raises(KeyMismatch):
        enrol(request=enrol_request(private, token_of()), now=NOW, signed_by="0" * 64)


def test_what_placements_hold_stays_held_when_the_hardware_changes() -> None:
    on = machine(of=hardware(cpus=4, gpus=2))
    placement(on, cpus=3, gpus=1)
    describe(machine_id=on.id, hardware=hardware(cpus=2, gpus=1))
    on.refresh_from_db()
    assert (on.cpus_total, on.cpus_free) == (2, -1)
    assert (on.gpus_total, on.gpus_free) == (1, 0)
    describe(machine_id=on.id, hardware=hardware(cpus=4, gpus=2))
    on.refresh_from_db()
    assert (on.cpus_free, on.gpus_free) == (1, 1)


def test_used_and_expired_tokens_make_room(private: Ed25519PrivateKey) -> None:
    used = token_of()
    for _ in range(OPEN_TOKENS_MAX - 1):
        token_of()
    with pytest.raises(EnrolmentTokensMany):
        token_of()
    token_of("another@example.org")
    enrol(request=enrol_request(private, used), now=NOW)
    token_of()
    issue_token(host_id=user().id, now=NOW + TOKEN_LIFETIME)


def test_an_expired_token_is_forgotten_a_day_later() -> None:
    token_of()
    assert forget_tokens(now=NOW + 2 * TOKEN_LIFETIME - timedelta(seconds=1)) == 0
    assert forget_tokens(now=NOW + 2 * TOKEN_LIFETIME) == 1
