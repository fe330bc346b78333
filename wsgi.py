"""What gunicorn serves: `gunicorn wsgi:app`. Patched first, so that everything after it is cooperative."""

from gevent import monkey

monkey.patch_all()

from app import create_app  # noqa: E402
from chat import config, logs  # noqa: E402

settings = config.load()
logs.set_up(settings.log)
app = create_app(settings)
