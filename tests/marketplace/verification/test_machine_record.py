"""One machine's part of a closed record is found without reading the others'."""

import zlib
from uuid import UUID

import pytest

from marketplace.verification import published
from marketplace.verification.models import ClosedEpoch
from protocol.message import canonical_bytes
from protocol.validator import EpochRecord
from tests.marketplace.scene import NOW
from tests.validator.builders import record

pytestmark = pytest.mark.django_db
HOSTILE = '{"epoch_ms":1,"machine_id":"00000000-0000-0000-0000-000000000002"'
MACHINES = (
    record(1, gpu_model=HOSTILE),
    record(2, gpu_model="é"),
    record(3, gpu_model=HOSTILE),
)


def close(epoch: int, *machines: object) -> int:
    told = EpochRecord(epoch=epoch, starts_at_ms=0, ends_at_ms=1, as_of_ms=2, machines=machines)
    ClosedEpoch.objects.create(
        epoch=epoch,
        packed=zlib.compress(canonical_bytes(told)),
        sha256="0" * 64,
        machines=len(machines),
        closed_at=NOW,
    )
    return epoch


def test_each_machine_is_found_whatever_hosts_call_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = close(1, *MACHINES)
    monkeypatch.delattr(published, "EpochRecord")
    found = [published.machine_record(kept, one.machine_id) for one in MACHINES]
    assert found == list(MACHINES)


def test_a_machine_that_is_not_in_it_is_unknown() -> None:
    for kept in (close(1, *MACHINES), close(2)):
        with pytest.raises(published.EpochUnknown):
            published.machine_record(kept, UUID(int=4))
