"""Prints how long the vote takes with its threads set in several ways: idle, and on a busy machine.

    python tests/benchmarks/bench_threads.py

Both shipped networks vote on one 48x48 px face, and on 16. Busy means: beside as many processes as
there are cores, each of which computes without end. All ways take turns in one process. The ratios
are to the way of before: one network after the other, with threads bound to cores. Close what else
runs.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from fer_utils import SoftVote
from fer_utils.files import SAVED_MODELS
from fer_utils.network.openvino_network import to_graph
from fer_utils.network.weights_file import read_weights
from fer_utils.openvino_runtime import openvino_core
from fer_utils.processes import usable_cores

ROUNDS, WARM_UPS = 60, 5
BEFORE = "one after the other, bound"

Vote = Callable[[np.ndarray], object]


def one_after_the_other(threads: int, *, bound: bool) -> Vote:
    """Return a vote whose networks take turns, each with all the threads."""
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "ENABLE_CPU_PINNING": bound,
    }
    requests = [
        openvino_core()
        .compile_model(to_graph([read_weights(file)], (48, 48)), "CPU", settings)
        .create_infer_request()
        for file in sorted(SAVED_MODELS.glob("*.weights.h5"))
    ]
    return lambda faces: [request.infer([faces])[0] for request in requests]


def ways() -> dict[str, Vote]:
    cores = usable_cores()
    return {
        BEFORE: one_after_the_other(cores, bound=True),
        "one after the other, free": one_after_the_other(cores, bound=False),
        "at once, free: as shipped": SoftVote.load(precision="float").predict_proba,
        "threads=1": SoftVote.load(precision="float", threads=1).predict_proba,
    }


@contextmanager
def busy(processes: int) -> Iterator[None]:
    started = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)
    ]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def durations_ms(votes: dict[str, Vote], faces: np.ndarray) -> dict[str, list[float]]:
    taken_ms = {name: [] for name in votes}
    for number in range(-WARM_UPS, ROUNDS):
        for name, vote in votes.items():
            start_s = time.perf_counter()
            vote(faces)
            if number >= 0:
                taken_ms[name].append(1000 * (time.perf_counter() - start_s))
    return taken_ms


def main() -> None:
    votes = ways()
    rng = np.random.default_rng(0)
    print("| way | machine | faces | median, ms | 9 of 10 within, ms | ratio of medians |")
    print("|---|---|---|---|---|---|")
    for machine, processes in (("idle", 0), ("busy", usable_cores())):
        with busy(processes):
            for n in (1, 16):
                faces = rng.integers(0, 256, (n, 48, 48), dtype=np.uint8)
                taken_ms = durations_ms(votes, faces)
                medians = {name: statistics.median(ms) for name, ms in taken_ms.items()}
                for name, ms in taken_ms.items():
                    within = statistics.quantiles(ms, n=10)[-1]
                    ratio = medians[name] / medians[BEFORE]
                    figures = f"{medians[name]:.1f} | {within:.1f} | {ratio:.2f}"
                    print(f"| {name} | {machine} | {n} | {figures} |")


if __name__ == "__main__":
    main()
