import sys

from loguru import logger

from tests.service.probe import make_probe

app = make_probe(logger.info, logger.exception)

logger.remove()
logger.add(sys.stdout, serialize=True)
