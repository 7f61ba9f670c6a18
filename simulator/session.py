"""boto3 sessions for the tool under test: their clients call the simulation in this process."""

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import boto3
import botocore.session
from moto.core.request import Request

from simulator.api_models import LOADER
from simulator.faults import Unreachable
from simulator.principals import Credentials
from simulator.protocol import Answer
from simulator.transport import through

ANYWHERE = {"iam", "route53", "s3", "sts"}  # services with an endpoint that names no region


def session_of(
    credentials: Credentials, region: str, answer: Callable[[Request], Answer]
) -> boto3.Session:
    """A session that reads no configuration of this machine and reaches only hosts of AWS."""
    core: Any = botocore.session.Session()
    core.register_component("data_loader", LOADER)
    for file in "config_file", "credentials_file":
        core.set_config_variable(file, os.devnull)
    core.register("before-send", through(in_reach(answer)))
    session = boto3.Session(
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret,
        aws_session_token=credentials.token or None,
        region_name=region,
        botocore_session=core,
    )
    LOADER.search_paths.pop()  # boto3 adds one with each session, and no client needs it
    return session


def in_reach(answer: Callable[[Request], Answer]) -> Callable[[Request], Answer]:
    """`answer`, for the endpoints that AWS has.

    It raises Unreachable for any other host: the name of one in no region does not resolve.
    """

    def checked(request: Request) -> Answer:
        service, *labels = request.host.split(".")
        if not (regions().intersection(labels) or service in ANYWHERE):
            raise Unreachable
        return answer(request)

    return checked


@cache
def regions() -> frozenset[str]:
    """All hosts of AWS in botocore's data, in every partition."""
    known = botocore.session.get_session()
    partitions = known.get_available_partitions()
    return frozenset(
        region for name in partitions for region in known.get_available_regions("sts", name)
    )
