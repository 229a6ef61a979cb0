"""What is in deploy/ names things that exist, and the simulation of the queue is right."""

from __future__ import annotations

import http.server
import json
import math
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
import yaml

from benchmarks.queue_simulation import (
    Crowd,
    Picture,
    arrivals,
    main,
    quantile,
    simulate,
    uniforms,
)
from scripts.studio_requirements import ONLY_TO_DRAW, read, requirements
from tests.cog_server import until
from text2art.cli.main import app
from text2art.studio.config import PREFIX, StudioConfig
from text2art.studio.worker.cog import addresses

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
COGS = [name for name in SERVICES if name.startswith("cog-")]
STUDIO = {"MODE": "public", "PUBLIC_URL": "https://studio.example.org", "ADMIN_KEY": "k" * 40}


def parsed(words: list[str]) -> dict[str, Any]:
    """Parse a command line of text2art as the program does; give the options of `studio`."""
    command: Any = typer.main.get_command(app)
    with command.make_context("text2art", list(words)) as context:
        name, found, rest = command.resolve_command(
            context, [*context._protected_args, *context.args]
        )
        assert name == "studio"
        with found.make_context(name, rest, parent=context) as inner:
            assert not [*inner._protected_args, *inner.args], "no word is left over"
            return {key: value for key, value in inner.params.items() if value is not None}


def test_a_misspelled_option_is_noticed() -> None:
    with pytest.raises(Exception, match="--prot"):
        parsed(["studio", "--prot", "1"])


# ---- compose -----------------------------------------------------------------------------------


def test_compose_runs_a_studio_that_can_be_configured_so() -> None:
    options = parsed(SERVICES["studio"]["command"])
    environ = {
        name: STUDIO.get(name.removeprefix(PREFIX), value if "$" not in value else "")
        for name, value in SERVICES["studio"]["environment"].items()
    }
    options.pop("access_log")
    config = StudioConfig.load(environ=environ, **options)
    assert config.mode == "public"
    kind, _, rest = config.runner.partition("=")
    assert kind == "cog"
    assert addresses(rest) == [f"http://{name}:5000" for name in COGS]
    assert config.database_url == "postgresql://studio@database/studio"
    gateway = COMPOSE["networks"]["outside"]["ipam"]["config"][0]["gateway"]
    assert config.trusted_proxies == gateway


@pytest.mark.parametrize("file", ["docker-compose.yml", "text2art-studio.service", "Dockerfile"])
def test_every_setting_that_is_named_exists(file: str) -> None:
    named = set(re.findall(rf"{PREFIX}([A-Z_]+)", (DEPLOY / file).read_text()))
    assert named <= {name.upper() for name in StudioConfig.model_fields}
    assert file != "docker-compose.yml" or len(named) >= 8


def test_every_variable_of_compose_is_in_the_example() -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+)", (DEPLOY / "docker-compose.yml").read_text()))
    listed = set(re.findall(r"^([A-Z_]+)=", (DEPLOY / ".env.example").read_text(), re.MULTILINE))
    assert asked == listed


def test_compose_publishes_the_studios_port_alone_on_loopback() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"studio"}
    assert SERVICES["studio"]["ports"] == ["127.0.0.1:8000:8000"]
    for name, service in SERVICES.items():
        inside = {
            net for net in service["networks"] if (COMPOSE["networks"][net] or {}).get("internal")
        }
        assert name == "studio" or inside == set(service["networks"]), "no way out"


