"""The studio under load: requests a second, how soon events arrive, jobs a second.

    python -m benchmarks.studio [--database URL] [--clients 16] [--seconds 5] [--jobs 200]

A real server in a process of its own, its jobs drawn by a fake that takes no time, so what is
measured is everything but drawing. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx

_YAML = """
caps: {queued_per_owner: 100000, queued: 100000, batch: 100}
"""


@contextmanager
def serving(database: str, workers: int) -> Iterator[str]:
    """Run a studio; give its address."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "studio.yaml").write_text(_YAML, encoding="utf-8")
        command = [sys.executable, "-m", "text2art.cli", "studio", "--port", "0", "--data", folder]
        command += ["--runner", "fake", "--workers", str(workers)]
        command += ["--database", database] if database else []
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            while True:
                try:
                    httpx.get(f"{url}/health")
                    break
                except httpx.TransportError:
                    time.sleep(0.1)
            yield url
        finally:
            process.terminate()
            process.wait()


def rate(
    url: str, clients: int, seconds: float, ask: Callable[[httpx.Client], httpx.Response]
) -> str:
    """Return requests a second and the latencies of many clients at once."""
    latencies: list[float] = []
    until = time.perf_counter() + seconds

    def work(_: int) -> None:
        with httpx.Client(base_url=url, timeout=60) as client:
            while time.perf_counter() < until:
                began = time.perf_counter()
                response = ask(client)
                response.raise_for_status()
                latencies.append(time.perf_counter() - began)

    with ThreadPoolExecutor(clients) as threads:
        list(threads.map(work, range(clients)))
    return f"{len(latencies) / seconds:.0f}/s, {quantiles(latencies)}"


def event_latency(url: str, rounds: int, listeners: int) -> str:
    """Return how long after a job was handed in a listener hears of it, among many others."""
    stop, ready = threading.Event(), threading.Barrier(listeners + 1)
    heard: dict[str, float] = {}

    def listen(number: int) -> None:
        told = False
        with (
            httpx.Client(base_url=url, timeout=60) as client,
            client.stream("GET", "/api/v1/events") as response,
        ):
            for line in response.iter_lines():
                if line.startswith("event: hello") and not told:
                    told = True
                    ready.wait()
                if line.startswith("data: ") and number == 0:
                    data = json.loads(line[6:])
                    if data.get("type") == "state":
                        heard.setdefault(data["job_id"], time.perf_counter())
                if stop.is_set():
                    return

    threads = [threading.Thread(target=listen, args=(n,), daemon=True) for n in range(listeners)]
    for thread in threads:
        thread.start()
    ready.wait()
    waits = []
    with httpx.Client(base_url=url, timeout=60) as client:
        for _ in range(rounds):
            job = client.post("/api/v1/jobs", json={"prompts": "x", "iterations": 1}).json()
            answered = time.perf_counter()
            while job["id"] not in heard:
                time.sleep(0.001)
            waits.append(max(0.0, heard[job["id"]] - answered))
            time.sleep(0.05)
    stop.set()
    with httpx.Client(base_url=url, timeout=60) as client:  # wake them up to see it
        client.post("/api/v1/jobs", json={"prompts": "x", "iterations": 1})
    return quantiles(waits)


def throughput(url: str, jobs: int) -> str:
    """Return how many jobs a second go through the queue, of one step each."""
    with httpx.Client(base_url=url, timeout=60) as client:
        before = client.get("/health").json()["queue"]["done"]
        began = time.perf_counter()
        for _ in range(jobs // 50):
            body = {"prompts": "x", "iterations": 1, "count": 50}
            client.post("/api/v1/jobs", json=body).raise_for_status()
        handed_in = time.perf_counter() - began
        made = jobs // 50 * 50
        while client.get("/health").json()["queue"]["done"] < before + made:
            time.sleep(0.05)
        seconds = time.perf_counter() - began
    return f"{made / seconds:.0f} jobs/s ({made} handed in within {handed_in:.1f} s)"


def quantiles(values: list[float]) -> str:
    """Write the median and the 95th percentile in milliseconds."""
    ordered = sorted(values)
    high = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    return f"median {1000 * statistics.median(ordered):.0f} ms, 95 % {1000 * high:.0f} ms"


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database", default="", help="default: SQLite in a temporary folder")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    kind = asked.database.partition(":")[0] or "sqlite"
    print(f"{kind}, {os.cpu_count()} cores, {asked.clients} clients, {asked.workers} workers\n")
    print("| what | figure |\n|---|---|")
    with serving(asked.database, 0) as url:
        with httpx.Client(base_url=url, timeout=60) as client:
            made = client.post("/api/v1/jobs", json={"prompts": "x", "count": 50}).json()
        for name, ask in (
            ("GET /health", lambda c: c.get("/health")),
            ("GET a job", lambda c: c.get(made["url"])),
            ("GET 50 jobs", lambda c: c.get("/api/v1/jobs")),
            ("POST a job", lambda c: c.post("/api/v1/jobs", json={"prompts": "a red apple"})),
        ):
            print(f"| {name} | {rate(url, asked.clients, asked.seconds, ask)} |", flush=True)
    with serving(asked.database, asked.workers) as url:
        print(f"| event, 1 listener | {event_latency(url, 30, 1)} |", flush=True)
        print(f"| event, 100 listeners | {event_latency(url, 30, 100)} |", flush=True)
        print(f"| queue | {throughput(url, asked.jobs)} |", flush=True)


if __name__ == "__main__":
    main()
