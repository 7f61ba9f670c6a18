"""The format of a recipe page, and the errors for a page that cannot be applied."""

import json
import subprocess
from itertools import permutations
from pathlib import Path

import pytest

from tests.recipes import aws_commands
from tests.recipes.scheduling import recipe_of
from tests.recipes.service import FOLDER, PAGES, steps_of
from tests.support.installed_service import InstalledService
from tests.support.recipe_page import AwsStep, Change, Create, RecipeError, RunStep, parse
from tests.support.recipe_steps import apply
from tests.support.rendering import ROOT, Render

PAGE = """\
# Orders

Create `app/orders.py`:

```python
ORDERS = [1]
```

Change `app/main.py`:

```diff
 one
-two
+2
 three
```

Run:

```sh
uv add "orders>=1,<2"    # a comment
echo one \\
  two
```

Run against AWS:

```sh
aws ecs list-clusters
```

It prints:

```json
{}
```
"""


@pytest.fixture
def service(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").write_text("zero\none\ntwo\nthree\n")
    return tmp_path


def run(text: str, service: Path) -> None:
    """Apply the steps of a page to a service."""
    apply(
        parse("orders.md", text),
        service,
        lambda command: subprocess.run(
            ["bash", "-c", command], cwd=service, capture_output=True, text=True, check=False
        ),
    )


def failure(text: str, service: Path) -> str:
    with pytest.raises(RecipeError) as caught:
        run(text, service)
    return str(caught.value)


def edit(diff: str, file: str = "app/main.py") -> str:
    return f"Change `{file}`:\n\n```diff\n{diff}\n```\n"


def test_a_page_is_read_as_its_steps() -> None:
    create, change, commands, against_aws = parse("orders.md", PAGE)
    assert isinstance(create, Create)
    assert (str(create.place), create.file) == ("orders.md:6", "app/orders.py")
    assert create.text == "ORDERS = [1]\n"
    assert isinstance(change, Change)
    assert (change.old, change.new) == (("one", "two", "three"), ("one", "2", "three"))
    assert isinstance(commands, RunStep)
    assert commands.commands == ('uv add "orders>=1,<2"', "echo one two")
    assert isinstance(against_aws, AwsStep)


def test_steps_create_change_and_run(service: Path) -> None:
    run(PAGE.replace('uv add "orders>=1,<2"', "cp app/orders.py copy.py"), service)
    assert (service / "app" / "main.py").read_text() == "zero\none\n2\nthree\n"
    assert (service / "copy.py").read_text() == "ORDERS = [1]\n"


WRONG_PAGES = {
    "a block of code without an instruction": (
        "Look:\n\n```python\nx = 1\n```\n",
        ["orders.md:4", "python block is not an instruction", "mark it text"],
    ),
    "text right before an instruction": (
        "Then\nCreate `app/x.py`:\n\n```python\nx = 1\n```\n",
        ["orders.md:5", "not an instruction"],
    ),
    "an instruction without a block": (
        "Create `app/x.py`:\n\nNothing.\n",
        ["orders.md:1", "no block follows"],
    ),
    "a change that is not a diff": (
        "Change `app/main.py`:\n\n```python\nx = 1\n```\n",
        ["orders.md:4", "```diff"],
    ),
    "a command that is not for a shell": ("Run:\n\n```text\nuv sync\n```\n", ["```sh"]),
    "a path outside of the service": (
        "Create `../x.py`:\n\n```python\nx = 1\n```\n",
        ["../x.py", "app/main.py"],
    ),
    "a line of a diff without its first character": (
        edit(" one\ntwo\n+2"),
        ["orders.md:5", "'t'"],
    ),
    "a diff that changes nothing": (edit(" one\n two"), ["orders.md:4", "lines that differ"]),
    "a diff without context": (edit("+one"), ["orders.md:4", "lines that are there"]),
    "a block without an end": ("Run:\n\n```sh\nuv sync\n", ["orders.md:3", "no end"]),
    "an indented block": ("- Run:\n\n  ```sh\n  uv sync\n  ```\n", ["orders.md:3", "first column"]),
}


@pytest.mark.parametrize("name", WRONG_PAGES)
def test_a_wrong_page_is_refused_with_its_line_and_what_to_do(name: str, service: Path) -> None:
    text, says = WRONG_PAGES[name]
    told = failure(text, service)
    assert all(each in told for each in says), told


def test_every_error_of_a_page_is_reported_at_once(service: Path) -> None:
    pages = [WRONG_PAGES[name][0] for name in list(WRONG_PAGES)[:3]]
    assert len(failure("\n".join(pages), service).splitlines()) == 3


WRONG_STEPS = {
    "lines that are not in the file": (
        edit(" one\n-deux\n+2"),
        ["orders.md:4", "app/main.py", "0 times", "'deux'"],
    ),
    "lines that do not follow each other": (
        edit(" one\n-three\n+3"),
        ["orders.md:4", "0 times", "one after the other"],
    ),
    "lines that are there twice": (
        "Run:\n\n```sh\ncat app/main.py app/main.py >app/twice.py\n```\n\n"
        + edit("-two\n+2", "app/twice.py"),
        ["orders.md:10", "app/twice.py", "2 times", "add a line of context"],
    ),
    "a file that does not exist": (
        edit("-two\n+2", "app/lost.py"),
        ["orders.md:4", "app/lost.py", "create it"],
    ),
    "a new file that exists": (
        "Create `app/main.py`:\n\n```python\nx = 1\n```\n",
        ["orders.md:4", "app/main.py exists", "Change `app/main.py`:"],
    ),
    "a command that fails": (
        "Run:\n\n```sh\necho no such package; exit 3\n```\n",
        ["orders.md:4", "exit code 3", "no such package"],
    ),
}


@pytest.mark.parametrize("name", WRONG_STEPS)
def test_a_step_that_cannot_be_carried_out_is_named(name: str, service: Path) -> None:
    text, says = WRONG_STEPS[name]
    told = failure(text, service)
    assert all(each in told for each in says), told


def item(name: str) -> str:
    lines = ['-  "secrets": [],', '+  "secrets": [', "+    {", f'+      "name": "{name}"']
    return edit("\n".join([*lines, "+    }", "+  ],"]), "task.json")


def test_two_recipes_fill_one_empty_list_of_json(service: Path) -> None:
    """Each is written for a service that has no item yet."""
    (service / "task.json").write_text('{\n  "secrets": [],\n  "user": "1"\n}\n')
    run(item("ONE") + "\n" + item("TWO"), service)
    assert (service / "task.json").read_text() == (
        '{\n  "secrets": [\n    {\n      "name": "ONE"\n    },\n'
        '    {\n      "name": "TWO"\n    }\n  ],\n  "user": "1"\n}\n'
    )


def test_a_json_list_that_does_not_exist_is_named(service: Path) -> None:
    (service / "task.json").write_text("{\n}\n")
    assert "0 times" in failure(item("ONE"), service)


WRONG_COMMANDS = {
    "aws ecs run-tasks --task-definition x": "run-tasks",
    "aws ecs run-task --task-definition x --overrides '{\"command\": []}'": "command",
    "aws ecs describe-tasks --tasks x --query tasks[0": "tasks[0",
    "aws ecs describe-tasks --tasks $lost": "lost: unbound variable",
    "aws ssm put-parameter --name x --value file://lost.txt": "lost.txt",
    "task=$(aws ecs run-task --cluster ai-assistant-cluster)": "--task-definition",
    "aws cloudformation describe-stacks --query \"x[?OutputKey=='Lost']\"": "Lost",
    "aws ecs describe-services --cluster other --services ai-assistant-service": "no cluster",
    "aws ecs run-task --task-definition x "
    """--overrides '{"containerOverrides": [{"name": "other"}]}'""": "ai-assistant-container",
    "uv run --frozen -m infra deploys": "deploys",
    "uv run -m infra deploy": "uv run --frozen -m infra ",
    "psql -c 'drop table orders'": "begins with aws",
    "curl 'http://": "unexpected EOF",
}


@pytest.mark.parametrize("command", WRONG_COMMANDS)
def test_a_command_that_cannot_be_typed_is_named(
    command: str, example: Render, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError) as caught:
        aws_commands.check(against_aws(command), example.path, tmp_path / "scratch")
    assert "orders.md:4" in str(caught.value) or "unexpected EOF" in str(caught.value)
    assert WRONG_COMMANDS[command] in str(caught.value)


def against_aws(*commands: str) -> list[AwsStep]:
    text = "\n".join(commands)
    steps = parse("orders.md", f"Run against AWS:\n\n```sh\n{text}\n```\n")
    return [step for step in steps if isinstance(step, AwsStep)]


def test_commands_can_use_the_output_of_earlier_ones(example: Render, tmp_path: Path) -> None:
    """One with the shape of the answer to another: a network, an ARN."""
    where = "--cluster ai-assistant-cluster"
    steps = against_aws(
        f"network=$(aws ecs describe-services {where} --services ai-assistant-service \\",
        '  --query "services[0].networkConfiguration")',
        f"task=$(aws ecs run-task {where} --task-definition x \\",
        '  --network-configuration "$network" \\',
        '  --query "tasks[0].taskArn" --output text)',
        f'aws ecs wait tasks-stopped {where} --tasks "$task"',
    )
    aws_commands.check(steps, example.path, tmp_path / "scratch")


@pytest.mark.parametrize("name", PAGES)
def test_every_command_for_aws_can_be_typed(name: str, example: Render, tmp_path: Path) -> None:
    steps = [step for step in steps_of(name) if isinstance(step, AwsStep)]
    aws_commands.check(steps, example.path, tmp_path / "scratch")


@pytest.mark.parametrize("names", list(permutations(PAGES, 2)), ids="+".join)
def test_two_recipes_can_be_applied_in_any_order(
    names: tuple[str, str], example: Render, tmp_path: Path
) -> None:
    """Apart from their commands: only the pairs of service.py are run."""
    service = InstalledService(example.path).copy(tmp_path / "service").path
    for name in names:
        apply(steps_of(name), service, lambda _: subprocess.CompletedProcess([], 0, "", ""))
    for path in service.rglob("*.json"):
        json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_begins_with_what_it_adds_and_ends_with_what_to_check(name: str) -> None:
    text = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings[:1] == ["## What it adds"], f"{name}.md: a table of files, packages, cost"
    assert headings[-1:] == ["## After the deploy"], f"{name}.md: ends with what to check"
    assert f"({name}.md)" in (FOLDER / "README.md").read_text(encoding="utf-8"), (
        f"docs/recipes/README.md has no row for {name}.md"
    )


ON_ONE_CORE = {
    "tests/recipes/test_recipes.py::test_it_starts[bedrock-example]": "bedrock",
    "tests/recipes/test_recipes.py::test_it_starts[web-application-other]": "web-application",
    "tests/recipes/test_recipes.py::test_it_starts[a+b-c-example]": "a+b-c",
    "tests/recipes/test_web_application.py::test_it_answers[other]": "web-application",
}


@pytest.mark.parametrize("test", ON_ONE_CORE)
def test_all_tests_of_a_recipe_run_on_one_core(test: str) -> None:
    assert recipe_of(test) == ON_ONE_CORE[test]


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_tested_with_a_real_client(name: str) -> None:
    path = ROOT / "tests" / "recipes" / f"test_{name.replace('-', '_')}.py"
    assert path.is_file(), f"{path.relative_to(ROOT)}: start the service and use what it adds"
