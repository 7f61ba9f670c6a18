"""Edits that an owner can make in a service, before or after an update.

The result must be the same in both orders. `is_present` reads the meaning of the files, not their
layout.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import yaml

from tests.support.settings import change
from tests.update.edits import append, block, edit_json, insert, replace
from tests.update.history import Owned

TASK = "infra/task-definition.json"
POLICY = "ops/iam-policy-github-actions.json"
SERVICE = "infra/service.json"
STACK = "infra/stack.yml"
WORKFLOWS = Path(".github/workflows")


class OwnerEdit:
    answers: ClassVar[Mapping[str, object]] = {}  # that differ from those of the example

    def apply(self, service: Owned) -> None:
        """Change files."""
        raise NotImplementedError

    def is_present(self, service: Owned) -> bool:
        """Whether all parts of the edit are present, each in its place."""
        raise NotImplementedError

    def __str__(self) -> str:
        return re.sub(r"(?<!^)(?=[A-Z])", " ", type(self).__name__).lower()


def run(service: Owned, *command: str | Path) -> str:
    """Run a tool in the service: one of this suite, or uv."""
    uv = Path(os.environ.get("UV") or shutil.which("uv") or "uv").parent
    tools = f"{Path(sys.executable).parent}{os.pathsep}{uv}{os.pathsep}{os.environ['PATH']}"
    program = shutil.which(command[0], path=tools) or command[0]
    done = subprocess.run(
        [program, *command[1:]],
        cwd=service.path,
        env={k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"} | {"PATH": tools},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def python_project(service: Owned) -> Any:
    return tomllib.loads(service.text("pyproject.toml"))


def loaded(service: Owned, name: str | Path) -> Any:
    """A YAML file. A tag of CloudFormation is read as its value."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda _loader, _tag, node: node.value)
    return yaml.load(service.text(os.fspath(name)), Loader)


def container(service: Owned, suffix: str) -> Any:
    containers = service.json(TASK)["containerDefinitions"]
    [found] = [each for each in containers if each["name"].endswith(suffix)] or [{}]
    return found


def statement(service: Owned, sid: str) -> Any:
    statements = service.json(POLICY)["Statement"]
    [found] = [each for each in statements if each["Sid"] == sid] or [{}]
    return found


class AddsDependencies(OwnerEdit):
    """By `uv add`, as uv's documentation says."""

    def apply(self, service: Owned) -> None:
        run(service, "uv", "add", "--quiet", "--frozen", "anyio>=4,<5", "pydantic>=2,<3")
        run(service, "uv", "add", "--quiet", "--frozen", "--dev", "iniconfig>=2,<3")

    def is_present(self, service: Owned) -> bool:
        project = python_project(service)
        added = {"anyio>=4,<5", "pydantic>=2,<3"}
        return added <= set(project["project"]["dependencies"]) and (
            "iniconfig>=2,<3" in project["dependency-groups"]["dev"]
        )


class SortsDependenciesIn(OwnerEdit):
    """By hand, in alphabetical order, beside the template's own."""

    def apply(self, service: Owned) -> None:
        insert(service.path / "pyproject.toml", '  "fastapi', '"click>=8,<9",\n')
        insert(service.path / "pyproject.toml", '  "shellcheck', '"pluggy>=1,<2",\n')

    def is_present(self, service: Owned) -> bool:
        project = python_project(service)
        return (
            "click>=8,<9" in project["project"]["dependencies"]
            and "pluggy>=1,<2" in project["dependency-groups"]["dev"]
        )


