"""The AWS CLI, which checks a command as ever, but asks nothing: an answer of the right shape comes
instead.

    python tests/recipes/aws_cli.py ecs describe-clusters --query "clusters[0].clusterName"

Its own way to do this, `--generate-cli-skeleton output`, refuses some of the answers that it makes.
"""

import re
import sys
from typing import Any

from awscli.clidriver import create_clidriver
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.utils import ArgumentGenerator
from botocore.waiter import Waiter

OF_MORE_PAGES = re.compile(r"(?i)marker|token")


def answer(model: Any, **_: Any) -> tuple[AWSResponse, dict[str, Any]]:
    """The only page of an answer, with each member once."""
    shape = model.output_shape
    made = ArgumentGenerator(use_member_names=True).generate_skeleton(shape) if shape else {}
    page = {name: value for name, value in made.items() if not OF_MORE_PAGES.search(name)}
    return AWSResponse("", 200, HTTPHeaders(), None), {**page, "ResponseMetadata": {}}


def wait_once(waiter: Any, **parameters: Any) -> None:
    waiter._operation_method(**parameters)


if __name__ == "__main__":
    Waiter.wait = wait_once  # type: ignore[assignment, method-assign]
    driver = create_clidriver()
    driver.session.register("before-call", answer)
    sys.exit(driver.main(sys.argv[1:]))
