"""This will say in words what a miner's hotkey signs to earn for a machine.

A person reads it in a wallet before signing, so it is plain text; and it names everything that the
signature holds for, so that it is worth nothing anywhere else.
"""

from datetime import UTC, datetime

from protocol.message import Message


class HotkeyConsent(Message):
    """What a hotkey agrees to."""

    #: where the site is reached, such as https://berth.example
    marketplace: str
    #: the host's, by which it logs in
    account: str
    #: raw ed25519 public key in hex
    machine_key: str
    #: ss58
    hotkey: str
    #: UTC, by the marketplace's clock; whole seconds count
    signed_at: datetime

    def text(self) -> str:
        """Return what is signed (sr25519), a line for each thing, without an end of line."""
        return "\n".join(
            (
                "berth-hotkey/1",
                "This hotkey earns for the machine below from now on.",
                f"marketplace: {self.marketplace}",
                f"account: {self.account}",
                f"machine: {self.machine_key}",
                f"hotkey: {self.hotkey}",
                f"time: {self.signed_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            )
        )
