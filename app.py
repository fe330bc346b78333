"""Porchlight, as a table of contents: what the application is made of, and its command line."""

from collections.abc import Callable

from flask import Flask
from flask_compress import Compress
from htmx_flask import Htmx

from chat import channels, config, fragments, keys, porch, socket, text
from chat.colleagues import Colleagues
from chat.db import Store
from chat.features import (
    Feature,
    alerts,
    forms,
    hook,
    hours,
    identity,
    look,
    mail,
    privacy,
    spam,
    telegram,
    visits,
    work,
)
from chat.limits import Limits
from chat.live import Live
from chat.people import Tokens
from chat.presence import Presence
from chat.web import Core, assets, errors, handshake, metrics, requests, security, speech
from chat.web.accounts import accounts
from chat.web.appearance import appearance
from chat.web.archive import archive
from chat.web.demo import demo
from chat.web.dress import dress
from chat.web.files import files
from chat.web.inbox import inbox
from chat.web.languages import languages
from chat.web.probe import probe
from chat.web.profile import profile
from chat.web.server import server
from chat.web.settings import settings as settings_page
from chat.web.shims import shims
from chat.web.sites import sites
from chat.web.up import up
from chat.web.visitor import visitor

FEATURES: tuple[Callable[[Core], Feature], ...] = (
    mail.declare,
    alerts.declare,
    telegram.declare,
    hook.declare,
    hours.declare,
    forms.declare,
    identity.declare,
    privacy.declare,
    spam.declare,
    visits.declare,
)
"""Every feature, by its declaration."""
LOOKS = (look, mail.look)
"""What the doctor looks at for them."""


def create_app(settings: config.Settings) -> Flask:
    """One process's application over a data folder that `chat.cli` has prepared (migrated)."""
    app = Flask(__name__, static_folder=None)
    store = Store(settings.database, checkpoints=not settings.chat_replica)
    with store.read() as rx:
        secret = keys.secret(rx)
    live = Live(store, settings.workers)
    core = Core(settings, store, live, Presence(store), Tokens(secret), Limits(settings.limits), secret)
    core.init_app(app)
    requests.init_app(app, settings)
    speech.init_app(app)
    app.jinja_env.filters["size"] = text.size
    app.jinja_env.filters["door"] = channels.NAMES.get
    app.jinja_env.policies["urlize.rel"] = ""
    app.config["COMPRESS_ALGORITHM"] = ["br", "gzip"]
    app.config["COMPRESS_BR_LEVEL"] = 8  # of 11: pages are 5% smaller than at 4, and take a millisecond
    app.config["COMPRESS_STREAMS"] = False  # what is sent in pieces is to arrive in pieces
    fragments.init(app.jinja_env)
    Compress(app)
    Htmx(app)
    socket.init_app(app)
    security.init_app(app, settings)
    handshake.init_app(app)
    errors.init_app(app)
    assets.init_app(app, settings)
    metrics.init_app(app, Colleagues())
    features = [declare(core) for declare in FEATURES]
    pages = (server, settings_page, sites, appearance, languages, profile)
    own = (visitor, accounts, inbox, archive, demo, dress, up, probe, *pages, shims, files)
    for blueprint in (*own, *(each for feature in features for each in feature.blueprints)):
        app.register_blueprint(blueprint)
    core.features, core.looks = features, LOOKS
    porch.init(next((feature.porch for feature in features if feature.porch), None))
    core.duty = work(settings, store, features)
    live.start()
    core.presence.start()
    core.duty.start()
    return app


if __name__ == "__main__":
    from chat.cli import main

    main(prog_name="app.py", obj=LOOKS)
