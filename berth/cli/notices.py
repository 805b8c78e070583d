"""This will show what you were told, and manage the web hooks that are told the same."""

from typing import Annotated

import typer

from berth.cli import output, session
from berth.cli.options import AsJson
from berth.client import Client
from berth.notices import Letter, WebHook
from berth.problem import Refused

hooks = typer.Typer(help="Your web hooks: each notice is sent there.", no_args_is_help=False)
letters = typer.Typer(help="What you get letters of, by e-mail.", no_args_is_help=False)
Kind = Annotated[str, typer.Argument(metavar="KIND", help="From: berth letters")]
HookId = Annotated[str, typer.Argument(metavar="HOOK", help="The beginning of its id.")]


def notices(
    *,
    unread: Annotated[bool, typer.Option("--unread", help="Only what you have not seen.")] = False,
    seen: Annotated[bool, typer.Option("--seen", help="Take all as seen from now on.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what happened to your rentals and money, newest first."""
    with session.client() as client:
        found = client.notices.all(unread=unread)
        if seen and found:
            client.notices.seen(up_to=found[0].id)
    if as_json:
        output.write_json({"items": found})
        return
    rows = [
        (output.moment(one.at), "" if one.read_at else "new", f"{one.title}. {one.text}".strip())
        for one in found
    ]
    output.table(("AT (UTC)", "SEEN", "~WHAT"), rows, empty="Nothing to tell.")


@letters.callback(invoke_without_command=True)
def letters_callback(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Show of what you get letters, or turn a kind off or on."""
    if context.invoked_subcommand is None:
        list_letters(as_json=as_json)


@letters.command("list")
def list_letters(*, as_json: AsJson = False) -> None:
    """Show of what you get letters."""
    with session.client() as client:
        found = client.notices.letters()
    _show_letters(found, as_json=as_json)


@letters.command("off")
def letters_off(*, kind: Kind, as_json: AsJson = False) -> None:
    """Get no letters of this kind. The page Notices and your web hooks tell you all the same."""
    with session.client() as client:
        found = client.notices.turn_letter(kind, on=False)
    _show_letters(found, as_json=as_json)


@letters.command("on")
def letters_on(*, kind: Kind, as_json: AsJson = False) -> None:
    """Get letters of this kind again."""
    with session.client() as client:
        found = client.notices.turn_letter(kind, on=True)
    _show_letters(found, as_json=as_json)


def _show_letters(found: tuple[Letter, ...], *, as_json: bool) -> None:
    if as_json:
        output.write_json({"items": found})
        return
    rows = [(one.kind, "on" if one.on else "off", one.about) for one in found]
    output.table(("KIND", "LETTERS", "~WHEN"), rows, empty="There is nothing to turn off.")


@hooks.callback(invoke_without_command=True)
def callback(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List your web hooks, or add, test, turn on or remove one."""
    if context.invoked_subcommand is None:
        list_hooks(as_json=as_json)


@hooks.command("list")
def list_hooks(*, as_json: AsJson = False) -> None:
    """List your web hooks, and why the newest event did not arrive where that is so."""
    with session.client() as client:
        found = client.notices.hooks()
    if as_json:
        output.write_json({"items": found})
        return
    rows = [
        (output.short(one.id), "off" if one.off_at else "on", one.url, one.problem) for one in found
    ]
    empty = "You have no web hook. Add one: berth hooks add https://example.com/berth"
    output.table(("HOOK", "STATE", "~ADDRESS", "~PROBLEM"), rows, empty=empty)


@hooks.command("add")
def add(
    *,
    url: Annotated[str, typer.Argument(metavar="URL", help="https://..., of a server of yours.")],
    as_json: AsJson = False,
) -> None:
    """Add one, and show the secret that signs its events, this once."""
    with session.client() as client:
        made = client.notices.add_hook(url)
    _show_secret(made, as_json=as_json)


@hooks.command("rotate")
def rotate(*, hook: HookId, as_json: AsJson = False) -> None:
    """Make a new secret, and show it this once; the one before signs too for a day."""
    with session.client() as client:
        made = client.notices.rotate_hook(_find(client, hook).id)
    _show_secret(made, as_json=as_json)


@hooks.command("test")
def send_test(*, hook: HookId, as_json: AsJson = False) -> None:
    """Send a test there."""
    with session.client() as client:
        found = _find(client, hook)
        client.notices.test_hook(found.id)
    if as_json:
        output.write_json({"id": found.id, "sent": True})
    else:
        output.say("The test is on its way; see how it went: berth hooks")


@hooks.command("on")
def turn_on(*, hook: HookId, as_json: AsJson = False) -> None:
    """Turn one on that was turned off."""
    with session.client() as client:
        turned = client.notices.turn_hook_on(_find(client, hook).id)
    if as_json:
        output.write_json(turned)
    else:
        output.say("It is on.")


@hooks.command("rm")
def rm(*, hook: HookId, as_json: AsJson = False) -> None:
    """Remove one."""
    with session.client() as client:
        found = _find(client, hook)
        client.notices.remove_hook(found.id)
    if as_json:
        output.write_json({"id": found.id, "removed": True})
    else:
        output.say(f"Nothing is sent to {found.url} any more.")


def _show_secret(made: WebHook, *, as_json: bool) -> None:
    if as_json:
        output.write_json(made)
    else:
        output.pairs({"Web hook": made.id, "Address": made.url, "Secret": made.secret or ""})


def _find(client: Client, hook: str) -> WebHook:
    found = [one for one in client.notices.hooks() if hook and one.id.startswith(hook.lower())]
    if len(found) != 1:
        raise Refused("not_found", f"You have no one web hook {hook!r}. See: berth hooks")
    return found[0]
