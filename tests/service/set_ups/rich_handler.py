import logging

from probe import make_probe
from rich.logging import RichHandler

log = logging.getLogger("orders")
app = make_probe(log.info, log.exception)

logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[RichHandler()], force=True)
