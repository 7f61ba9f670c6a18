"""The image and the server of a fresh render, compared with others, in interleaved rounds.

    make benchmark OPTIONS="[--rounds N] [--builds N] [--write]"

The others are in benchmarks/subjects: the guide that the template grew from, with its syntax fixed,
and the Dockerfiles of the documentation of FastAPI and of uv. The guide names no dependencies and
is measured twice: with the minimum and the tools of a repository, and with `fastapi[standard]`,
which includes uvloop and httptools, without tools. All have the same endpoints, and run in a
container of 0.25 vCPU and 512 MB. Needs root on Linux, a container engine (`make benchmark` starts
one if none answers) and the load generator hey (apt-get install hey). Prints Markdown, which
--write puts into docs/performance.md. Before each measurement it checks how much of the machine's
CPU other programs take; if that is too much, it marks the figures as doubtful.
"""

import argparse
import csv
import gzip
import io
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, os.fspath(Path(__file__).resolve().parents[1]))  # it is run as a file

from benchmarks import page

ROOT = Path(__file__).resolve().parents[1]
SUBJECTS = ROOT / "benchmarks" / "subjects"
UV = os.environ.get("UV", "uv")  # `uv run` sets it, because its uv may not be on PATH

REQUESTS, CONNECTIONS = 6000, 16
BODY = json.dumps({"text": "word " * 100})
CHECKS = 10

# The line of app/main.py that makes a log line of each request.
LOG = "app.add_middleware(RequestLog)\n"

# Asks for /health until the answer is 200, and prints when that was.
WAIT = """
import http.client, sys, time
while True:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=60)
        connection.request("GET", "/health")
        if connection.getresponse().status == 200:
            break
    except OSError:
        time.sleep(0.002)
print(time.monotonic())
"""

# Sends requests without their last byte, waits until the port is closed, and sends the last bytes.
# Meanwhile as many other clients keep sending until a connection is refused, half of them over one
# connection. Prints how many of the first requests have no answer 200, and how many of the others.
LOST = """
import http.client, socket, sys, time
from concurrent.futures import ThreadPoolExecutor
port, body, count = int(sys.argv[1]), sys.argv[2].encode(), int(sys.argv[3])
def connect():
    return http.client.HTTPConnection("127.0.0.1", port, timeout=60)
def begin(connection):
    connection.putrequest("POST", "/reading-time")
    connection.putheader("content-type", "application/json")
    connection.putheader("content-length", str(len(body)))
    connection.endheaders(body[:-1])
def lost(connection, begun=True):
    try:
        if not begun:
            begin(connection)
        connection.send(body[-1:])
        answer = connection.getresponse()
        answer.read()
        return answer.status != 200
    except OSError:
        connection.close()
        return True
def go_on(keep):
    unanswered, connection = 0, connect()
    while True:
        try:
            if not connection.sock:
                connection.connect()
        except OSError:
            return unanswered
        unanswered += lost(connection, begun=False)
        if not keep:
            connection.close()
with ThreadPoolExecutor(count) as others:
    going = [others.submit(go_on, number % 2) for number in range(count)]
    connections = [connect() for _ in range(count)]
    for connection in connections:
        begin(connection)
    time.sleep(1)
    print("in flight", flush=True)
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 60).close()
        except OSError:
            break
        time.sleep(0.05)
    print(sum(map(lost, connections)), sum(other.result() for other in going))
"""

Samples = dict[str, list[float]]  # measurements by the name of the row


def run(*words: str | Path) -> str:
    """The output of a command. A failure ends the benchmark with the output."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def remove(*words: str) -> None:
    """Remove a container or an image. Errors are ignored, so that an earlier one is reported."""
    subprocess.run(["docker", *words], capture_output=True, check=False)


def inspect(thing: str, field: str) -> str:
    """A field of an image or a container."""
    return run("docker", "inspect", f"--format={{{{{field}}}}}", thing)


@dataclass(frozen=True)
class Subject:
    """An image, and how it is run."""

    name: str
    folder: Path
    port: int
    health_check: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    command: tuple[str, ...] = ()

    @property
    def image(self) -> str:
        return f"benchmark/{self.folder.name}"

    def build(self, *options: str) -> float:
        """Build the image instead of the one before; return how many seconds that took."""
        before = run("docker", "images", "--quiet", self.image)
        begin = time.monotonic()
        run("docker", "build", "-q", "--network=host", f"--tag={self.image}", *options, self.folder)
        seconds = time.monotonic() - begin
        if before and before != run("docker", "images", "--quiet", self.image):
            run("docker", "rmi", before)
        return seconds

    def edit(self, comment: str) -> None:
        with (self.folder / "app" / "main.py").open("a") as main:
            main.write(f"# {comment}\n")


def standard(project: Path) -> None:
    """Make fastapi[standard] of the guide's dependencies, and leave the tools out."""
    dependencies, tools, _ = project.read_text().partition("\n[dependency-groups]")
    assert tools, "say above where the tools begin"
    project.write_text(dependencies.replace("fastapi>=", "fastapi[standard]>="))


