"""structlog formats the records of `logging`, too."""

import logging
import sys

import structlog

from tests.service.probe import make_probe

structlog.configure(
    processors=[
        structlog.stdlib.add_log_level,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
)
log = structlog.get_logger("orders")
app = make_probe(log.info, log.exception)

handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(
    structlog.stdlib.ProcessorFormatter(processor=structlog.dev.ConsoleRenderer(colors=True))
)
logging.root.handlers = [handler]
