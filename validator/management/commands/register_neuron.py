"""This will give a hotkey a uid on the in-memory chain, for demos and tests."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from validator import clock, env
from validator.chain.memory import MemoryChain


class Command(BaseCommand):
    help = "Register a hotkey on the in-memory chain and print its uid. Idempotent."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("hotkey", help="ss58 address")

    def handle(self, *args: object, hotkey: str, **options: object) -> None:
        try:
            configuration = env.read()
        except env.SettingWrong as error:
            raise CommandError(str(error)) from error
        chain = MemoryChain(configuration.memory_chain_file, now_ms=clock.now_ms)
        self.stdout.write(str(chain.register(hotkey)))
