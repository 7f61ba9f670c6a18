"""How gunicorn serves the app: `gunicorn` in this folder needs no arguments."""

import gc
from pathlib import Path
from typing import Any

from app.captured_output import capture_streams
from app.logs import LOGGING, configure_logging

wsgi_app = "app.main:app"

# Every interface of the task; a process that is not root cannot bind a port below 1024 on Fargate.
bind = "0.0.0.0:8080"

# uvicorn on uvloop and httptools, which take half the CPU per request of what they replace. How
# many workers says WEB_CONCURRENCY, which gunicorn reads itself; without it there is one.
worker_class = "uvicorn_worker.UvicornWorker"

# Above the load balancer's 60 seconds, or it reuses a connection that is just being closed: 502.
keepalive = 75

# A worker whose event loop has hung for so long is killed and replaced.
timeout = 60

# How long requests in flight have to finish after SIGTERM; the task's stopTimeout is longer.
graceful_timeout = 30

# The heartbeat file stays in memory: the root file system is read-only. macOS has no such folder.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None

# gunicorn's control socket would need a home folder to write to, and nothing uses it.
control_socket_disable = True

# Private networks, where the load balancer is: the client is the last address that is in none.
forwarded_allow_ips = "127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10"

logconfig_dict = LOGGING


# All that a worker imports is there to stay. To look for garbage in it makes its start longer.
def post_fork(_server: object, _worker: object) -> None:
    gc.disable()


def post_worker_init(worker: Any) -> None:
    worker.config.http = "app.protocol:HeaderProtocol"
    worker.config.ws = "app.protocol:websocket_protocol"
    gc.freeze()
    gc.enable()


# gunicorn reads WEB_CONCURRENCY, its arguments and this file, and finds the worker class, before it
# runs hooks: only what is wrong with these is told as plain text.
def on_starting(_server: object) -> None:
    configure_logging()
    capture_streams()