def subjects(scratch: Path) -> dict[str, Subject]:
    """A folder to build for each subject, with the same endpoints in it."""
    ours = scratch / "ours"
    words = "--quiet", "--defaults", "--vcs-ref=HEAD", f"--data-file={ROOT}/example-answers.yml"
    run(Path(sys.executable).parent / "copier", "copy", *words, ROOT, ours)
    run(UV, "lock", "--quiet", "--project", ours)
    (task,) = json.loads((ours / "infra" / "task-definition.json").read_text())[
        "containerDefinitions"
    ]
    health_check = tuple(task["healthCheck"]["command"][1:])

    quiet = shutil.copytree(ours, scratch / "quiet")
    main = (quiet / "app" / "main.py").read_text()
    assert LOG in main, "say above how the log of requests is turned off"
    (quiet / "app" / "main.py").write_text(main.replace(LOG, ""))

    for name in "guide", "guide-standard", "fastapi-docs", "uv-docs":
        folder = shutil.copytree(SUBJECTS / name.removesuffix("-standard"), scratch / name)
        if name == "guide-standard":
            standard(folder / "pyproject.toml")
        (folder / "app").mkdir()
        (folder / "app" / "__init__.py").touch()
        shutil.copy(SUBJECTS / "main.py", folder / "app")
        if (folder / "pyproject.toml").exists():
            run(UV, "lock", "--quiet", "--project", folder)

    # As its task definition says: read-only, and so on. The others say nothing.
    safe = "--read-only", "--cap-drop=ALL", "--init"
    curl = "sh", "-c", "curl -fs http://localhost:80/health >/dev/null || exit 1"
    mounted = (f"--volume={SUBJECTS}:/bare:ro",)
    server = [
        "uvicorn",
        "--app-dir=/bare",
        "--host=0.0.0.0",
        "--port=8080",
        "--no-access-log",
        "bare:app",
    ]
    return {
        subject.name: subject
        for subject in (
            Subject("ours", ours, 8080, health_check, safe),
            Subject("ours, log off", quiet, 8080, (), safe),
            Subject("guide", scratch / "guide", 80, curl),
            Subject("guide, standard", scratch / "guide-standard", 80, curl),
            Subject("FastAPI docs", scratch / "fastapi-docs", 80),
            Subject("uv docs", scratch / "uv-docs", 8000),
            Subject("bare ASGI", ours, 8080, ("true",), mounted, tuple(server)),
        )
    }


def layers(image: str) -> list[str]:
    found: list[str] = json.loads(
        run("docker", "inspect", "--format={{json .RootFS.Layers}}", image)
    )
    return found


class Registry:
    """The layers that a registry would have, with their compressed sizes."""

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}

    def push(self, image: str) -> int:
        """The bytes of the image's layers that were never pushed before."""
        new = [digest for digest in layers(image) if digest not in self.sizes]
        if new:
            self.read(image)
        return sum(self.sizes[digest] for digest in new)

    def size(self, image: str) -> int:
        return sum(self.sizes[digest] for digest in layers(image))

    def read(self, image: str) -> None:
        with tempfile.TemporaryFile() as saved:
            subprocess.run(["docker", "save", image], stdout=saved, check=True)
            saved.seek(0)
            with tarfile.open(fileobj=saved) as archive:
                manifest = archive.extractfile("manifest.json")
                assert manifest
                names = json.load(manifest)[0]["Layers"]
                for digest, name in zip(layers(image), names, strict=True):
                    layer = archive.extractfile(name)
                    assert layer
                    if digest not in self.sizes:
                        self.sizes[digest] = len(gzip.compress(layer.read(), 6, mtime=0))


