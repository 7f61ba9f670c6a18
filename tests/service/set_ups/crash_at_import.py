"""Disables the server's loggers, and then fails before the server has an app."""

from probe import fail

from set_ups.dict_config import app as app

fail()
