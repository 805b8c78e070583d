"""This will say how a rental's sshd behaves; what differs between rentals is in files it names."""

from miner_agent.domain.container_spec import KEYS_INSIDE, KIT_INSIDE
from protocol.workload import DOOR_PORT

SETTINGS = f"""\
Port {DOOR_PORT}
HostKey {KEYS_INSIDE}/hostkey
AuthorizedKeysFile {KEYS_INSIDE}/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitEmptyPasswords no
UsePAM no
StrictModes no
UseDNS no
PrintMotd no
PidFile none
LoginGraceTime 30
MaxStartups 100:30:200
MaxSessions 128
ClientAliveInterval 60
Subsystem sftp {KIT_INSIDE}/sftp-server
"""
#: a stranger's failed log-ins would keep the renter out: all connections come from one address
#: where Docker's proxy is between
SPLIT_SETTINGS = f"""\
SshdSessionPath {KIT_INSIDE}/sshd-session
SshdAuthPath {KIT_INSIDE}/sshd-auth
PerSourcePenalties no
"""


def settings(*, is_split: bool) -> str:
    """Return sshd_config; ``is_split``: this sshd has programs beside it, as since OpenSSH 9.8."""
    return SETTINGS + (SPLIT_SETTINGS if is_split else "")