class Network:
    """A network of its own, where subjects are started one after another and asked from outside."""

    def __init__(self, image: str) -> None:
        self.id = run("docker", "run", "--detach", "--network=none", "--init", image, "sleep", "1d")
        pid = inspect(self.id, ".State.Pid")
        self.enter = "nsenter", f"--net=/proc/{pid}/ns/net"

    def python(self, script: str, *words: str) -> "subprocess.Popen[str]":
        command = [*self.enter, sys.executable, "-c", script, *words]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def create(self, subject: Subject) -> str:
        options = "--cpus=0.25", "--memory=512m", f"--network=container:{self.id}", *subject.options
        return run("docker", "create", *options, subject.image, *subject.command)

    def close(self) -> None:
        remove("rm", "--force", self.id)


def cgroup(container: str, controller: str, file: str) -> str:
    """A file of the container's control group, of version 1 or 2."""
    pid = inspect(container, ".State.Pid")
    groups = dict(
        line.split(":", 2)[1:] for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    )
    for names, group in groups.items():
        if controller in names.split(","):
            return Path(f"/sys/fs/cgroup/{controller}{group}/{file}").read_text()
    return Path(f"/sys/fs/cgroup{groups['']}/{file}").read_text()


def cpu(container: str) -> float:
    """The CPU that a container has used so far, in milliseconds."""
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        statistics = dict(line.split() for line in cgroup(container, "", "cpu.stat").splitlines())
        return int(statistics["usage_usec"]) / 1e3
    return int(cgroup(container, "cpuacct", "cpuacct.usage")) / 1e6


def anonymous(container: str) -> float:
    """The anonymous memory of a container, in MB."""
    found = dict(line.split() for line in cgroup(container, "memory", "memory.stat").splitlines())
    return int(found["anon"] if "anon" in found else found["total_rss"]) / 1e6


def pss(container: str) -> float:
    """The PSS of its processes, in MB: memory with file pages, each divided by its users."""
    processes = cgroup(container, "memory", "cgroup.procs").split()
    rollups = "".join(Path(f"/proc/{each}/smaps_rollup").read_text() for each in processes)
    return sum(map(int, re.findall(r"^Pss: +(\d+) kB", rollups, re.M))) * 1024 / 1e6


def keep_memory(container: str, when: str, samples: Samples) -> None:
    samples[f"memory {when}, anonymous"].append(anonymous(container))
    samples[f"memory {when}, PSS"].append(pss(container))


