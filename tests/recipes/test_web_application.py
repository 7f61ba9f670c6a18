"""The recipe of a web application, used in a real browser."""

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest
import trustme
from playwright.sync_api import Browser, Page

from tests.recipes.service import Recipes, RecipeService
from tests.service.servers import PATIENCE, Server
from tests.support.browser import complaints, launched
from tests.support.rendering import ROOT

pytestmark = pytest.mark.recipe

PICTURE = ROOT / "docs" / "pictures" / "web-application.png"
LARGEST = 40_000  # bytes of the picture


@pytest.fixture(scope="module")
def service(recipes: Recipes) -> RecipeService:
    return recipes.service("web-application", "example")


@pytest.fixture(scope="module")
def server(service: RecipeService) -> Iterator[Server]:
    with service.serving() as server:
        server.port()
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a browser that has no cookies and no cache yet."""
    context = browser.new_context(
        viewport={"width": 640, "height": 560}, color_scheme="light", ignore_https_errors=True
    )
    context.set_default_timeout(PATIENCE * 1000)
    yield context.new_page()
    context.close()


def url(server: Server, path: str = "/") -> str:
    return f"http://127.0.0.1:{server.port()}{path}"


def enter(page: Page, words: int) -> None:
    page.fill("#text", "word " * words)
    page.click("text=Estimate")
    page.wait_for_selector(f"li:has-text('{words} words')")


def test_the_form_works_in_a_browser_without_console_messages(server: Server, page: Page) -> None:
    said = complaints(page)
    page.goto(url(server))
    page.fill("#text", "one two three")
    assert page.inner_text("#count") == "3 words", "the script runs"
    assert page.evaluate("getComputedStyle(document.querySelector('main')).maxWidth") == "608px"
    enter(page, 221)
    enter(page, 500)
    assert page.locator("li").all_inner_texts() == ["500 words: 3 min", "221 words: 2 min"]
    page.reload()  # does not send the form again
    assert page.locator("li").count() == 2
    if os.environ.get("REGENERATE"):
        page.screenshot(path=PICTURE)
    page.click("text=Forget them")
    page.wait_for_function("!document.querySelector('li')")
    assert said == [], "no error and no violation of the policy in the console"


def test_the_picture_of_the_page_is_small() -> None:
    assert PICTURE.is_file(), "REGENERATE=yes makes it, in the test above"
    assert PICTURE.stat().st_size < LARGEST


def test_scripts_that_the_policy_does_not_allow_do_not_run(server: Server, page: Page) -> None:
    said = complaints(page)
    page.goto(url(server))
    page.evaluate("""() => {
        const script = document.createElement("script");
        script.textContent = "window.ran = true";
        document.head.append(script);
        document.body.setAttribute("style", "margin: 99px");
    }""")
    assert page.evaluate("window.ran") is None
    assert page.evaluate("getComputedStyle(document.body).marginLeft") != "99px"
    assert len([each for each in said if "Content Security Policy" in each]) == 2, said


@contextmanager
def attacking(action: str) -> Iterator[int]:
    """A site whose page sends a form to another one at once: its port."""
    form = (
        f'<form method="post" action="{action}"></form><script>document.forms[0].submit()</script>'
    )

    class Attacker(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(form.encode())

        def log_message(self, *_: object) -> None:
            pass

    attacker = ThreadingHTTPServer(("127.0.0.1", 0), Attacker)
    thread = threading.Thread(target=attacker.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield int(attacker.server_address[1])
    finally:
        attacker.shutdown()
        thread.join()
        attacker.server_close()


# Another port of the same host is the same site: the browser sends the cookies along.
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_form_of_another_site_changes_nothing(server: Server, page: Page, host: str) -> None:
    page.goto(url(server))
    enter(page, 300)
    with attacking(url(server, "/forget")) as port:
        with page.expect_response(url(server, "/forget")) as refused:
            page.goto(f"http://{host}:{port}/")
        assert refused.value.status == 403
        page.wait_for_selector("h1:has-text('Forbidden')")
    page.goto(url(server))
    assert page.locator("li").count() == 1, "the session is not changed"


def test_static_files_are_fetched_once(service: RecipeService, page: Page) -> None:
    with service.serving() as server:
        for _ in range(3):
            page.goto(url(server))
            page.wait_for_load_state("networkidle")
        fetched = Counter(
            line["path"] for line in server.lines() if line.get("path", "").startswith("/static/")
        )
    assert fetched, "the page has a style"
    assert set(fetched.values()) == {1}, "the browser has them, and does not even ask again"


@pytest.mark.parametrize(("path", "status"), [("/missing", 404), ("/static/style.css", 404)])
def test_an_error_is_a_page_for_a_browser_and_json_for_others(
    server: Server, page: Page, path: str, status: int
) -> None:
    answer = page.goto(url(server, path))
    assert answer
    assert answer.status == status
    assert page.inner_text("h1") == "Not Found"
    page.click("a")
    page.wait_for_selector("#text")
    data = httpx2.get(url(server, path), timeout=PATIENCE)
    assert (data.status_code, data.json()) == (status, {"detail": "Not Found"})


def test_cookies_of_http_work_without_https(server: Server, page: Page) -> None:
    page.goto(url(server))
    enter(page, 300)
    [cookie] = page.context.cookies()
    assert (cookie["name"], cookie["secure"]) == ("session", False)
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")


def test_cookies_of_https_stay_with_https(
    service: RecipeService, page: Page, tmp_path: Path
) -> None:
    certificate = trustme.CA().issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "pem")
    pem = str(tmp_path / "pem")
    with service.serving("--certfile", pem, "--keyfile", pem) as server:
        answer = page.goto(url(server).replace("http:", "https:"))
        assert answer
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        enter(page, 300)
        [cookie] = page.context.cookies()
    assert (cookie["name"], cookie["secure"]) == ("__Host-session", True)
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")


def test_every_worker_accepts_the_sessions_of_the_others(recipes: Recipes) -> None:
    two_workers = recipes.service("web-application", "other")
    with two_workers.serving() as server, httpx2.Client(timeout=PATIENCE) as client:
        client.headers["connection"] = "close"  # so that each request may reach another worker
        for number in range(1, 13):
            client.post(url(server, "/estimate"), data={"text": "word"}, follow_redirects=True)
            seen = client.get(url(server)).text.count("<li>")
            assert seen == min(number, 5)
