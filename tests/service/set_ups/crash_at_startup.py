"""Disables the server's loggers, and then fails in the lifespan of the app."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from tests.service.probe import fail
from tests.service.set_ups.dict_config import app


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    fail()
    yield


app.router.lifespan_context = lifespan
