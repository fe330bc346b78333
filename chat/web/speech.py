"""Speech: in which language a request is answered, and how templates say it."""

from flask import Flask, request

from chat import dates, languages

EXTENSION = "jinja2.ext.i18n"


def wanted() -> list[str]:
    """What the asker wants, the best first: the page's (`lang`), then the browser's (RFC 9110, 12.5.4)."""
    return [request.args.get("lang", ""), *request.accept_languages.values()]


def asked() -> str:
    """What an address has to carry so that the next page speaks the language that this one was asked for."""
    return f"?lang={languages.spoken()}" if request.args.get("lang") else ""


def _choose() -> None:
    """What the asker wants, if we speak it; to owners in fewer languages than to visitors."""
    owners = request.path.startswith("/inbox")
    languages.speak(languages.find(*wanted(), among=languages.INBOX if owners else languages.NAMES))


def init_app(app: Flask) -> None:
    """Speak from the first template on; each request in its own language."""
    app.jinja_env.add_extension(EXTENSION)
    app.jinja_env.install_gettext_callables(languages.gettext, languages.ngettext, newstyle=True)  # type: ignore[attr-defined]
    app.jinja_env.globals |= {
        "in_language": asked,
        "spoken": languages.spoken,
        "direction": languages.direction,
        "plurals": languages.plurals,
    }
    app.jinja_env.filters |= {"moment": dates.moment, "day": dates.day, "hour": dates.hour}
    app.jinja_env.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "ensure_ascii": False, "sort_keys": False}
    app.before_request(_choose)
