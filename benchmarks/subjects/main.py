"""The app of every subject: the endpoints of the template's, with nothing around them."""

import math
from typing import Annotated, Literal

from fastapi import FastAPI
from pydantic import BaseModel, StringConstraints

app = FastAPI()


class Health(BaseModel):
    status: Literal["ok"] = "ok"
    commit: str


class Article(BaseModel):
    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100_000)]


class ReadingTime(BaseModel):
    words: int
    minutes: int


@app.get("/health")
async def health() -> Health:
    return Health(commit="unknown")


@app.post("/reading-time")
async def reading_time(article: Article) -> ReadingTime:
    words = len(article.text.split())
    return ReadingTime(words=words, minutes=math.ceil(words / 220))