class WritesTheApp(OwnerEdit):
    """Replaces the example app, in the file that is made once and in a new one beside it."""

    def apply(self, service: Owned) -> None:
        main, tests = service.path / "app" / "main.py", service.path / "tests" / "test_main.py"
        replace(main, r"^class Article(.|\n)*?(?=^@app.get)", "")
        replace(main, r"^@app.post(.|\n)*?(?=^# The middleware)", "")
        replace(tests, r"^@pytest.mark(.|\n)*", "")
        insert(
            main,
            "# The middleware added last",
            """
            @app.get("/orders/{number}")
            async def order(number: int) -> Order:
                \"\"\"Say how an order stands.\"\"\"
                return find(number)


            """,
        )
        insert(main, "from app.logs", "from app.orders import Order, find\n")
        (service.path / "app" / "orders.py").write_text(
            '"""Orders, until there is a database."""\n\n'
            "from pydantic import BaseModel\n\n\n"
            "class Order(BaseModel):\n"
            "    number: int\n"
            "    paid: bool = False\n\n\n"
            "def find(number: int) -> Order:\n"
            "    return Order(number=number)\n"
        )
        append(
            tests,
            """
            def test_an_order_is_found() -> None:
                assert client.get("/orders/7").json() == {"number": 7, "paid": False}
            """,
        )
        for name in main, tests:
            run(service, "ruff", "check", "--quiet", "--fix", "--no-cache", name)
            run(service, "ruff", "format", "--quiet", "--no-cache", name)

    def is_present(self, service: Owned) -> bool:
        """Whether the route answers is tested by the test that the edit adds."""
        main, tests = service.text("app/main.py"), service.text("tests/test_main.py")
        return (
            "reading-time" not in main + tests
            and '\n\n@app.get("/orders/{number}")\nasync def order(' in main
            and "\nfrom app.orders import Order, find\n" in main
            and "def test_an_order_is_found" in tests
        )


class TurnsKnobs(OwnerEdit):
    """Changes settings of every kind."""

    def apply(self, service: Owned) -> None:
        change(service.path, "permissions.tracing", "xray")
        change(service.path, "permissions.s3_read_buckets", ["orders", "invoices"])
        change(service.path, "logs.retention_days", 90)
        change(service.path, "deploy.timeout_seconds", 900)
        change(service.path, "github.environment", "live")
        change(service.path, "deploy.test_secrets.API_KEY", "a-key-of-the-tests")

    def is_present(self, service: Owned) -> bool:
        found = tomllib.loads(service.text("infra/settings.toml"))
        mine: dict[str, dict[str, Any]] = {
            "permissions": {"tracing": "xray", "s3_read_buckets": ["orders", "invoices"]},
            "logs": {"retention_days": 90},
            "deploy": {
                "timeout_seconds": 900,
                "test_secrets": {"API_KEY": "a-key-of-the-tests"},
            },
            "github": {"environment": "live"},
        }
        return all(keys.items() <= found[section].items() for section, keys in mine.items())


class BuildsMoreIntoTheImage(OwnerEdit):
    """A Debian package, a build step and a variable."""

    def apply(self, service: Owned) -> None:
        dockerfile = service.path / "Dockerfile"
        insert(dockerfile, "COPY gunicorn.conf.py", "COPY models /code/srv/models\n")
        insert(
            dockerfile,
            "COPY --from=build /stdlib/",
            """
            RUN apt-get update \\
                && apt-get install --yes --no-install-recommends libmagic1=1:5.* \\
                && rm -rf /var/lib/apt/lists/*
            """,
        )
        insert(dockerfile, "USER 10001", "ENV MODELS=/srv/models\n")

    def is_present(self, service: Owned) -> bool:
        stages = re.split(r"^FROM ", service.text("Dockerfile"), flags=re.MULTILINE)
        build, last = stages[-2], stages[-1]
        return (
            "COPY models /code/srv/models\n" in build
            and "install --yes --no-install-recommends libmagic1" in last
            and "\nENV MODELS=/srv/models\nUSER " in last
        )


class FillsTheContainer(OwnerEdit):
    """An environment variable, a secret, and another stop timeout."""

    secret: ClassVar = {
        "name": "STRIPE_KEY",
        "valueFrom": "arn:aws:ssm:us-east-1:1:parameter/stripe",
    }

    def apply(self, service: Owned) -> None:
        def change(task: Any) -> None:
            app = task["containerDefinitions"][0]
            app["environment"].append({"name": "CURRENCY", "value": "EUR"})
            app["secrets"].append(self.secret)
            app["stopTimeout"] = 60

        edit_json(service.path / TASK, change)

    def is_present(self, service: Owned) -> bool:
        app = container(service, "-container")
        return (
            {"name": "CURRENCY", "value": "EUR"} in app["environment"]
            and app["secrets"] == [self.secret]
            and app["stopTimeout"] == 60
        )


