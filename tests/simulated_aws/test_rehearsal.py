"""The scripts of a rendered service, as they are, against the simulated AWS: all of it fits."""

import shutil
from pathlib import Path

import pytest
from rendering import Render

from simulated_aws.rehearsal import Rehearsal
from simulated_aws.rollouts import Crashes
from simulated_aws.simulation import SimulatedAws


@pytest.mark.slow
def test_a_service_is_provisioned_deployed_and_rolled_back(
    aws: SimulatedAws, example: Render, tmp_path: Path
) -> None:
    rehearsal = Rehearsal(aws, example, tmp_path)
    rehearsal.provision().ends(0, "next      infra/deploy-manual.sh")

    first = rehearsal.deploy()
    first.ends(0, f"serving ai-assistant {rehearsal.head[:7]} as ai-assistant-task:1 at http://")
    assert {call.principal for call in first.calls if call.principal} == {
        "arn:aws:sts::123456789012:assumed-role/ai-assistant-us-east-1-github-actions/test"
    }

    rehearsal.new_commit()
    aws.next_rollout(Crashes(exit_code=3, says=("no such table: users",)))
    rehearsal.deploy(cli=2).ends(
        1,
        "exit code 3",
        "no such table: users",
        "ai-assistant-task:2 did not come up and was rolled back to ai-assistant-task:1",
    )


@pytest.mark.slow
def test_a_real_engine_pushes_a_real_image(example: Render, tmp_path: Path) -> None:
    """The one thing that the recorded docker cannot show: that docker itself can talk to it."""
    assert shutil.which("docker"), "no docker: apt-get install docker.io, and start it"
    with SimulatedAws(docker="real") as aws:
        rehearsal = Rehearsal(aws, example, tmp_path)
        # An image of nothing but this: no base image can be pulled everywhere.
        lines = "FROM scratch", "COPY uv.lock /", "ARG COMMIT", "ENV COMMIT=$COMMIT"
        rehearsal.write("Dockerfile", "\n".join(lines))
        rehearsal.commit("Build from nothing")
        rehearsal.provision().ends(0)
        rehearsal.deploy().ends(0, f"serving ai-assistant {rehearsal.head[:7]}")
        done = rehearsal.run("sh", "-c", 'curl -s "$URL/health"', URL=rehearsal.url)
        done.ends(0, f'"commit": "{rehearsal.head}"')
