"""As structlog is without configuration."""

import structlog

from tests.service.probe import make_probe

log = structlog.get_logger()
app = make_probe(log.info, log.exception)
