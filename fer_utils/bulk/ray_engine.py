"""The work spread by Ray Data: a pool of workers on this machine, or on all of a cluster."""

import logging
import os
import socket
import time
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import islice
from typing import Any

from ..files import shortened
from .parquet_output import FaceDataSet
from .source import Task
from .worker import Counts, Recipe, Worker

# Set aside for a worker, its two processes together; `tests/benchmarks/bench_bulk.py` prints what
# they take.
WORKER_BYTES = 900 * 2**20
# Only tasks and counts pass through Ray; the least that it accepts is 75 MiB.
_OBJECT_STORE_BYTES = 128 * 2**20
_LOOPBACK = "127.0.0.1"
_QUIET = {"log_to_driver": False, "logging_level": logging.ERROR}
# Tasks that are known to Ray at a time, so that memory does not grow with the source; at the end
# of them all workers are made anew, so that each should have many.
_WINDOW, _TASKS_A_WORKER = 4096, 64
# They are handed out by blocks: many cost time, and large ones keep others waiting for the last.
_BLOCKS, _BLOCKS_A_WORKER = 1024, 16
_CONNECT_S = 10
# With which a connection of gRPC begins; a frame of SETTINGS, whose fourth byte says so, is also
# the first answer (RFC 9113, 3.4).
_HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_EMPTY_SETTINGS = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
# Ray gives its own processes 15 s to start, which are few on a busy machine.
_TRIES, _PAUSE_S = 4, 10


def work_on_ray(
    tasks: Iterator[Task], recipe: Recipe, out: str, *, address: str | None, workers: int | None
) -> Generator[Counts]:
    """Do tasks with a pool of workers; yield what their parts hold, in the order they are done.

    Parameters
    ----------
    tasks : iterator of Task
    recipe : Recipe
    out : str
        The data set's folder or address.
    address : str or None
        Of the cluster to join; without it, Ray is started here, on loopback.
    workers : int or None
        How many; by default one for each core that Ray counts.

    Raises
    ------
    ValueError
        If Ray cannot start, the cluster cannot be joined or has no room for a worker, or a worker
        says so.
    """
    recipe = replace(recipe, threads=1)
    with running_ray(address) as ray:
        count = checked_room(ray.cluster_resources(), WORKER_BYTES, workers)
        packed = map(_packed, tasks)
        while some := list(islice(packed, max(_WINDOW, _TASKS_A_WORKER * count))):
            yield from _work(ray, some, recipe, out, count)


def _packed(task: Task) -> dict[str, Any]:
    return {"task": zlib.compress(task.to_json().encode())}


def _unpacked(row: dict[str, Any]) -> Task:
    return Task.from_json(zlib.decompress(row["task"]).decode())


def _work(ray: Any, rows: list[dict], recipe: Recipe, out: str, workers: int) -> Iterator[Counts]:
    # The pool's cores are all that is asked for: reading happens in the workers. A source that
    # Ray Data reads itself would wait forever for a core that the pool has taken.
    blocks = min(len(rows), max(_BLOCKS, _BLOCKS_A_WORKER * workers))
    done = ray.data.from_items(rows, override_num_blocks=blocks).map(
        _PoolWorker,
        fn_constructor_args=(recipe, out),
        compute=ray.data.ActorPoolStrategy(
            size=min(workers, blocks),
            max_tasks_in_flight_per_actor=2,  # the next one is there when one is done
        ),
        num_cpus=1,
        memory=WORKER_BYTES,
    )
    for row in done.iter_rows():
        if row["problem"]:
            raise ValueError(row["problem"])
        yield Counts(row["items"], row["faces"], row["unreadable"])


class _PoolWorker:
    """A worker that tells what went wrong: what it raises would only be tried again."""

    def __init__(self, recipe: Recipe, out: str) -> None:
        self._made_of = recipe, out
        self._worker: Worker | None = None

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        try:
            if self._worker is None:
                recipe, out = self._made_of
                self._worker = Worker(recipe, FaceDataSet(out))
            counts = self._worker(_unpacked(row))
        except ValueError as error:
            return asdict(Counts()) | {"problem": str(error)}
        return asdict(counts) | {"problem": ""}


