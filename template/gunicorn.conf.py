"""The configuration of gunicorn, which needs no arguments in this folder."""

import gc
import logging
from asyncio import CancelledError
from pathlib import Path
from typing import Any

from app.captured_output import capture_streams
from app.logs import LOGGING, configure_logging

wsgi_app = "app.main:app"

# Every interface of the task; a process that is not root cannot bind a port below 1024 on Fargate.
bind = "0.0.0.0:8080"

# uvicorn on uvloop and httptools, which take half the CPU per request of asyncio and h11. gunicorn
# itself reads the number of workers from WEB_CONCURRENCY; the default is one.
worker_class = "uvicorn_worker.UvicornWorker"

# Longer than the load balancer's idle timeout of 60 seconds. Otherwise the load balancer may send a
# request on a connection that is being closed, and return 502.
keepalive = 75

# A worker whose event loop hangs for this time is killed and replaced.
timeout = 60

# The time that a worker has to stop after SIGTERM; the task's stopTimeout is longer.
graceful_timeout = 30

# The last seconds of that time are for the end of the app's lifespan: before them, uvicorn cuts
# open requests, for example streams. By default it would wait for these requests until it is
# killed.
LIFESPAN_SECONDS = 5

# Maximum bytes of a WebSocket message: a longer one closes the connection with 1009. uvicorn's
# default is 16 MB, and messages do not count against the budget in app/limits.py.
WEBSOCKET_MESSAGE_SIZE = 64 * 2**10

# The heartbeat file stays in memory: the root file system is read-only. macOS has no such folder.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None

# gunicorn's control socket would need a home folder to write to, and nothing uses it.
control_socket_disable = True

# Private networks, such as that of the load balancer: the client is the last address outside them.
forwarded_allow_ips = "127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10"

logconfig_dict = LOGGING


# Imported objects live as long as the worker, so collecting garbage only slows its start.
def post_fork(_server: object, _worker: object) -> None:
    gc.disable()


def post_worker_init(worker: Any) -> None:  # uvicorn_worker has no types
    worker.config.http = "app.protocol:HeaderProtocol"
    worker.config.ws = "app.protocol:websocket_protocol"
    worker.config.ws_max_size = WEBSOCKET_MESSAGE_SIZE
    worker.config.timeout_graceful_shutdown = worker.cfg.graceful_timeout - LIFESPAN_SECONDS
    # Otherwise uvicorn makes a record for each request, in 35 µs, and a filter drops it.
    logging.getLogger("uvicorn.access").propagate = False
    logging.getLogger("uvicorn.error").addFilter(is_not_a_cut_request)
    gc.freeze()
    gc.enable()


def is_not_a_cut_request(record: logging.LogRecord) -> bool:
    """Reject the traceback of a cut request: uvicorn has already logged how many it cuts."""
    error = record.exc_info and record.exc_info[1]
    return not (isinstance(error, CancelledError) and "graceful shutdown exceeded" in str(error))


# gunicorn reads WEB_CONCURRENCY, its arguments and this file, and imports the worker class, before
# it runs hooks: only errors in these are printed as plain text.
def on_starting(_server: object) -> None:
    configure_logging()
    capture_streams()
