"""uvicorn's own configuration: handlers for its loggers, and none for the root."""

import logging.config

from probe import make_probe
from uvicorn.config import LOGGING_CONFIG

log = logging.getLogger("orders")
app = make_probe(log.warning, log.exception)

logging.config.dictConfig(LOGGING_CONFIG)
