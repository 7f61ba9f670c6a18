"""A service on the simulated AWS: its scripts, and what can be seen of it there."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.support.process_checkout import TOOL, Done, ProcessCheckout
from tests.support.rendering import Render
from tests.support.settings import Value, change

Json = dict[str, Any]

TOOLS = "bash", "git"  # beside what the simulation brings
PATIENCE = 120  # seconds, for what takes a few
UNREADABLE = (
    *("unbound variable", "syntax error", "command not found", "jq: error", ": line "),
    *("Traceback (most recent call last):\n  File", "SimulationAtALoss"),
)


@dataclass
class StoryService(ProcessCheckout):
    """It finds no tools but those that its scripts may use, and a terminal can interrupt it."""

    environment: dict[str, str] = field(default_factory=dict)  # beside what the simulation needs
    process: subprocess.Popen[str] | None = None  # the script that runs, or ran last
    served: str = ""  # the commit that answered before something was run

    def __post_init__(self) -> None:
        super().__post_init__()
        self.bin = self.folder / "bin"
        self.bin.mkdir()
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found, f"{tool} is missing: install it"
            (self.bin / tool).symlink_to(found)
        for program in (self.aws.scripts.folder / "bin").iterdir():
            (self.bin / program.name).symlink_to(program.resolve())

    def copy(self, folder: Path) -> "StoryService":
        """Another clone, in which somebody else works."""
        return StoryService(self.aws, Render(self.service, {}), folder)

    # --- what its owner changes ---

    def set(self, name: str, value: Value) -> None:
        """A setting, such as "tasks.min". It is not committed, unless `release` does it."""
        change(self.service, name, value)

    def release(self, note: str = "") -> str:
        """Commit something new to deploy."""
        self.write("NOTES.md", f"{note}\nAfter {self.head}.\n")
        self.commit(note or "Release")
        return self.head

    def document(self, name: str) -> Json:
        found: Json = Render(self.service, {}).json(name)
        return found

    def lacks(self, *tools: str) -> None:
        for tool in tools:
            (self.bin / tool).unlink()

    # --- its scripts ---

    def deploy(self, *, principal: str = "", **more: str) -> Done:
        return self.tool("deploy", principal=principal, **more)

    def tool(self, *words: str, principal: str = "", **more: str) -> Done:
        """A command of the tool, in a process of its own."""
        return self.run(*TOOL, *words, principal=principal, **more)

    def rollback(self, *words: str) -> Done:
        return self.tool("rollback", *words)

    def status(self) -> Done:
        return self.tool("status")

    def wait_until_stable(self) -> Done:
        """By the real command alone, but that it looks again at once, not after 15 s."""
        awscli = find_spec("awscli.botocore")
        assert awscli, "aws is missing: uv sync"
        assert awscli.origin
        (model,) = Path(awscli.origin).with_name("data").glob("ecs/*/waiters-2.json")
        waiters = json.loads(model.read_text())
        waiters["waiters"]["ServicesStable"]["delay"] = 0
        models = self.folder / "models"
        ours = models / "ecs" / model.parent.name / model.name
        ours.parent.mkdir(parents=True)
        ours.write_text(json.dumps(waiters))
        where = "--cluster", self.settings.names.cluster
        which = "--services", self.settings.names.service
        aws = os.fspath(Path(sys.executable).with_name("aws"))
        command = aws, "ecs", "wait", "services-stable", *where, *which
        return self.run(*command, AWS_DATA_PATH=os.fspath(models))

    def run(self, *words: str, principal: str = "", typing: str = "", **more: str) -> Done:
        """A command in the service, by who would run it."""
        before = len(self.aws.calls)
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        given = {name: value for name, value in os.environ.items() if name.startswith("GIT_")}
        given |= self.aws.environment(principal or self.principal(*words))
        given |= {"PATH": str(self.bin), "HOME": str(self.folder), "TMPDIR": str(temporary)}
        given |= self.environment | more
        self.process = subprocess.Popen(
            words,
            cwd=self.service,
            env={name: value for name, value in given.items() if value},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        out, err = self.process.communicate(typing, timeout=PATIENCE)
        done = Done(self.process.returncode, out, err, list(self.aws.calls)[before:])
        left = [path.name for path in temporary.iterdir()]
        assert left == [], f"these temporary files are left: {left}"
        for word in UNREADABLE:
            assert word not in done.text, f"no user wants to read this:\n{done.text}"
        return done

    def principal(self, *words: str) -> str:
        """An administrator provisions; all else is run as GitHub runs it, if its role exists."""
        if {"provision", "destroy"} & set(words):
            return "root"
        roles = self.aws.client("iam").list_roles()["Roles"]
        is_there = any(role["RoleName"] == self.settings.names.deploy_role for role in roles)
        return self.deploy_role if is_there else "root"

    def press_ctrl_c(self) -> None:
        """As a terminal does: every process of the script hears it; the answer comes too late."""
        assert self.process
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(PATIENCE)

    # --- what can be seen of it ---

    @property
    def answers(self) -> str:
        """The commit that its url answers with; empty where none does."""
        stacks = self.aws.client("cloudformation").describe_stacks()["Stacks"]
        outputs = {o["OutputKey"]: o["OutputValue"] for s in stacks for o in s.get("Outputs", [])}
        if "Url" not in outputs:
            return ""
        host = urlsplit(outputs["Url"]).netloc
        connection = http.client.HTTPConnection(self.aws.address)
        connection.request("GET", "/health", headers={"Host": host})
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return str(json.loads(body)["commit"]) if response.status == 200 else ""

    @property
    def is_given_up(self) -> bool:
        """Whether ECS knows by now that the latest rollout has failed."""
        where = self.settings.names.cluster, self.settings.names.service
        there = self.aws.ecs.services.get(where)
        ended = ("STOPPED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL")
        return bool(there and there.history[0]["status"] in ended)

    @property
    def now(self) -> Json:
        """The ECS service, as it was at the last look."""
        where = self.settings.names.cluster, self.settings.names.service
        return self.aws.ecs.services[where].described()

    @property
    def revision(self) -> str:
        """FAMILY:N of what the service is at."""
        return str(self.now["taskDefinition"]).rpartition("/")[2]

    @property
    def revisions(self) -> list[str]:
        """All that were ever registered."""
        arns = self.aws.client("ecs").list_task_definitions()["taskDefinitionArns"]
        return [arn.rpartition("/")[2] for arn in arns]

    @property
    def images(self) -> dict[str, str]:
        """The digest of each tag that was pushed to its repository."""
        ecr = self.aws.client("ecr")
        found = ecr.describe_images(repositoryName=self.settings.names.repository)["imageDetails"]
        return {
            tag: image["imageDigest"]
            for image in found
            for tag in image.get("imageTags", [])
            if not tag.startswith("deployed-")
        }

    @property
    def stack(self) -> str:
        """The state of its stack; empty where there is none."""
        stacks = self.aws.client("cloudformation").describe_stacks()["Stacks"]
        return "".join(s["StackStatus"] for s in stacks)


Play = Callable[[StoryService], object]
