"""Validators' certificates, written by asyncssh: the validators' own are by another library."""

import asyncssh


def certified(
    signing: asyncssh.SSHKey, machine_key: str, **changes: object
) -> tuple[asyncssh.SSHKey, asyncssh.SSHCertificate]:
    """Return a fresh key and its certificate for one machine, good for a minute."""
    wanted: dict[str, object] = {
        "principals": [machine_key],
        "valid_after": "-1m",
        "valid_before": "+1m",
        "permit_pty": True,
        "permit_port_forwarding": True,
        **changes,
    }
    fresh = asyncssh.generate_private_key("ssh-ed25519")
    return fresh, signing.generate_user_certificate(fresh, "test", **wanted)
