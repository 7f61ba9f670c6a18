import logging

from tests.service.probe import make_probe

log = logging.getLogger("orders")
app = make_probe(log.info, log.exception)

logging.basicConfig(level=logging.INFO, force=True)