class AddsASidecar(OwnerEdit):
    """A second container, with an environment and a log like the first one."""

    def apply(self, service: Owned) -> None:
        def change(task: Any) -> None:
            log = task["containerDefinitions"][0]["logConfiguration"]
            sidecar = {
                "name": "collector",
                "image": "my-company/collector:1.4",
                "essential": False,
                "environment": [{"name": "LEVEL", "value": "warn"}],
                "secrets": [],
                "user": "10002:10002",
                "logConfiguration": log,
            }
            task["containerDefinitions"].append(sidecar)

        edit_json(service.path / TASK, change)

    def is_present(self, service: Owned) -> bool:
        app, sidecar = container(service, "-container"), container(service, "collector")
        environment, log = sidecar.get("environment"), sidecar.get("logConfiguration")
        mine = [{"name": "LEVEL", "value": "warn"}]
        return bool(environment == mine and log == app["logConfiguration"])


class WidensThePolicy(OwnerEdit):
    """An action and a condition in statements of the template, and a new statement."""

    mine: ClassVar = {
        "Sid": "ReadTheModels",
        "Effect": "Allow",
        "Action": ["s3:GetObject"],
        "Resource": ["arn:aws:s3:::my-company-models/*"],
    }

    def apply(self, service: Owned) -> None:
        def change(policy: Any) -> None:
            named = {statement["Sid"]: statement for statement in policy["Statement"]}
            named["PushImages"]["Action"].append("ecr:BatchDeleteImage")
            named["ReadTheLog"]["Action"].append("logs:DescribeLogStreams")
            named["ActWithoutResources"]["Action"].append("ecs:ListTaskDefinitions")
            named["RegisterRevisions"]["Condition"] = {"Bool": {"aws:SecureTransport": "true"}}
            policy["Statement"].append(self.mine)

        edit_json(service.path / POLICY, change)

    def is_present(self, service: Owned) -> bool:
        return (
            statement(service, "PushImages")["Action"][-1] == "ecr:BatchDeleteImage"
            and statement(service, "ReadTheLog")["Action"][-1] == "logs:DescribeLogStreams"
            and statement(service, "ActWithoutResources")["Action"][-1] == "ecs:ListTaskDefinitions"
            and "Bool" in statement(service, "RegisterRevisions").get("Condition", {})
            and statement(service, "ReadTheModels") == self.mine
        )


class GrowsTheStack(OwnerEdit):
    """A parameter, a resource and an output at the end of each, and a number in the middle."""

    def apply(self, service: Owned) -> None:
        path = service.path / STACK
        insert(path, "Rules:", "QueueName:\n  Type: String\n  Default: orders\n\n", margin=2)
        orders = """
            Orders:
              Type: AWS::SQS::Queue
              Properties:
                QueueName: !Ref QueueName

            """
        replace(path, r"\n\n(?=(#.*\n)*Outputs:$)", "\n\n" + block(orders, 2))
        replace(path, r"(?<=HealthyThresholdCount: )2$", "4")
        append(path, "QueueUrl:\n  Value: !Ref Orders\n", margin=2)

    def is_present(self, service: Owned) -> bool:
        stack = loaded(service, STACK)
        return bool(
            stack["Parameters"].get("QueueName") == {"Type": "String", "Default": "orders"}
            and stack["Resources"].get("Orders", {}).get("Type") == "AWS::SQS::Queue"
            and stack["Resources"]["TargetGroup"]["Properties"]["HealthyThresholdCount"] == 4
            and stack["Outputs"].get("QueueUrl") == {"Value": "Orders"}
        )


class ExtendsTheWorkflows(OwnerEdit):
    """A job at the end of CI, a step in the middle of it, and a step after the deploy."""

    def apply(self, service: Owned) -> None:
        ci = service.path / WORKFLOWS / "ci.yml"
        insert(
            ci,
            "      - name: Test",
            "- name: Check the orders\n  run: uv run pytest tests/test_main.py\n\n",
        )
        append(
            ci,
            """

            links:
              name: Links
              needs: settings
              runs-on: ubuntu-24.04
              timeout-minutes: 5
              permissions: {}
              steps:
                - name: Ask the website
                  run: curl --fail --silent --output /dev/null https://example.com
            """,
            margin=2,
        )
        append(
            service.path / WORKFLOWS / "deploy-ecs.yml",
            """

            - name: Tell the team
              run: echo "$GITHUB_SHA is out"
            """,
            margin=6,
        )

    def is_present(self, service: Owned) -> bool:
        jobs = loaded(service, WORKFLOWS / "ci.yml")["jobs"]
        checks = [step["name"] for step in jobs["check"]["steps"]]
        deploy = loaded(service, WORKFLOWS / "deploy-ecs.yml")["jobs"]["deploy"]["steps"]
        return (
            jobs.get("links", {}).get("needs") == "settings"
            and checks[-2:] == ["Check the orders", "Test"]
            and deploy[-1]["name"] == "Tell the team"
        )