def serve(network: Network, subject: Subject, samples: Samples) -> None:
    """Start a subject, load it, check it and stop it, and keep what each of these took."""
    container = network.create(subject)
    try:
        waiting = network.python(WAIT, str(subject.port))
        time.sleep(0.2)
        begin = time.monotonic()
        run("docker", "start", container)
        ready, _ = waiting.communicate()
        samples["cold start"].append(float(ready) - begin)
        samples["CPU of the start"].append(cpu(container))
        keep_memory(container, "idle", samples)

        load(network, subject, 500)
        begin, used = time.monotonic(), cpu(container)
        times = load(network, subject, REQUESTS)
        samples["CPU per request"].append((cpu(container) - used) / REQUESTS)
        samples["requests per second"].append(REQUESTS / (time.monotonic() - begin))
        samples["p50"].append(times[len(times) // 2] * 1000)
        samples["p99"].append(times[len(times) * 99 // 100] * 1000)
        keep_memory(container, "loaded", samples)

        if subject.health_check:
            used = cpu(container)
            for _ in range(CHECKS):
                run("docker", "exec", container, *subject.health_check)
            samples["health check"].append((cpu(container) - used) / CHECKS)

        clients = network.python(LOST, str(subject.port), BODY, str(CONNECTIONS))
        assert clients.stdout
        clients.stdout.readline()
        run("docker", "stop", "--time=45", container)
        lost, closed = map(float, clients.communicate()[0].split())
        samples["requests in flight lost at a stop"].append(lost)
        samples["requests sent as it closes, unanswered"].append(closed)
    finally:
        remove("rm", "--force", container)


def load(network: Network, subject: Subject, requests: int) -> list[float]:
    """Send requests and return how many seconds each took, the shortest first."""
    words = "-n", str(requests), "-c", str(CONNECTIONS), "-o", "csv", "-m", "POST", "-d", BODY
    url = f"http://127.0.0.1:{subject.port}/reading-time"
    said = run(*network.enter, "hey", *words, "-T", "application/json", url)
    answers = list(csv.DictReader(io.StringIO(said)))
    wrong = [answer for answer in answers if answer["status-code"] != "200"]
    if wrong or len(answers) < requests - CONNECTIONS:
        sys.exit(f"{subject.name}: {len(answers)} of {requests} answered, {len(wrong)} with no 200")
    return sorted(float(answer["response-time"]) for answer in answers)


def interpreter(network: Network, subject: Subject, samples: Samples) -> None:
    """How long the image takes to start and end a Python that does nothing."""
    container = network.create(replace(subject, command=("python", "-c", "pass")))
    try:
        begin = time.monotonic()
        run("docker", "start", "--attach", container)
        samples["cold start"].append(time.monotonic() - begin)
    finally:
        remove("rm", "--force", container)


def build(subject: Subject, samples: Samples) -> None:
    """Build a subject as on a fresh machine, edit its code, and build it again here and there."""
    registry = Registry()
    run("docker", "builder", "prune", "--force", "--filter=type=exec.cachemount")
    samples["cold build"].append(subject.build("--no-cache"))
    registry.push(subject.image)
    samples["image"].append(int(inspect(subject.image, ".Size")) / 1e6)
    samples["compressed image"].append(registry.size(subject.image) / 1e6)

    subject.edit(f"edited at {time.time_ns()}")
    samples["build after an edit"].append(subject.build())
    kept = registry.push(subject.image)
    samples["pushed after an edit"].append(kept / 1e3)

    subject.edit(f"edited at {time.time_ns()}")
    for path in subject.folder.rglob("*"):
        os.utime(path)  # as a checkout leaves them
    subject.build("--no-cache")
    samples["pushed after an edit, from a fresh machine"].append(registry.push(subject.image) / 1e3)


# The name of a row, its unit, and the number of decimals.
ROWS = {
    "image": ("MB", 0),
    "compressed image": ("MB", 1),
    "pushed after an edit": ("kB", 1),
    "pushed after an edit, from a fresh machine": ("kB", 1),
    "cold build": ("s", 1),
    "build after an edit": ("s", 2),
    "cold start": ("s", 2),
    "CPU of the start": ("ms", 0),
    "memory idle, anonymous": ("MB", 1),
    "memory idle, PSS": ("MB", 1),
    "memory loaded, anonymous": ("MB", 1),
    "memory loaded, PSS": ("MB", 1),
    "requests per second": ("", 0),
    "CPU per request": ("ms", 3),
    "p50": ("ms", 1),
    "p99": ("ms", 1),
    "health check": ("ms of CPU", 1),
    "requests in flight lost at a stop": ("", 0),
    "requests sent as it closes, unanswered": ("", 0),
}
COLUMNS = "ours", "ours, log off", "guide", "guide, standard", "FastAPI docs", "uv docs"
GUIDES = "guide", "guide, standard"  # what ours is compared with


def ratios(samples: dict[str, Samples], row: str, subject: str, other: str) -> list[float]:
    pairs = zip(samples[subject][row], samples[other][row], strict=True)
    return [own / others for own, others in pairs if others]


def table(samples: dict[str, Samples]) -> Iterator[str]:
    columns = [*COLUMNS, *(f"ours to {guide}" for guide in GUIDES)]
    yield f"| | {' | '.join(columns)} |"
    yield f"| --- |{' ---: |' * len(columns)}"
    for row, (unit, digits) in ROWS.items():
        cells = [
            f"{statistics.median(values):,.{digits}f}" if (values := samples[name][row]) else ""
            for name in COLUMNS
        ]
        compared = [ratios(samples, row, "ours", guide) for guide in GUIDES]
        cells += [page.spread(values, 2) if values else "" for values in compared]
        yield f"| {row}{unit and f', {unit}'} | {' | '.join(cells)} |"
    quiet = [ratios(samples, "CPU per request", "ours, log off", guide) for guide in GUIDES]
    cells = ["" for _ in COLUMNS] + [page.spread(values, 2) for values in quiet]
    yield f"| CPU per request, neither with a log | {' | '.join(cells)} |"


def picture(samples: dict[str, Samples]) -> Iterator[str]:
    """The ratios to the guide's as bars; the line is the guide's own."""
    measured = (row for row, (unit, _) in ROWS.items() if unit)  # less of it is better; not counted
    rows = [row for row in measured if ratios(samples, row, "ours", "guide")]
    bars = [statistics.median(ratios(samples, row, "ours", "guide")) for row in rows]
    yield "```mermaid"
    yield "xychart-beta horizontal"
    yield "  title \"ours to the guide's: less is better, and the line is the guide's\""
    yield f"  x-axis [{', '.join(json.dumps(row) for row in rows)}]"
    yield f"  y-axis 0 --> {max(1.2, *bars):.1f}"
    yield f"  bar [{', '.join(f'{bar:.3f}' for bar in bars)}]"
    yield f"  line [{', '.join('1' for _ in bars)}]"
    yield "```"


def limits(samples: dict[str, Samples], code: int) -> Iterator[str]:
    """Lower limits, and the distance of our figures from them."""
    edit = statistics.median(samples["ours"]["pushed after an edit, from a fresh machine"])
    yield "| | limit | ours | times the limit |"
    yield "| --- | ---: | ---: | ---: |"
    yield (
        "| pushed after an edit, kB: the files of the code in a gzipped tar archive "
        f"| {code / 1e3:.1f} | {edit:.1f} | {edit * 1e3 / code:.2f} |"
    )
    for row, subject, what in (
        ("cold start", "python -c pass", "`python -c pass` in the same image"),
        ("cold start", "bare ASGI", "an ASGI app without a framework, on uvicorn alone"),
        ("CPU per request", "bare ASGI", "the same answer from that app"),
        ("memory idle, anonymous", "bare ASGI", "that app"),
        ("memory idle, PSS", "bare ASGI", "that app"),
        ("health check", "bare ASGI", "`true`, run the same way"),
    ):
        unit, digits = ROWS[row]
        limit, own = (statistics.median(samples[name][row]) for name in (subject, "ours"))
        times = page.spread(ratios(samples, row, "ours", subject), 2)
        yield f"| {row}, {unit}: {what} | {limit:.{digits}f} | {own:.{digits}f} | {times} |"


def code_size(subject: Subject) -> int:
    """The code and its bytecode as a gzipped tar archive: all that an edit can change."""
    with tempfile.TemporaryDirectory() as folder:
        container = run("docker", "create", subject.image)
        try:
            for name in "app", "gunicorn.conf.py", "__pycache__":
                run("docker", "cp", f"{container}:/srv/{name}", folder)
        finally:
            remove("rm", container)
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for path in sorted(Path(folder).rglob("*")):
                if path.is_file():
                    tar.add(path, f"srv/{path.relative_to(folder)}")
    return len(gzip.compress(archive.getvalue(), 6, mtime=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="of the server (7)")
    parser.add_argument("--builds", type=int, default=3, help="rounds of the image (3)")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    wanted = parser.parse_args()
    if missing := [tool for tool in ("docker", "hey", "nsenter") if not shutil.which(tool)]:
        sys.exit(
            f"not on PATH: {', '.join(missing)}; the first lines of this file say how to get it"
        )

    os.environ["DOCKER_BUILDKIT"] = "1"
    samples: dict[str, Samples] = defaultdict(lambda: defaultdict(list))
    others: list[float] = []
    with tempfile.TemporaryDirectory() as scratch:
        every = subjects(Path(scratch))
        built = [subject for name, subject in every.items() if name in COLUMNS]
        try:
            for _ in range(wanted.builds):
                for subject in random.sample(built, len(built)):
                    build(subject, samples[subject.name])
            code = code_size(every["ours"])
            stand_in = "stand-in" in inspect(every["ours"].image, ".Config.Labels")
            with closing(Network(every["ours"].image)) as network:
                for _ in range(wanted.rounds):
                    for subject in random.sample(list(every.values()), len(every)):
                        others.append(page.others())
                        serve(network, subject, samples[subject.name])
                    interpreter(network, every["ours"], samples["python -c pass"])
        finally:
            for subject in built:
                remove("rmi", subject.image)

    rounds = f"Medians of {wanted.builds} builds and {wanted.rounds} rounds of the server"
    base = "stand-ins for the base images" if stand_in else "the official base images"
    text = "\n".join(
        [
            f"{rounds}, on {base}; ratios with their spread. Made by {page.provenance()}. "
            f"{page.judge(others)}",
            "",
            *table(samples),
            "",
            *picture(samples),
            "",
            *limits(samples, code),
        ]
    )
    print(text)
    if wanted.write:
        page.write("runtime", text)


if __name__ == "__main__":
    main()
