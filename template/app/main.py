"""The service's endpoints: made once, then yours. `copier update` never touches this file."""

import math
import os
from typing import Annotated, Literal

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, StringConstraints

from app.limits import Limits, refuse
from app.logs import configure_logging
from app.request_log import RequestLog

WORDS_PER_MINUTE = 220

# For every server, uvicorn in development included. Add your own configuration below.
configure_logging()

# infra/task-definition.json sets the title and the description, the Dockerfile the commit.
app = FastAPI(
    title=os.environ.get("APP_TITLE", "service"),
    description=os.environ.get("APP_DESCRIPTION", "A FastAPI service on AWS ECS Fargate"),
    version=os.environ.get("COMMIT", "unknown"),
    # Public, like /docs and /redoc, which read it: None turns off all three.
    openapi_url="/openapi.json",
    # A redirect to the path with or without a trailing slash would contain the client's Host
    # header, which can be any host.
    redirect_slashes=False,
    exception_handlers={RequestValidationError: refuse},
    # Otherwise FastAPI looks for OpenTelemetry on each request: remove this line if you install it.
    telemetry={"tracing": False, "metrics": False, "logs": False},
)


class Health(BaseModel):
    status: Literal["ok"] = "ok"
    commit: str


class Article(BaseModel):  # a list needs a max_length too: each wrong item costs a kB of memory
    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100_000)]


class ReadingTime(BaseModel):
    words: int
    minutes: int


@app.get("/health")
async def health() -> Health:
    """Return the status of this process, and the commit that it runs."""
    return Health(commit=app.version)


@app.post("/reading-time")
async def reading_time(article: Article) -> ReadingTime:
    """Estimate how long a person takes to read the text."""
    words = len(article.text.split())
    return ReadingTime(words=words, minutes=math.ceil(words / WORDS_PER_MINUTE))


# The middleware added last runs first: RequestLog stays last, so that it logs every request. Add
# your own above, but CORSMiddleware between the two, so that refusals of Limits have its headers,
# too.
app.add_middleware(Limits)
app.add_middleware(RequestLog)
