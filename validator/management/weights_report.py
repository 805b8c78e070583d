"""This will show people and programs how setting weights ended."""

import json

from validator.domain.weights import PPM
from validator.submit import Report


def as_json(report: Report) -> str:
    """Return the report as one JSON object; shares in millionths."""
    planned, scores = report.plan, report.scores
    content = {
        "epoch": None if scores is None else scores.epoch,
        "outcome": report.outcome.value,
        "detail": report.detail,
        "block": report.block,
        "extrinsic_id": report.extrinsic_id,
        "reveal_round": report.reveal_round,
        "settled": report.settled,
        "weights": {} if planned is None else planned.weight_by_uid,
        "shares_ppm": {}
        if planned is None
        else {uid: int(share * PPM) for uid, share in sorted(planned.share_by_uid.items())},
        "shares_ppm_by_hotkey": {}
        if scores is None
        else {hotkey: int(share * PPM) for hotkey, share in scores.share_by_hotkey.items()},
        "missing": [] if planned is None else list(planned.missing),
    }
    return json.dumps(content)


def as_text(report: Report) -> str:
    """Return the report as lines for people."""
    epoch = "" if report.scores is None else f"Epoch {report.scores.epoch}. "
    outcome = report.outcome.value.replace("_", " ").capitalize()
    where = f" in {report.extrinsic_id}" if report.extrinsic_id else ""
    revealed = "" if report.reveal_round is None else f", revealed at round {report.reveal_round}"
    lines = [f"{epoch}{outcome}{where}{revealed}: {report.detail}".rstrip(" :")]
    if report.settled:
        lines.append(f"  the attempt before this one: {report.settled}")
    if report.scores is not None:
        lines += [
            f"  scored: {hotkey}  {float(share):9.4%}"
            for hotkey, share in report.scores.share_by_hotkey.items()
        ]
    if report.plan is not None:
        weights = report.plan.weight_by_uid
        for uid, share in sorted(report.plan.share_by_uid.items()):
            lines.append(f"  uid {uid:>4}  {float(share):9.4%}  weight {weights.get(uid, 0)}")
        lines.extend(f"  not on the subnet: {hotkey}" for hotkey in report.plan.missing)
    return "\n".join(lines)