def test_compose_names_what_it_declares() -> None:
    for service in SERVICES.values():
        assert set(service["networks"]) <= set(COMPOSE["networks"])
        assert {v.partition(":")[0] for v in service.get("volumes", [])} <= set(COMPOSE["volumes"])
        assert set(service.get("depends_on", {})) <= set(SERVICES)
    assert not {"docker-compose.yml", "Dockerfile"} - {path.name for path in DEPLOY.iterdir()}
    build = SERVICES["studio"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()


def test_secrets_stay_out_of_git_and_of_images() -> None:
    assert ".env" in (DEPLOY / ".gitignore").read_text().split()
    assert "deploy" in (ROOT / ".dockerignore").read_text().split()
    kept = (DEPLOY / "Dockerfile.dockerignore").read_text().split("\n")
    assert kept[1] == "*"
    assert not any(".env" in line for line in kept if not line.startswith("#"))
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", (DEPLOY / "Dockerfile").read_text(), re.M):
        for word in line.split():
            assert (ROOT / word).exists()
            assert any(entry.startswith(f"!{word}") for entry in kept)


@contextmanager
def container(state: str) -> Iterator[tuple[str, list[str]]]:
    """Stand in for Cog's server in some state; give its address and what it was asked."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"GET {self.path}")
            self._answer({"status": state})

        def do_POST(self) -> None:
            asked.append(f"POST {self.path}")
            self._answer({})

        def _answer(self, body: dict[str, str]) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("state", "healthy", "ended"),
    [
        ("READY", True, False),
        ("BUSY", True, False),
        ("STARTING", False, False),
        ("UNHEALTHY", False, True),
        ("SETUP_FAILED", False, True),
        ("DEFUNCT", False, True),
    ],
)
def test_the_health_check_reads_the_state_and_ends_what_is_dead(
    state: str, healthy: bool, ended: bool
) -> None:
    kind, _, flag, code = SERVICES[COGS[0]]["healthcheck"]["test"]
    assert (kind, flag) == ("CMD", "-c")
    with container(state) as (address, asked):
        code = code.replace("http://127.0.0.1:5000", address)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode == 0) is healthy
    assert done.stdout.strip() == state
    assert asked == ["GET /health-check", *(["POST /shutdown"] if ended else [])]


# ---- the image without torch -------------------------------------------------------------------


def test_the_image_has_what_the_studio_needs_and_not_torch() -> None:
    project = read(ROOT / "pyproject.toml")
    found = requirements(project)
    names = {re.split(r"[\[<>=;]", text)[0] for text in found}
    assert {"fastapi", "procrastinate", "pydantic", "uvicorn", "sqlalchemy"} <= names
    assert not names & {*ONLY_TO_DRAW, "text2art"}
    declared = {re.split(r"[\[<>=;]", text)[0] for text in project["dependencies"]}
    assert declared >= ONLY_TO_DRAW, "what is left out is what the package asks for"


BLOCKER = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ModuleNotFoundError(f"absent: {{name}}", name=name)

sys.meta_path.insert(0, Absent())
"""


def answers(client: httpx.Client) -> bool:
    """Whether the server is there by now."""
    try:
        return client.get("/health").status_code == 200
    except httpx.TransportError:
        return False


def test_the_web_process_serves_without_what_the_image_leaves_out(tmp_path: Path) -> None:
    absent = {name.replace("-torch", "").replace("-", "_") for name in ONLY_TO_DRAW}
    absent |= {"cog", "coglet", "timm", "kornia"}
    (tmp_path / "sitecustomize.py").write_text(BLOCKER.format(names=sorted(absent)))
    words = [sys.executable, "-m", "text2art.cli", "studio", "--port", "0", "--data", "data"]
    with container("BUSY") as (address, asked):
        process = subprocess.Popen(
            [*words, "--runner", f"cog={address}"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            with httpx.Client(base_url=process.stdout.readline().split()[-1]) as client:
                until(lambda: answers(client), "the page")
                until(lambda: "GET /health-check" in asked, "a look at the container")
                made = client.post("/api/v1/jobs", json={"prompts": "a boat", "drawer": "pixel"})
                assert made.status_code == 202, made.text
                for path in ("/", "/health", "/api/v1/settings", "/api/v1/styles", "/docs"):
                    assert client.get(path).status_code == 200
        finally:
            process.terminate()
            process.communicate(timeout=60)
    assert process.returncode == 0


# ---- systemd -----------------------------------------------------------------------------------


def unit() -> list[tuple[str, str]]:
    """Read the unit's lines."""
    lines = (DEPLOY / "text2art-studio.service").read_text().splitlines()
    pairs = [line.partition("=") for line in lines if line and line[0] not in "#["]
    return [(name, value) for name, _, value in pairs]


def test_the_unit_starts_a_real_command_line() -> None:
    [command] = [value for name, value in unit() if name == "ExecStart"]
    program, *words = shlex.split(command)
    assert Path(program).name == "text2art"
    options = parsed(words)
    options.pop("access_log")
    config = StudioConfig.load(environ={}, **options)
    [state] = [value for name, value in unit() if name == "StateDirectory"]
    assert config.data == Path("/var/lib", state), "the one folder that the unit may write to"
    assert config.host == "127.0.0.1"


def test_the_unit_is_hardened() -> None:
    said = dict(unit())
    for name in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "ProtectKernelModules"):
        assert said[name] == "yes"
    assert said["ProtectSystem"] == "strict"
    assert said["CapabilityBoundingSet"] == ""
    assert said["User"] not in ("", "root")
    # Either would keep torch from a GPU, or from compiling.
    assert not {"PrivateDevices", "MemoryDenyWriteExecute"} & set(said)


# ---- the simulation ----------------------------------------------------------------------------


def crowd(count: int, gap: float, seconds: float, owners: int) -> list[Picture]:
    """Make pictures with exponential gaps and times."""
    gaps, times, whose = uniforms(3, "gaps"), uniforms(3, "times"), uniforms(3, "owners")
    now, found = 0.0, []
    for _ in range(count):
        now -= gap * math.log(next(gaps))
        found.append(Picture(now, int(next(whose) * owners), -seconds * math.log(next(times))))
    return found


def erlang_wait(workers: int, gap: float, seconds: float) -> float:
    """Return the mean wait in an M/M/c queue (Erlang 1917)."""
    load = seconds / gap
    last = load**workers / math.factorial(workers) * workers / (workers - load)
    waiting = last / (sum(load**n / math.factorial(n) for n in range(workers)) + last)
    return waiting * seconds / (workers - load)


@pytest.mark.parametrize("owners", [1, 50, 10**9])
@pytest.mark.parametrize(("workers", "load"), [(1, 0.5), (1, 0.7), (3, 2.1)])
def test_the_mean_wait_is_that_of_queueing_theory(workers: int, load: float, owners: int) -> None:
    # Whose turn it is changes who waits and not how long on average, as it heeds no drawing times.
    outcome = simulate(crowd(60_000, gap=10.0, seconds=10 * load, owners=owners), workers)
    mean = sum(outcome.waits) / len(outcome.waits)
    assert mean == pytest.approx(erlang_wait(workers, 10.0, 10 * load), rel=0.06)


def test_one_worker_has_the_textbook_wait() -> None:
    assert erlang_wait(1, 10.0, 5.0) == pytest.approx(0.5 / (1 / 5 - 1 / 10))  # rho / (mu - lambda)


def test_a_case_that_can_be_followed_by_hand() -> None:
    ann, bob = 1, 2
    handed_in = [Picture(0, ann, 10), Picture(0, ann, 10), Picture(1, ann, 10), Picture(2, bob, 10)]
    outcome = simulate(handed_in, 1)
    assert outcome.waits == [0, 20, 29, 8], "bob comes second, though last to ask"
    assert outcome.longest == 3
    assert simulate(handed_in, 4).waits == [0, 0, 0, 0]
    assert simulate(handed_in, 4).longest == 0


def test_nobody_starts_before_their_picture_is_handed_in() -> None:
    """Also when several workers have been free for a while, and several pictures come at once."""
    handed_in = [Picture(50, 1, 10), Picture(100, 2, 10), Picture(100, 2, 10), Picture(100, 2, 10)]
    assert simulate(handed_in, 2).waits == [0, 0, 0, 10]
    crowd = arrivals(Crowd(users=300), days=1, seed=3)
    assert min(simulate(crowd, 4).waits) == 0


def test_a_crowd_is_as_asked() -> None:
    asked = Crowd(users=5000, pictures=3, seconds=20, spread=0.5, swing=0.8, peak=18)
    pictures = arrivals(asked, days=2, seed=1)
    assert arrivals(asked, days=2, seed=1) == pictures
    assert arrivals(asked, days=2, seed=2) != pictures
    assert pictures == sorted(pictures, key=lambda picture: picture.handed_in)
    assert len({picture.owner for picture in pictures}) == 10_000
    assert len(pictures) == pytest.approx(30_000, rel=0.03)
    seconds = [picture.seconds for picture in pictures]
    assert sum(seconds) / len(seconds) == pytest.approx(20, rel=0.02)
    hours = [int(picture.handed_in % 86_400 // 3600) for picture in pictures]
    busy, quiet = hours.count(17) + hours.count(18), hours.count(5) + hours.count(6)
    assert busy / quiet == pytest.approx(1.8 / 0.2, rel=0.3)


def test_quantiles() -> None:
    assert [quantile([1, 2, 3, 4], share) for share in (0.0, 0.5, 0.51, 1.0)] == [1, 2, 3, 4]


def test_the_table_is_the_one_of_the_documentation(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--workers", "16-17"])
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| 1")]
    assert len(rows) == 2
    page = (ROOT / "docs" / "studio.md").read_text()
    assert all(row in page for row in rows)


@pytest.mark.parametrize("words", [["--workers", "0"], ["--users", "-1"], ["--pictures", "0.5"]])
def test_senseless_arguments_are_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
