"""The pages of docs/ build into a site, their links lead somewhere on GitHub too, and what follows
from the sources is up to date."""

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from infra.tool.provision.lost import names_of

from scripts.reference import old, rendered
from scripts.settings_page import CHANGES, NAMES, ROLES
from scripts.site import SiteError, with_local_mermaid
from simulator.cloudformation.template_text import load
from tests.support.rendering import ROOT, Render

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def without_code(text: str) -> str:
    """Text without blocks and without quoted code."""
    text = re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]+`", "code", text)


def anchors(page: Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    blocks_gone = re.sub(
        r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    headings = re.findall(r"^#+ (.+)$", blocks_gone, re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower().replace("`", "")).replace(" ", "-")
        for heading in headings
    }


def links(page: Path) -> Iterator[str]:
    """Those to other files of this repository, or within the page."""
    for target in LINK.findall(without_code(page.read_text(encoding="utf-8"))):
        if not re.match(r"https?://", target):
            yield target


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site. Any warning, and any request to the network, is an error."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copy2(ROOT / "zensical.toml", folder)
    shutil.copytree(DOCS, folder / "docs")
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"],
        cwd=folder,
        env=os.environ | nowhere,
        capture_output=True,
        text=True,
    )
    plain = re.sub(r"\x1b\[[0-9;]*m", "", done.stderr + done.stdout)
    assert done.returncode == 0, f"make docs shows it, too\n{plain}"
    return folder / "build" / "site"


def test_the_site_has_every_page(site: Path) -> None:
    assert len(list(site.rglob("index.html"))) == len(PAGES)


def test_a_published_page_loads_its_diagrams_from_the_site(site: Path) -> None:
    [bundle] = site.glob("assets/javascripts/bundle.*.js")
    theme = bundle.read_text(encoding="utf-8")
    assert "unpkg.com/mermaid" in theme, "the theme loads Mermaid from elsewhere: correct CDN"
    assert "unpkg.com/mermaid" not in with_local_mermaid(theme)
    with pytest.raises(SiteError, match="0 times"):
        with_local_mermaid("")


def test_no_page_loads_anything_from_another_site(site: Path) -> None:
    loading = re.compile(
        r"<(?:script|img|iframe|source)[^>]*\ssrc=\"?(?:https?:)?//|@import|url\(\"?//"
    )
    sheet = re.compile(
        r"<link[^>]*rel=\"?(?:stylesheet|preload|preconnect)[^>]*href=\"?(?:https?:)?//"
    )
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not loading.search(text), f"{page.relative_to(site)}: {loading.search(text)}"
        assert not sheet.search(text), f"{page.relative_to(site)}: {sheet.search(text)}"


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "zensical.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    listed = re.findall(r"'([^']+\.md)'", str(project["nav"]))
    assert sorted(listed) == sorted(page.relative_to(DOCS).as_posix() for page in PAGES), (
        "nav in zensical.toml: each page once"
    )


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=name_of)
def test_every_link_has_a_target(page: Path) -> None:
    for target in links(page):
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), f"{name_of(page)}: there is no {target}"
        assert not anchor or anchor in anchors(path), f"{name_of(page)}: {target}: no such heading"
        is_in_docs = DOCS in path.parents or page == ROOT / "README.md"
        assert is_in_docs, f"{name_of(page)}: {target} is not on the site: name the file instead"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_has_no_markdown_that_github_shows_as_text(page: Path) -> None:
    text = without_code(page.read_text(encoding="utf-8"))
    assert not re.findall(r"^(?:!!!|\?\?\?|===|:::).*|\{[:.#][^}]*\}", text, re.MULTILINE)


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=name_of)
def test_no_sequence_diagram_has_a_semicolon(page: Path) -> None:
    """It ends a statement of Mermaid, and then nothing is drawn."""
    blocks = re.findall(
        r"^```mermaid\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert not [each for each in blocks if each.startswith("sequenceDiagram") and ";" in each]


def test_generated_pages_are_up_to_date(example: Render) -> None:
    names = [name_of(path) for path in old(rendered(example.path))]
    assert names == [], "run: make reference, read the difference, commit"


def test_the_settings_that_cannot_change_are_those_that_provisioning_refuses(
    example: Render,
) -> None:
    kept = {name.setting: name.is_role for name in names_of(example.settings(), {})}
    del kept["[service] name"]
    told = {
        f"[names] {key}": text == ROLES
        for key, text in CHANGES["names"].items()
        if text in (NAMES, ROLES) and key != "*"
    }
    others = {
        f"[names] {key}": False
        for key in type(example.settings().names).model_fields
        if key not in CHANGES["names"]
    }
    assert told | others == kept, "CHANGES in scripts/settings_page.py"


def times_of(service: Path) -> dict[str, str]:
    """The numbers in docs/explanation/task-replacement.md, read from the files of a service."""
    [container] = json.loads((service / "infra" / "task-definition.json").read_text("utf-8"))[
        "containerDefinitions"
    ]
    document = json.loads((service / "infra" / "service.json").read_text("utf-8"))
    percent = document["deploymentConfiguration"]
    resources = load((service / "infra" / "stack.yml").read_text("utf-8"))["Resources"]
    group = resources["TargetGroup"]["Properties"]
    attributes = {
        each["Key"]: each["Value"]
        for each in (
            *group["TargetGroupAttributes"],
            *resources["LoadBalancer"]["Properties"]["LoadBalancerAttributes"],
        )
        if "Key" in each  # others depend on a setting
    }
    gunicorn = runpy.run_path(str(service / "gunicorn.conf.py"))
    return {
        "tasks during a deployment": f"{percent['minimumHealthyPercent']} % to "
        f"{percent['maximumPercent']} %",
        "start period": f"{container['healthCheck']['startPeriod']} s",
        "grace period": f"{document['healthCheckGracePeriodSeconds']} s",
        "health checks before the first request": f"{group['HealthyThresholdCount']}, "
        f"{group['HealthCheckIntervalSeconds']} s apart",
        "deregistration delay": f"{attributes['deregistration_delay.timeout_seconds']} s",
        "idle timeout of the load balancer": f"{attributes['idle_timeout.timeout_seconds']} s",
        "keep-alive of the server": f"{gunicorn['keepalive']} s",
        "graceful timeout": f"{gunicorn['graceful_timeout']} s",
        "stop timeout": f"{container['stopTimeout']} s",
    }


def test_the_times_of_a_replacement_are_those_of_a_service(example: Render) -> None:
    page = DOCS / "explanation" / "task-replacement.md"
    times = re.findall(r"^- \*\*(.+)\*\*: (.+?) \(`", page.read_text("utf-8"), re.MULTILINE)
    assert dict(times) == times_of(example.path), f"{name_of(page)}: its list, and its picture"


def test_every_test_and_file_that_a_page_names_exists(example: Render) -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for name in re.findall(r"`((?:tests|scripts|simulator|docs)/[\w./-]+)`", text):
            places = (ROOT / name, example.path / name)
            is_created = f"Create `{name}`:" in text  # by a recipe
            assert is_created or any(place.exists() for place in places), (
                f"{name_of(page)}: there is no {name}"
            )


def test_make_has_every_documented_target() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in (ROOT / "README.md", *PAGES):
        told = set(re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text("utf-8"), re.MULTILINE))
        assert told <= targets, f"{name_of(page)}: make has no {told - targets}"
