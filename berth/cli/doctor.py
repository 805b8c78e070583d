"""This will check what this computer needs to rent, one plain line each."""

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass

import typer

from berth import config
from berth.cli import output, session
from berth.cli.options import AsJson
from berth.client import Client
from berth.problem import STRANGE, CannotReach, Refused
from berth.ssh import ssh_program
from berth.units import format_usd

EXIT_FAILED = 1
EXIT_CANNOT_REACH = 3


@dataclass(frozen=True, slots=True)
class Finding:
    check: str
    ok: bool
    sentence: str
    #: the code of the problem, empty where it is well
    code: str = ""


def doctor(*, as_json: AsJson = False) -> None:
    """Check the configuration, the marketplace, your key, your balance and ssh."""
    loaded = session.load()
    findings = [
        _finding("configuration", lambda: _configuration(loaded)),
        _finding("ssh", lambda: f"OpenSSH is {ssh_program(os.environ.get('PATH'))}."),
    ]
    with Client(loaded.url, loaded.key, clock=session.CLOCK) as client:
        findings.append(_finding("marketplace", lambda: _marketplace(client, loaded)))
        if findings[-1].ok:
            findings.append(_finding("log-in", lambda: _log_in(client, loaded)))
        if findings[-1].ok:
            findings.append(_finding("SSH keys", lambda: _keys(client)))
            findings.append(_finding("balance", lambda: _balance(client)))
    if as_json:
        ok = all(finding.ok for finding in findings)
        output.write_json({"ok": ok, "checks": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            output.say(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.check}: {finding.sentence}")
    if any(finding.code == "cannot_reach" for finding in findings):
        raise typer.Exit(EXIT_CANNOT_REACH)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(EXIT_FAILED)


def _finding(check: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(check, ok=True, sentence=look())
    except (Refused, CannotReach) as error:
        return Finding(check, ok=False, sentence=error.sentence, code=error.code)


def _configuration(loaded: config.Config) -> str:
    if loaded.path.exists() and config.readable_by_others(loaded.path):
        sentence = f"Others can read {loaded.path}. Run: chmod 600 {loaded.path}"
        raise Refused("config_readable", sentence)
    if loaded.key and loaded.key_travels_in_clear:
        raise Refused("not_encrypted", f"Your key goes to {loaded.url} unencrypted.")
    return f"{loaded.path} for {loaded.url}."


def _marketplace(client: Client, loaded: config.Config) -> str:
    # What everybody may read, so that a wrong address is told from a missing or wrong key.
    try:
        next(client.offers(), None)
    except Refused as refused:
        # Who refuses in Berth's own words answers; why is told by the log-in.
        if refused.code in STRANGE:
            raise
    return f"{loaded.url} answers."


def _log_in(client: Client, loaded: config.Config) -> str:
    if not loaded.key:
        raise Refused("unauthenticated", "You are not logged in. Run: berth login")
    return f"{client.me().email} at {loaded.url}."


def _keys(client: Client) -> str:
    count = len(client.ssh_keys())
    if not count:
        sentence = "You have no SSH key. Run: berth keys add ~/.ssh/id_ed25519.pub"
        raise Refused("ssh_key_missing", sentence)
    return f"{count} on your account."


def _balance(client: Client) -> str:
    me = client.me()
    if me.balance_microusd <= 0:
        sentence = (
            "Your balance is empty. Run: berth topup 25.00"
            " (where the site takes cards, first run: berth card save)"
        )
        raise Refused("insufficient_funds", sentence)
    return f"{format_usd(me.balance_microusd)}."
