"""The API against its own description: whatever fits or breaks the schema, no answer surprises."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.generation import GenerationMode

from tests.studio.site import Site, ended, site, submitted
from text2art.studio import accounts
from text2art.studio.api.app import create_app
from text2art.studio.config import StudioConfig

load_all_checks()
# Settings depend on each other in more ways than a schema says, and old names are read as well.
_LOOSE = ("positive_data_acceptance", "negative_data_rejection")
_CHECKS: list[Any] = [check for check in CHECKS.get_all() if check.__name__ not in _LOOSE]
_ENDLESS = "/api/v1/events"  # without `after` it is a stream that does not end
_SCHEMA: Any = schemathesis.openapi.from_dict(create_app(StudioConfig()).openapi())
_OPERATIONS: list[Any] = [found.ok() for found in _SCHEMA.get_all_operations()]
_OPERATIONS = [one for one in _OPERATIONS if one.path != _ENDLESS]
_PLAIN = [one.label for one in _OPERATIONS if not (one.body or one.path_parameters or one.query)]
_TRIES: list[tuple[Any, Any]] = [(one, GenerationMode.POSITIVE) for one in _OPERATIONS]
_TRIES += [(one, GenerationMode.NEGATIVE) for one in _OPERATIONS if one.label not in _PLAIN]
EXAMPLES = 30  # of each operation, at length
_NAMES = [f"{one.label} {mode.value}" for one, mode in _TRIES]


def refusals_name_their_field(context: Any, response: Any, case: Any) -> None:
    """Make sure that a refusal for what was asked says where it is wrong: see `errors.Problem`."""
    if response.status_code == 422:
        assert "field" in response.json(), response.text


_CHECKS.append(refusals_name_their_field)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, prepared_file: Path) -> Iterator[Site]:
    """Run a studio of the machine's own user, who may do everything."""
    with opened(tmp_path_factory.mktemp("site"), prepared_file) as one:
        yield one


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory, prepared_file: Path) -> Iterator[Site]:
    """Run a studio for strangers: browsers with sessions, and programs with keys."""
    plenty = {"requests_per_minute": 100_000, "reads_per_minute": 100_000}
    with opened(tmp_path_factory.mktemp("public"), prepared_file, mode="public", **plenty) as one:
        yield one


@contextlib.contextmanager
def opened(data: Path, prepared_file: Path, **config: Any) -> Iterator[Site]:
    (data / "studio.db").write_bytes(prepared_file.read_bytes())
    caps = {"queued_per_owner": 1000}
    with site(data, f"sqlite:///{data / 'studio.db'}", workers=1, caps=caps, **config) as one:
        yield one


def try_out(
    running: Site, operation: Any, mode: Any, job: str | None, examples: int, **headers: str
) -> None:
    """Send what Schemathesis makes up; in every other request the job is one that is there."""
    real = [False]

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def answers(case: Any) -> None:
        real[0] = not real[0]
        if job is not None and real[0] and "job_id" in (case.path_parameters or {}):
            case.path_parameters["job_id"] = job
        case.call_and_validate(base_url=running.url, checks=_CHECKS, timeout=30, headers=headers)

    answers()


@pytest.fixture(scope="module")
def drawn() -> list[str]:
    """Keep the last job that was drawn to try things out on."""
    return []


def job_of(running: Site, drawn: list[str]) -> str:
    """Return a job that is done, another one where the last was deleted or drawn on."""
    running.studio.resume()  # pausing is among what is tried
    with running.client() as client:
        for job in drawn[-1:]:
            found = client.get(f"/api/v1/jobs/{job}")
            if found.status_code == 200 and found.json()["state"] == "done":
                return job
        drawn.append(str(ended(client, submitted(client, iterations=1))["id"]))
    return drawn[-1]


@pytest.mark.parametrize(("operation", "mode"), _TRIES, ids=_NAMES)
def test_answers_are_as_described(
    running: Site, operation: Any, mode: Any, drawn: list[str]
) -> None:
    job = job_of(running, drawn) if "{job_id}" in operation.path else None
    try_out(running, operation, mode, job, 4)


@pytest.mark.slow
@pytest.mark.parametrize("who", ["local", "session", "key"])
@pytest.mark.parametrize(("operation", "mode"), _TRIES, ids=_NAMES)
def test_they_are_at_length(
    running: Site, public: Site, operation: Any, mode: Any, who: str
) -> None:
    site, headers = running if who == "local" else public, {}
    if who == "key":
        headers["Authorization"] = f"Bearer {accounts.add_key(public.studio.engine, 'tests')[1]}"
    site.studio.resume()
    with site.client(**headers) as client:
        drawn = ended(client, submitted(client, iterations=1, public=True))["id"]
    try_out(site, operation, mode, str(drawn), EXAMPLES, **headers)