class ExplainsInTheReadme(OwnerEdit):
    """A section, a row and a sentence among those of the template."""

    def apply(self, service: Owned) -> None:
        readme = service.path / "README.md"
        insert(readme, "## Run it", "## Its purpose\n\nIt says how an order stands.\n\n")
        insert(readme, "| workers and timeouts", "| orders | `app/orders.py` |\n")
        append(readme, "\n\n## Who to ask\n\nThe orders team.\n")

    def is_present(self, service: Owned) -> bool:
        text = service.text("README.md")
        sections = re.findall(r"^## (.+)$", text, re.MULTILINE)
        table = text.partition("## Where to change what")[2].partition("\n## ")[0]
        return (
            sections[0] == "Its purpose"
            and sections[-1] == "Who to ask"
            and "| orders | `app/orders.py` |" in table
        )


class RewritesTheReadme(OwnerEdit):
    """Keeps nothing of the template's text."""

    text: ClassVar = "# Orders\n\nEverything about it is in our wiki.\n\nAsk the orders team.\n"

    def apply(self, service: Owned) -> None:
        (service.path / "README.md").write_text(self.text)

    def is_present(self, service: Owned) -> bool:
        return service.text("README.md") == self.text


class DeletesFiles(OwnerEdit):
    """Deletes files that the owner does not use."""

    unwanted = "AGENTS.md", ".github/dependabot.yml", ".github/workflows/template-update.yml"

    def apply(self, service: Owned) -> None:
        for name in self.unwanted:
            (service.path / name).unlink()

    def is_present(self, service: Owned) -> bool:
        return not any((service.path / name).exists() for name in self.unwanted)


class UsesJq(OwnerEdit):
    """Edits one document with jq, and formats all of them with it."""

    def apply(self, service: Owned) -> None:
        program = '.containerDefinitions[0].environment += [{"name": "LOCALE", "value": "de"}]'
        for name in service.git("ls-files", "*.json").split():
            text = run(service, "jq", program if name == TASK else ".", name)
            (service.path / name).write_text(text)

    def is_present(self, service: Owned) -> bool:
        app = container(service, "-container")
        return bool(app["environment"][-1] == {"name": "LOCALE", "value": "de"})


class FormatsEverything(OwnerEdit):
    """Adds two files, then runs the formatters over the whole service."""

    def apply(self, service: Owned) -> None:
        (service.path / "app" / "prices.py").write_text("PRICES = { 'small':1 ,\n  'large': 2 }\n")
        (service.path / "infra" / "seed.sh").write_text("#!/usr/bin/env bash\necho   seeded\n")
        run(service, "ruff", "check", "--quiet", "--fix", "--no-cache")
        run(service, "ruff", "format", "--quiet", "--no-cache")
        run(service, "shfmt", "--write", ".")

    def is_present(self, service: Owned) -> bool:
        return (service.path / "app" / "prices.py").exists() and (
            service.text("app/prices.py") == 'PRICES = {"small": 1, "large": 2}\n'
            and "\necho seeded\n" in service.text("infra/seed.sh")
        )


class MovesHouse(OwnerEdit):
    """Answers the questions again, with another name, another region and other sizes."""

    answers: ClassVar[Mapping[str, object]] = {
        "app_name": "order-desk",
        "aws_region": "eu-central-1",
        "cpu": 1024,
        "memory": 4096,
        "cpu_architecture": "ARM64",
        "min_tasks": 2,
        "max_tasks": 8,
    }

    def apply(self, service: Owned) -> None:
        """Nothing: the new answers are the whole edit."""

    def is_present(self, service: Owned) -> bool:
        settings = tomllib.loads(service.text("infra/settings.toml"))
        task = service.json(TASK)
        return (
            settings["service"]["name"] == "order-desk"
            and settings["service"]["region"] == "eu-central-1"
            and settings["tasks"]["min"] == "2"
            and settings["tasks"]["max"] == "8"
            and (task["family"], task["cpu"], task["memory"]) == ("order-desk-task", "1024", "4096")
            and task["runtimePlatform"]["cpuArchitecture"] == "ARM64"
        )


