"""The handler of loguru's documentation, for every logger."""

import inspect
import logging

from loguru import logger

from tests.service.probe import make_probe


class InterceptHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        level: str | int
        try:
            level = logger.level(record.levelname).name
        except ValueError:
            level = record.levelno
        frame, depth = inspect.currentframe(), 0
        while frame and (depth == 0 or frame.f_code.co_filename == logging.__file__):
            frame, depth = frame.f_back, depth + 1
        logger.opt(depth=depth, exception=record.exc_info).log(level, record.getMessage())


log = logging.getLogger("orders")
app = make_probe(log.info, log.exception)

logging.basicConfig(handlers=[InterceptHandler()], level=logging.INFO, force=True)
for name in list(logging.root.manager.loggerDict):
    logging.getLogger(name).handlers = []
    logging.getLogger(name).propagate = True
