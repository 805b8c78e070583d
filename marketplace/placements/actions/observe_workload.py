"""This will take in what a machine says about a placement's workload: ports, changes, secrets."""

from typing import Any

from marketplace.placements.known import Known
from protocol.agent import ObservedPlacement, ObservedState


def of_workload(placement: Known, one: ObservedPlacement) -> dict[str, Any]:
    """Return the columns that follow, whether they differ from what is known or not.

    A change is over when its edition runs, or when the machine says why it can't: then what ran
    before is what is desired again, so that both sides agree.
    """
    told: dict[str, Any] = {}
    if one.ports or one.state == ObservedState.RUNNING:
        told["ports"] = [port.model_dump() for port in one.ports]
    if placement.former_workload is not None:
        told |= _of_change(placement, one)
    elif one.change_problem is not None and one.problem_edition == placement.edition:
        told |= _problem(one)
    runs_newest = one.state == ObservedState.RUNNING and one.edition == placement.edition
    if placement.registry_login and runs_newest:
        # The image is there, so nobody needs it any more.
        told["registry_login"] = ""
    return told


def _of_change(placement: Known, one: ObservedPlacement) -> dict[str, Any]:
    if one.change_problem is not None and one.problem_edition == placement.edition:
        return _problem(one) | {
            "workload": placement.former_workload,
            "edition": placement.former_edition,
            "former_workload": None,
            "registry_login": "",
        }
    if one.edition == placement.edition and one.state == ObservedState.RUNNING:
        return {"former_workload": None}
    return {}


def _problem(one: ObservedPlacement) -> dict[str, Any]:
    assert one.change_problem is not None  # noqa: S101 - the callers looked
    return {"change_code": one.change_problem.code, "change_reason": one.change_problem.message}
