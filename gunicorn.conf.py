"""The one server configuration, read by `make run`, `python app.py` and `gunicorn wsgi:app` alike."""

import os
import sys
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from chat import bell, logs, server, upgrade
from chat.replica import Replica

settings = server.settings_or_exit()
replica = Replica(settings) if settings.chat_replica else None

bind = server.addresses(settings)
workers = settings.workers
worker_class = "chat.worker.Worker"
worker_connections = 12_000  # sockets, polls and keep-alive connections together
graceful_timeout = 1  # by then a worker that was told to stop has long told everybody and gone
keepalive = 30
timeout = 60
control_socket_disable = True  # one under the home folder would be shared by parallel servers
secure_scheme_headers: dict[str, str] = {}  # CHAT_PROXY alone says whose word is taken
forwarded_allow_ips = ""
limit_request_line = 8190
loglevel = "warning"
logger_class = "chat.worker.Log"
logconfig_dict = logs.configuration(settings.log)
proc_name = "porchlight"


def on_starting(arbiter: Any) -> None:
    """Before any worker: bring the data up to date, and say where everything is."""
    if arbiter.cfg.is_ssl:
        print("Note: the server speaks TLS itself: an open page costs 50 KB instead of 2. A proxy in front saves that.")
    server.allow_many_connections()
    server.prepare(settings)
    bell.hang()
    upgrade.install(arbiter)
    if replica:
        replica.install(arbiter)


def post_fork(arbiter: object, worker: object) -> None:
    """In a new worker, before it loads anything."""
    upgrade.forget_code()


def on_exit(arbiter: object) -> None:
    """After the last worker."""
    bell.take_down()
    if replica:
        replica.stop()
