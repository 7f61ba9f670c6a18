"""Disables the server's loggers, and then fails before the server has an app."""

from tests.service.probe import fail
from tests.service.set_ups.dict_config import app as app

fail()
