"""This will read the validator's settings from the environment, once, each with its type."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from validator.domain.weights import OWNER, PPM, Burn

#: verifying a proof takes a core some 0.1 s of the 3 s that a look lasts
LOOKS_A_CORE = 8


class SettingWrong(ValueError):
    """A variable has a value that makes no sense; the message names it."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything that an operator of a validator chooses."""

    marketplace_url: str = "http://127.0.0.1:8000"
    #: a derivation path such as //Alice, for tests and demos only
    hotkey_seed: str = ""
    hotkey_file: Path | None = None
    ssh_key_file: Path = Path(".berth/validator_ssh_key")
    #: loopback and private addresses are visited too: for demos and machine rooms
    allow_private: bool = False
    proof_memory_bytes_max: int = 256 * 1024 * 1024
    #: a look waits for its machine nearly all of its time
    machines_at_once: int = LOOKS_A_CORE * (os.cpu_count() or 1)
    #: processes that take the looks; each takes as many at once as there are looks for it
    look_processes: int = os.cpu_count() or 1
    #: the list of machines is asked for this often; each is looked at far less often
    list_interval_s: int = 3
    #: mean time between two proofs of an idle machine
    proof_mean_s: int = 6 * 3600
    #: "memory" or a network or ws:// address of bittensor
    network: str = "memory"
    netuid: int = 27
    memory_chain_file: Path = Path(".berth/memory_chain.json")
    burn: Burn = field(default_factory=Burn)
    #: what the subnet's version key is compared with
    version_key: int = 0


def read(variables: Mapping[str, str] | None = None) -> Configuration:
    """Return the configuration that ``variables`` (None: the process's own) describe.

    :raises SettingWrong: when a value cannot be read.
    """
    found = os.environ if variables is None else variables
    plain = Configuration()
    seed_file = found.get("BERTH_VALIDATOR_HOTKEY_FILE", "")
    return Configuration(
        marketplace_url=found.get("BERTH_MARKETPLACE_URL", plain.marketplace_url).rstrip("/"),
        hotkey_seed=found.get("BERTH_VALIDATOR_HOTKEY_SEED", ""),
        hotkey_file=Path(seed_file) if seed_file else None,
        ssh_key_file=Path(found.get("BERTH_VALIDATOR_SSH_KEY") or plain.ssh_key_file),
        allow_private=_flag(found, "BERTH_VALIDATOR_ALLOW_PRIVATE"),
        proof_memory_bytes_max=_integer(
            found, "BERTH_VALIDATOR_PROOF_MEMORY_BYTES", plain.proof_memory_bytes_max
        ),
        machines_at_once=max(
            1, _integer(found, "BERTH_VALIDATOR_MACHINES_AT_ONCE", plain.machines_at_once)
        ),
        look_processes=max(
            1, _integer(found, "BERTH_VALIDATOR_LOOK_PROCESSES", plain.look_processes)
        ),
        list_interval_s=max(
            1, _integer(found, "BERTH_VALIDATOR_INTERVAL_S", plain.list_interval_s)
        ),
        proof_mean_s=max(60, _integer(found, "BERTH_VALIDATOR_PROOF_MEAN_S", plain.proof_mean_s)),
        network=found.get("BERTH_VALIDATOR_NETWORK") or plain.network,
        netuid=_integer(found, "BERTH_VALIDATOR_NETUID", plain.netuid),
        memory_chain_file=Path(found.get("BERTH_MEMORY_CHAIN") or plain.memory_chain_file),
        burn=_burn(found),
        version_key=_integer(found, "BERTH_VALIDATOR_VERSION_KEY", plain.version_key),
    )


def _burn(found: Mapping[str, str]) -> Burn:
    share_ppm = _integer(found, "BERTH_VALIDATOR_BURN_SHARE_PPM", 0)
    if not 0 <= share_ppm <= PPM:
        raise SettingWrong(f"BERTH_VALIDATOR_BURN_SHARE_PPM must be 0 to {PPM}.")
    return Burn(
        to=found.get("BERTH_VALIDATOR_BURN_TO", "").strip() or OWNER,
        share_ppm=share_ppm,
        when_nobody=_flag(found, "BERTH_VALIDATOR_BURN_WHEN_NOBODY"),
    )


def _integer(found: Mapping[str, str], name: str, default: int) -> int:
    text = found.get(name, "")
    try:
        return int(text) if text else default
    except ValueError as error:
        raise SettingWrong(f"{name} must be a whole number, not {text!r}.") from error


def _flag(found: Mapping[str, str], name: str) -> bool:
    text = found.get(name, "0").strip() or "0"
    if text not in ("0", "1"):
        raise SettingWrong(f"{name} must be 0 or 1, not {text!r}.")
    return text == "1"
