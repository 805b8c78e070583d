"""This will look at one machine once and print what was found, for operators and hosts."""

import asyncio
import json
from argparse import ArgumentParser
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from protocol.hardware import Hardware
from protocol.signing import machine_key_of
from protocol.validator import Target, VerdictState
from validator import clock, env, identity
from validator.domain.verdict import decide
from validator.inspection.machine import MachineInspector

#: a look by hand is of no listed machine
NO_MACHINE = UUID(int=0)


class Command(BaseCommand):
    help = "Log in to one machine, read its facts, demand a proof and print the verdict as JSON."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("address")
        parser.add_argument("port", type=int)
        parser.add_argument("key", help="machine key: 64 hex digits or an ssh-ed25519 line")
        parser.add_argument("--cpus", type=int, default=1, help="CPUs the proof may use")
        parser.add_argument("--memory-bytes", type=int, default=256 * 1024 * 1024)

    def handle(
        self,
        *args: object,
        address: str,
        port: int,
        key: str,
        cpus: int,
        memory_bytes: int,
        **options: object,
    ) -> None:
        try:
            configuration = env.read()
            who = identity.load(configuration)
            target = _target(address, port, key, cpus=cpus, memory_bytes=memory_bytes)
        except (env.SettingWrong, identity.IdentityMissing, ValueError) as error:
            raise CommandError(str(error)) from error
        inspector = MachineInspector(
            ssh_key=who.ssh_private_key,
            allow_private=configuration.allow_private,
            proof_memory_bytes_max=configuration.proof_memory_bytes_max,
            randomness=clock.randomness(),
        )
        look = asyncio.run(inspector.look(target))
        verdict = decide(hotkey=who.hotkey, target=target, look=look, now_ms=clock.now_ms())
        self.stdout.write(json.dumps(verdict.model_dump(mode="json"), indent=1))
        if verdict.state is not VerdictState.VERIFIED:
            raise SystemExit(1)


def _target(address: str, port: int, key: str, *, cpus: int, memory_bytes: int) -> Target:
    return Target(
        machine_id=NO_MACHINE,
        machine_key=machine_key_of(key) if key.startswith("ssh-") else key.lower(),
        address=address,
        control_port=port,
        claimed=_nothing_claimed(),
        cpus_free=cpus,
        memory_bytes_free=memory_bytes,
    )


def _nothing_claimed() -> Hardware:
    return Hardware(
        hostname="",
        os="",
        kernel="",
        boot_id="",
        cpu_model="",
        cpus=0,
        memory_bytes=0,
        disk_bytes=0,
        docker_version="",
        storage_driver="",
    )
