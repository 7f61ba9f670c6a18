"""As Alembic does when it runs migrations; disables all existing loggers, too."""

import io
import logging
import logging.config

from tests.service.probe import make_probe

app = make_probe(
    lambda text: logging.getLogger("orders").info(text),
    lambda text: logging.getLogger("orders").exception(text),
)

logging.config.fileConfig(
    io.StringIO("""
[loggers]
keys = root

[handlers]
keys = console

[formatters]
keys = text

[logger_root]
level = INFO
handlers = console

[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = text

[formatter_text]
format = %(levelname)-5.5s [%(name)s] %(message)s
""")
)
