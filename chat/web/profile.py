"""Profile: the name and the picture by which visitors know who answers them, and the language of the inbox."""

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from chat import accounts as known
from chat import languages, pictures, text
from chat.languages import gettext
from chat.pictures import BadPicture
from chat.web import accounts, core, dress, security
from chat.web.accounts import agent

profile = Blueprint("profile", __name__, url_prefix="/inbox/profile")
profile.before_request(accounts.require)
security.LARGER["profile.save"] = (pictures.LARGEST + 64 * 1024, 60.0)


@profile.get("")
def show(wrong: Exception | None = None, done: str = "") -> Response:
    """The form."""
    with core().store.read() as rx:
        face = known.face(rx, agent().name)
    typed = request.form.get("name", agent().name)
    done = done or (gettext("Saved.") if request.args.get("done") else "")
    values = {"languages": [(tag, languages.NAMES[tag]) for tag in languages.INBOX]}
    values |= {"chosen": request.form.get("language", agent().language)}
    values |= {"typed": typed, "face": face and dress.picture(face), "wrong": wrong, "done": done}
    field = "picture" if isinstance(wrong, BadPicture) else "name"
    csrf = security.csrf_token(agent().session_hash)
    return Response(render_template("accounts/profile.html", **values, field=field, csrf=csrf))


@profile.post("")
def save() -> AnyResponse:
    """Another name, another picture or none, another language."""
    me, name, sent = agent(), text.line(request.form.get("name", ""), 60), request.files.get("picture")
    with core().store.read() as rx:
        face = "" if "no_picture" in request.form else known.face(rx, me.name)
    language = request.form.get("language", "")
    language = language if language in languages.INBOX else ""
    try:
        face = dress.keep(sent, "face") if sent else face
        core().store.write(lambda tx: known.introduce(tx, me.id, name, face, language))
    except (BadPicture, known.Refused) as wrong:
        return show(wrong)
    return redirect(url_for("profile.show", done=1), 303)
