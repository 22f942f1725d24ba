"""Prints how long the int8 copy of the shipped vote takes, and how right it is, beside the vote.

    python tests/benchmarks/bench_int8.py [--data fer2013.zip --opinions fer2013new.csv]

Processes of both take turns, so that the machine's mood is the same for both; each prints its own
medians, in wall time and in processor time of all its threads, which other programs disturb less.
With --data, accuracy is measured on the validation part (FER2013: PublicTest), against the labels
and, with --opinions, against what more than half of the people said; ECE is against the labels;
agreement is the share of faces that both name alike, the largest difference that of any
probability.
"""

import argparse
import json
import subprocess
import sys
import time

import numpy as np

from fer_utils import SoftVote, load_dataset
from fer_utils.evaluation.calibration import cross_fitted_ece
from fer_utils.evaluation.metrics import Report, report_on_split

PRECISIONS = ("float", "int8")
FACES = (1, 16)
TURNS, WARM_UPS, RUNS = 5, 5, 30


def medians_ms(vote: SoftVote, faces: np.ndarray) -> list[float]:
    """Return the medians of a call's wall time and of its processor time."""
    clocks = (time.perf_counter, time.process_time)
    taken_s = []
    for _ in range(WARM_UPS + RUNS):
        starts_s = [clock() for clock in clocks]
        vote.predict_proba(faces)
        ends_s = [clock() for clock in clocks]
        taken_s.append(np.subtract(ends_s, starts_s))
    return (1000 * np.median(taken_s[WARM_UPS:], axis=0)).tolist()


def take_turn(precision: str) -> None:
    """Print the medians of one process, as JSON."""
    vote = SoftVote.load(precision=precision)
    rng = np.random.default_rng(0)
    batches = [rng.integers(0, 256, (n, 48, 48), dtype=np.uint8) for n in FACES]
    print(json.dumps([medians_ms(vote, faces) for faces in batches]))


def times_ms() -> dict[str, np.ndarray]:
    """Return the medians over the turns, (faces, wall and processor time), by precision."""
    told = {precision: [] for precision in PRECISIONS}
    for _ in range(TURNS):
        for precision, turns in told.items():
            command = [sys.executable, __file__, "--turn", precision]
            turns.append(json.loads(subprocess.check_output(command)))
    return {precision: np.median(turns, axis=0) for precision, turns in told.items()}


def print_times() -> None:
    print("| faces | clock | float, ms | int8, ms | int8 / float |\n|---|---|---|---|---|")
    plain, quick = times_ms().values()
    for row, n in enumerate(FACES):
        for column, clock in enumerate(("wall", "processor")):
            a, b = plain[row, column], quick[row, column]
            print(f"| {n} | {clock} | {a:.1f} | {b:.1f} | {b / a:.2f} |")


def print_accuracy(data: str, opinions: str | None) -> None:
    split = load_dataset(data, opinions=opinions).validation
    told = {p: SoftVote.load(precision=p).predict_proba(split.images) for p in PRECISIONS}
    of_each = "n | accuracy | balanced accuracy"
    print(f"\n| precision | label, {of_each} | majority, {of_each} | ECE | cross-fitted ECE |")
    print(f"|{'---|' * 9}")
    for precision, probabilities in told.items():
        report = report_on_split(probabilities, split)
        majority = report.opinions and report.opinions.majority
        of_people = cells(majority) if majority else "- | - | -"
        errors = f"{report.ece:.3f} | {cross_fitted_ece(probabilities, split.labels):.3f}"
        print(f"| {precision} | {cells(report)} | {of_people} | {errors} |")
    plain, quick = told.values()
    print(f"\nAgreement: {np.mean(plain.argmax(axis=1) == quick.argmax(axis=1)):.2%}")
    print(f"Largest difference of a probability: {np.abs(plain - quick).max():.3f}")


def cells(report: Report) -> str:
    return f"{report.n} | {report.accuracy:.2%} | {report.balanced_accuracy:.2%}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare the shipped vote with its int8 copy.")
    parser.add_argument("--data", help="fer2013.csv, a folder, or a zip of either")
    parser.add_argument("--opinions", help="FER+'s fer2013new.csv")
    parser.add_argument("--turn", choices=PRECISIONS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.turn:
        take_turn(args.turn)
        return
    print_times()
    if args.data:
        print_accuracy(args.data, args.opinions)


if __name__ == "__main__":
    main()
