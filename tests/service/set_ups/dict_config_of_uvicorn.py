"""uvicorn's own configuration: handlers for its loggers, and none for the root."""

import logging.config

from uvicorn.config import LOGGING_CONFIG

from tests.service.probe import make_probe

log = logging.getLogger("orders")
app = make_probe(log.warning, log.exception)

logging.config.dictConfig(LOGGING_CONFIG)
