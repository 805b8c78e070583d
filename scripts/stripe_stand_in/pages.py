"""This will show what Stripe shows people: where they type a card, confirm a payment, are paid.

Each page says that it is not Stripe.
"""

from collections.abc import Awaitable, Callable
from html import escape

from aiohttp import web

from scripts.stripe_stand_in.connect import Connect
from scripts.stripe_stand_in.payments import VISA, Handler, Stripe

CARD, CONFIRM, CONNECT = "/_card/", "/_confirm/", "/_connect/"
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>{title}</title>
<body style="font: 1rem/1.5 sans-serif; max-width: 30rem; margin: 3rem auto; padding: 0 1rem">
<p><strong>This is not Stripe.</strong> It is a stand-in on this machine for trying things out: no
bank hears of it, and nobody is charged or paid.</p><h1>{title}</h1>{content}</body></html>"""
TYPE_CARD = f"""<form method="post"><label>Card number
<input name="number" value="{VISA}" inputmode="numeric" autocomplete="off" required></label>
<button>Save this card</button></form>
<p>{VISA} always pays; 4000002500003155 wants each payment to be confirmed; 4000000000000341 is
saved and then refused.</p>"""
GO_BACK = '<p><a href="{}">Back, without a card</a></p>'
ANSWER_BANK = """<form method="post"><button name="answer" value="yes">Yes, I pay this</button>
<button name="answer" value="no">No</button></form>"""
NAME_BANK = """<form method="post"><p>Stripe asks here who you are and where your bank is.</p>
<button>I have said all that</button></form>"""
#: hears that something changed in an account
Tell = Callable[[str, str], Awaitable[None]]


class Pages:
    """The pages of one stand-in."""

    def __init__(self, *, stripe: Stripe, connect: Connect, tell: Tell) -> None:
        self._stripe, self._connect, self._tell = stripe, connect, tell

    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a person's browser; whoever else asks is not for these pages."""
        for prefix, page in ((CARD, self._card), (CONFIRM, self._confirm), (CONNECT, self._bank)):
            if request.path.startswith(prefix):
                return await page(request, request.path.removeprefix(prefix))
        return await handler(request)

    async def _card(self, request: web.Request, name: str) -> web.StreamResponse:
        session = self._stripe.sessions.get(name)
        if session is None:
            return _page("This page is over", "", status=404)
        if request.method != "POST":
            return _page("Save a card", TYPE_CARD + GO_BACK.format(escape(session["cancel_url"])))
        number = str((await request.post())["number"]).replace(" ", "")
        self._stripe.save_card_now(session["customer"], number)
        raise web.HTTPSeeOther(session["success_url"])

    async def _confirm(self, request: web.Request, name: str) -> web.StreamResponse:
        action = self._stripe.get("payment_intent", name).next_action
        if not action:
            return _page("This payment is settled", "", status=404)
        if request.method != "POST":
            return _page("Your bank asks whether you pay this", ANSWER_BANK)
        agreed = (await request.post()).get("answer") == "yes"
        self._stripe.confirm_now(name, success=agreed)
        raise web.HTTPSeeOther(action["redirect_to_url"]["return_url"])

    async def _bank(self, request: web.Request, rest: str) -> web.StreamResponse:
        _, _, reference = rest.partition("/")
        account = self._connect.accounts.get(reference)
        if account is None:
            return _page("There is no such account", "", status=404)
        if account["payouts_enabled"]:
            return _page("Your account", f"<p>{escape(reference)} is paid to your bank.</p>")
        if request.method != "POST":
            return _page("Connect a bank account", NAME_BANK)
        self._connect.enable(reference)
        await self._tell("account.updated", reference)
        raise web.HTTPSeeOther(self._connect.back[reference])


def _page(title: str, content: str, *, status: int = 200) -> web.Response:
    text = PAGE.format(title=escape(title), content=content)
    return web.Response(text=text, content_type="text/html", status=status)
