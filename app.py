"""Porchlight, as a table of contents: what the application is made of, and its command line."""

from collections.abc import Callable

from flask import Flask
from flask_compress import Compress
from htmx_flask import Htmx

from chat import channels, clock, config, fragments, keys, socket, text
from chat import files as kept
from chat.colleagues import Colleagues
from chat.db import Store
from chat.features import Feature, alerts, hook, mail, telegram, work
from chat.limits import Limits
from chat.live import Live
from chat.people import Tokens
from chat.presence import Presence
from chat.web import Core, assets, errors, handshake, metrics, requests, security
from chat.web.accounts import accounts
from chat.web.archive import archive
from chat.web.demo import demo
from chat.web.files import files
from chat.web.inbox import inbox
from chat.web.probe import probe
from chat.web.server import server
from chat.web.settings import settings as settings_page
from chat.web.sites import sites
from chat.web.up import up
from chat.web.visitor import visitor

FEATURES: tuple[Callable[[Core], Feature], ...] = (mail.declare, alerts.declare, telegram.declare, hook.declare)
"""Every feature, by its declaration."""
LOOKS = (mail.look,)
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
    app.jinja_env.filters["moment"] = clock.moment
    app.jinja_env.filters["size"] = text.size
    app.jinja_env.globals["whole_letter"] = kept.WHOLE
    app.jinja_env.filters["door"] = channels.NAMES.get
    app.jinja_env.policies["urlize.rel"] = ""
    app.config["COMPRESS_ALGORITHM"] = ["br", "gzip"]
    app.config["COMPRESS_STREAMS"] = False  # what is sent in pieces is to arrive in pieces
    fragments.init(app.jinja_env)
    Compress(app)
    Htmx(app)
    socket.init_app(app)
    security.init_app(app, settings)
    handshake.init_app(app)
    errors.init_app(app)
    assets.init_app(app)
    metrics.init_app(app, Colleagues())
    features = [declare(core) for declare in FEATURES]
    of_features = [blueprint for feature in features for blueprint in feature.blueprints]
    for blueprint in (visitor, accounts, inbox, archive, demo, up, probe, server, settings_page, sites, files, *of_features):
        app.register_blueprint(blueprint)
    core.features, core.looks = features, LOOKS
    core.duty = work(settings, store, features)
    live.start()
    core.presence.start()
    core.duty.start()
    return app


if __name__ == "__main__":
    from chat.cli import main

    main(prog_name="app.py", obj=LOOKS)