@contextmanager
def running_ray(address: str | None) -> Iterator[Any]:
    """Start Ray here, or join a cluster; leave it in the end.

    Parameters
    ----------
    address : str or None
        As `work_on_ray` takes it.

    Yields
    ------
    module
        Ray.

    Raises
    ------
    ValueError
        If Ray runs in this process already, cannot start, or the cluster cannot be joined.
    """
    # Read when Ray is imported, and by the processes that it starts.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if address is None:
        # Not `_node_ip_address` alone: the processes that Ray starts would listen everywhere.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    else:
        # What answers and is no Ray is asked for 40 seconds each time; Ray would ask 20 times.
        os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "2")
    import ray
    import ray.data

    if ray.is_initialized():
        raise ValueError(
            "Ray runs in this process already, and not as this call would start it; call "
            "ray.shutdown() first, or do without Ray."
        )
    with _errors_on_stderr():
        if address is None:
            _start(ray)
        else:
            _join(ray, address)
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        ray.data.DataContext.get_current().enable_progress_bars = False
        try:
            yield ray
        finally:
            ray.shutdown()


def _start(ray: Any) -> None:
    for tries_left in reversed(range(_TRIES)):
        try:
            with _no_usage_process():
                ray.init(
                    "local",  # nothing could be a cluster that RAY_ADDRESS names
                    include_dashboard=False,
                    _node_ip_address=_LOOPBACK,
                    object_store_memory=_OBJECT_STORE_BYTES,
                    **_QUIET,
                )
            return
        except Exception as error:  # of Ray's many kinds
            ray.shutdown()
            if not tries_left:
                raise ValueError(
                    f"Ray cannot start here ({one_line(error)}); wait until the machine has less "
                    "to do, or do without Ray."
                ) from error
            time.sleep(_PAUSE_S)  # what was left of that try ends by itself


def _join(ray: Any, address: str) -> None:
    try:
        _check_it_answers(address)
        ray.init(address, **_QUIET)
    except Exception as error:  # the versions' mismatch among them
        raise ValueError(
            f"the Ray cluster {address!r} cannot be joined ({one_line(error)}); check the "
            "address, and Ray's version there."
        ) from error


@contextmanager
def _errors_on_stderr() -> Iterator[None]:
    """Keep Ray from telling of workers' deaths on the standard output, whatever `_QUIET` says."""
    from ray._private import worker

    usual = getattr(worker, "print_to_stdstream", None)
    if usual is None:  # it is not Ray's public interface
        yield
        return
    worker.print_to_stdstream = lambda data, **how: usual({**data, "is_err": True}, **how)
    try:
        yield
    finally:
        worker.print_to_stdstream = usual


def one_line(error: Exception) -> str:
    """Return the beginning of what an error says, for a message."""
    return shortened(" ".join(str(error).split()), most=300).rstrip(".")


@contextmanager
def _no_usage_process() -> Iterator[None]:
    """Keep Ray from starting the process that reports its usage.

    Without a dashboard that is all it is for. Told to report nothing, it asks the clouds' metadata
    addresses in which of them it runs nevertheless.
    """
    from ray._private import services

    usual = services.start_api_server
    services.start_api_server = lambda *_, **__: ("", None)  # no address, no process
    try:
        yield
    finally:
        services.start_api_server = usual


def _check_it_answers(address: str) -> None:
    """Raise OSError or ValueError where nothing answers: `ray.init` would try for minutes."""
    from ray._private.services import canonicalize_bootstrap_address_or_die

    where = address.removeprefix("ray://")
    if where == address:  # as `ray.init` finds what "auto" stands for
        where = canonicalize_bootstrap_address_or_die(address)
    host, _, port = where.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S) as peer:
        if os.environ.get("RAY_USE_TLS", "0") == "0":  # whose peers wait for its own greeting
            peer.sendall(_HTTP2_PREFACE + _EMPTY_SETTINGS)
            if peer.makefile("rb").read(4)[3:] != _EMPTY_SETTINGS[3:4]:
                raise ValueError("what listens there does not speak gRPC, as Ray does.")


def checked_room(resources: dict[str, float], worker_bytes: int, workers: int | None = None) -> int:
    """Tell for how many workers, of a core each, a cluster has room.

    Parameters
    ----------
    resources : dict of str to float
        What ``ray.cluster_resources()`` returns.
    worker_bytes : int
        The memory that each takes.
    workers : int, optional
        How many are wanted at most.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    ValueError
        If there is no room for one.
    """
    cores, memory = resources.get("CPU", 0), resources.get("memory", 0)
    room = int(min(cores, memory // worker_bytes))
    if room < 1:
        raise ValueError(
            f"the Ray cluster has {cores:.0f} cores and {memory / 2**20:.0f} MiB of memory for "
            f"work, and a worker takes one and {worker_bytes / 2**20:.0f}; add a machine."
        )
    return min(room, workers or room)
