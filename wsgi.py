"""What gunicorn serves: `gunicorn wsgi:app`. Patched first, so that everything after it is cooperative."""

from gevent import monkey

monkey.patch_all()

from app import create_app  # noqa: E402
from chat import config  # noqa: E402

app = create_app(config.load())