class WorksOnWindows(OwnerEdit):
    """Saves files with an editor that ends each line with CR LF."""

    names = ("pyproject.toml", "infra/settings.toml", TASK, "app/main.py", "README.md", SERVICE)

    def apply(self, service: Owned) -> None:
        append(service.path / "pyproject.toml", '\n[tool.orders]\ncurrency = "EUR"\n')
        for name in self.names:
            path = service.path / name
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    def is_present(self, service: Owned) -> bool:
        """Whether the added lines are present, and git stores no CR."""
        stored = service.git("ls-files", "--eol").splitlines()
        return all(line.startswith(("i/lf ", "i/none ")) for line in stored) and (
            python_project(service)["tool"].get("orders") == {"currency": "EUR"}
        )


class AddsLinters(OwnerEdit):
    """A hook at the end, and a ruff rule among the rules."""

    def apply(self, service: Owned) -> None:
        append(
            service.path / ".pre-commit-config.yaml",
            """

            - id: no-prints
              name: no prints
              language: pygrep
              entry: ^ *print\\(
              files: ^app/
            """,
            margin=6,
        )
        insert(service.path / "pyproject.toml", '  "PT",', '"ICN",\n')

    def is_present(self, service: Owned) -> bool:
        [repo] = loaded(service, ".pre-commit-config.yaml")["repos"]
        rules = python_project(service)["tool"]["ruff"]["lint"]["select"]
        return bool(
            repo["hooks"][-1]["id"] == "no-prints" and rules[rules.index("PT") - 1] == "ICN"
        )


class TunesTheServer(OwnerEdit):
    """Timeouts that agree with each other, and another target of the scaling."""

    def apply(self, service: Owned) -> None:
        replace(
            service.path / "gunicorn.conf.py", r"^graceful_timeout = \d+", "graceful_timeout = 20"
        )
        append(service.path / "gunicorn.conf.py", "\n\n\nmax_requests = 10_000\n")

        def change(scaling: Any) -> None:
            configuration = scaling["policies"][0]["TargetTrackingScalingPolicyConfiguration"]
            configuration["TargetValue"] = 45

        edit_json(service.path / "infra" / "autoscaling.json", change)

    def is_present(self, service: Owned) -> bool:
        server = service.text("gunicorn.conf.py")
        policies = service.json("infra/autoscaling.json")["policies"]
        targets = {
            policy["PolicyName"]: policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"]
            for policy in policies
        }
        return (
            "\ngraceful_timeout = 20\n" in server
            and server.endswith("\nmax_requests = 10_000\n")
            and targets["cpu"] == 45
        )


class RaisesPins(OwnerEdit):
    """By hand, or by a bot that also raises actions, images and bounds."""

    checkout: ClassVar = f"actions/checkout@{'7' * 40}  # v77.0.0"

    def apply(self, service: Owned) -> None:
        for path in sorted((service.path / WORKFLOWS).glob("*.yml")):
            pin = r"actions/checkout@[0-9a-f]{40}  # v[\d.]+"
            path.write_text(re.sub(pin, self.checkout, path.read_text()))
        replace(service.path / "Dockerfile", r"(?<=-slim-)trixie", "forky")
        replace(service.path / "pyproject.toml", r'"fastapi>=[\d.]+,<1"', '"fastapi>=0.165,<2"')

    def is_present(self, service: Owned) -> bool:
        workflows = (service.path / WORKFLOWS).glob("*.yml")
        return (
            all(self.checkout in path.read_text() for path in workflows)
            and "-slim-forky" in service.text("Dockerfile")
            and '"fastapi>=0.165,<2"' in service.text("pyproject.toml")
        )


OWNER_EDITS = [edit() for edit in OwnerEdit.__subclasses__()]
