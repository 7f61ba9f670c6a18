"""Disables all existing loggers, which is the default."""

import logging.config

from tests.service.probe import make_probe

app = make_probe(
    lambda text: logging.getLogger("orders").info(text),
    lambda text: logging.getLogger("orders").exception(text),
)

logging.config.dictConfig(
    {
        "version": 1,
        "formatters": {"text": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
        "handlers": {
            "console": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stdout",
                "formatter": "text",
            }
        },
        "root": {"level": "INFO", "handlers": ["console"]},
    }
)
