"""The page where the owner sets the bot and connects a chat; and the visitor's way from the site to the bot."""

from typing import Any

from flask import Blueprint, Response, abort, jsonify, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from chat import config, deliveries, options, outbound, sites
from chat.db import Tx
from chat.features.telegram import api, links, place, pocket, visitors
from chat.features.telegram.api import Bot, Wrong
from chat.languages import gettext
from chat.people import Visitor
from chat.web import accounts, core, live, security
from chat.web.accounts import agent

telegram = Blueprint("telegram", __name__, url_prefix="/inbox/telegram")
telegram.before_request(accounts.require)
link = Blueprint("telegram_link", __name__)
SENDERS = (visitors.CHANNEL, pocket.NAME)


def _shown(rx: Tx) -> dict[str, Any]:
    told = options.every(rx)
    bot = api.bot(core().settings, told)
    where = place.find(rx)
    waiting = [each for name in SENDERS for each in deliveries.latest(rx, name, "waiting", limit=5) if each.error]
    return {
        "bot": place.profile(rx, bot.id) or {"username": "", "name": ""} if bot else None,
        "fixed": bool(core().settings.telegram_token),
        "heard_at": place.heard_at(rx) if bot else None,
        "trouble": told.get("telegram.trouble", "") if bot else "",
        "place": where,
        "offered": bool(told.get("telegram.offer")),
        "mine": bool(where) and agent().id in where.people.values(),  # type: ignore[union-attr]
        "waiting": waiting,
        "failed": [each for name in SENDERS for each in deliveries.latest(rx, name, "failed", limit=5)],
    }


def _show(**values: Any) -> Response:
    with core().store.read() as rx:
        values = _shown(rx) | values
    return Response(render_template("telegram/telegram.html", csrf=security.csrf_token(agent().session_hash), **values))


@telegram.get("")
def show() -> Response:
    """How it stands: the bot, the connected chat, what waits."""
    return _show()


@telegram.post("")
def set_bot() -> AnyResponse:
    """Take a token, if Telegram knows it; the page never shows it again."""
    try:
        token = config.telegram_token(request.form.get("token", ""))
    except config.BadSetting:
        return _show(
            error=gettext("This is no bot's token. BotFather gives you one that looks like 110201543:AAHdqTcvCH1vGWJ…")
        )
    if not token:
        return _show(error=gettext("Put the token in here that BotFather gave you."))
    settings = core().settings
    bot = Bot(token, settings.telegram_api, settings.private_hosts)
    try:
        told = bot.call("getMe")
    except Wrong as wrong:
        why = (
            gettext("Telegram does not know this token. Copy it from BotFather again.")
            if wrong.code in (401, 404)
            else str(wrong)
        )
        return _show(error=why)
    except (outbound.Failed, outbound.Refused) as error:
        return _show(
            error=gettext("Telegram can't be reached just now, so nothing was changed. Try again. (%(error)s)")
            % {"error": error}
        )

    def keep(tx: Tx) -> None:
        options.put(tx, "telegram.token", token)
        options.put(tx, "telegram.trouble", "")
        place.introduce(tx, bot.id, told)

    core().store.write(keep)
    return redirect(url_for("telegram.show"), 303)


@telegram.post("/code")
def code() -> Response:
    """A fresh one-time code that connects a chat."""
    me = agent().id
    return _show(code=core().store.write(lambda tx: place.new_code(tx, me)), minutes=int(place.CODE_SECONDS // 60))


@telegram.post("/disconnection")
def disconnect() -> AnyResponse:
    """Answer from Telegram no more (`what=chat`), or let the bot go as well (`what=bot`)."""
    bot_too = request.form.get("what") == "bot"

    def change(tx: Tx) -> None:
        place.disconnect(tx)
        if bot_too:
            options.put(tx, "telegram.token", "")
            options.put(tx, "telegram.trouble", "")

    core().store.write(change)
    return redirect(url_for("telegram.show"), 303)


@telegram.post("/attempts")
def try_again() -> AnyResponse:
    """Try a delivery again now."""
    number = request.form.get("delivery", "")
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        abort(400)
    core().store.write(lambda tx: [deliveries.try_again(tx, name, int(number)) for name in SENDERS])
    return redirect(url_for("telegram.show"), 303)


@telegram.post("/offer")
def offer() -> AnyResponse:
    """Show visitors the way to the bot under their conversation, or not any more."""
    wanted = "1" if request.form.get("offered") else ""
    core().store.write(lambda tx: options.put(tx, "telegram.offer", wanted))
    return redirect(url_for("telegram.show"), 303)


# The visitor's way from the site to the bot.


def draw(rx: Tx, who: Visitor, page: str, token: str = "", opened: bool = False) -> Markup:
    """The line under the visitor's conversation, with a fresh link; empty unless the owner offers it."""
    if not options.get(rx, "telegram.offer"):
        return Markup()
    url = _address(rx, who)
    return Markup(render_template("telegram/_offer.html", site=who.site, url=url, opened=opened)) if url else Markup()


def _address(rx: Tx, who: Visitor) -> str:
    """Where the visitor goes on, in their conversation once they have one; empty without a bot."""
    bot = api.bot(core().settings, options.every(rx))
    username = place.profile(rx, bot.id).get("username") if bot else ""
    start = f"?start={links.parameter(core().secret, who.conversation_id)}" if who.conversation_id else ""
    return f"https://t.me/{username}{start}" if username else ""


def _who(rx: Tx, key: str) -> Visitor:
    site = sites.find(rx, key) or abort(404)
    return core().tokens.identify(rx, site, security.bearer())


@link.get("/w/<key>/telegram")
def offered(key: str) -> Markup:
    """The same line, for whoever opens it: a link is good for an hour."""
    with core().store.read() as rx:
        return draw(rx, _who(rx, key), "w", opened=True)


@link.post("/w/<key>/telegram")
def way(key: str) -> Response:
    """The address at which this visitor goes on in Telegram, as JSON; 404 when there is no bot."""
    core().limits.address.take(live.address())
    with core().store.read() as rx:
        url = _address(rx, _who(rx, key))
    return jsonify(url=url or abort(404))
