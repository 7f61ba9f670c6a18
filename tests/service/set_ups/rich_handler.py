import logging

from rich.logging import RichHandler

from tests.service.probe import make_probe

log = logging.getLogger("orders")
app = make_probe(log.info, log.exception)

logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[RichHandler()], force=True)
