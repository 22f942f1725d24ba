"""How busy Ray keeps the workers of a large cluster: simulated machines, whose workers only wait.

Run it as `python tests/benchmarks/bench_bulk_nodes.py --picture-ms 8`, with what bench_bulk.py
measured; it takes about three minutes. Each simulated machine takes some 250 MB for Ray's own
processes, and each worker some 100 MB, so that a hundred do not fit on one. Fewer workers wait
for less time instead: Ray has as many parts to hand out each second as if there were `--of`
machines. It listens on loopback only.
"""

import argparse
import os
import time

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"

from ray.cluster_utils import Cluster

from fer_utils.bulk import ray_engine
from fer_utils.bulk.many import _PART_SIZE
from fer_utils.bulk.source import Item, Task
from fer_utils.bulk.worker import Recipe

NODE_CORES = 8
BYTES = 100 * 2**20  # of each machine's object store


class WaitingWorker:
    """Takes its time, as a worker that computes."""

    def __init__(self, recipe: Recipe, out: str) -> None:
        self._part_s = recipe.options["part_s"]

    def __call__(self, row: dict) -> dict:
        time.sleep(self._part_s)
        return {"items": _PART_SIZE, "faces": _PART_SIZE, "unreadable": 0, "problem": ""}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--nodes", type=int, default=10, help="to simulate")
    add("--cores", type=int, default=4, help="of a simulated node")
    add("--of", type=int, default=100, help=f"nodes of {NODE_CORES} cores, whose pace it has")
    add("--picture-ms", type=float, default=8.0, help="as bench_bulk.py measures it")
    add("--parts", type=int, default=ray_engine._TASKS_A_WORKER, help="for each worker")
    args = parser.parse_args()
    workers = args.nodes * args.cores
    part_s = _PART_SIZE * args.picture_ms / 1000
    wanted = args.of * NODE_CORES / part_s  # parts a second
    recipe = Recipe(options={"part_s": workers / wanted})
    rows = [ray_engine._packed(_part(number)) for number in range(args.parts * workers)]
    ray_engine._PoolWorker = WaitingWorker
    ray_engine._BLOCKS = 0  # so many workers as are simulated have more
    done, began_s, before = 0, 0.0, 0
    cluster = _cluster(args.nodes, args.cores)
    with ray_engine.running_ray(cluster.address) as ray:
        for _ in ray_engine._work(ray, rows, recipe, "", workers):
            done += 1
            if not before and done > len(rows) // 8:  # once all have begun
                began_s, before = time.perf_counter(), done
        rate = (done - before) / (time.perf_counter() - began_s)
    cluster.shutdown()
    print(
        f"{args.of} nodes of {NODE_CORES} cores do at best {wanted:.0f} parts/s, which take "
        f"{part_s:.1f} s each"
    )
    print(
        f"Ray kept {workers} workers on {args.nodes} simulated nodes at {rate:.0f} parts/s of "
        f"{1000 * workers / wanted:.0f} ms: busy {rate / wanted:.0%} of the time, the end included"
    )


def _cluster(nodes: int, cores: int) -> Cluster:
    cluster = Cluster()
    for number in range(nodes):
        with ray_engine._no_usage_process():
            cluster.add_node(
                num_cpus=cores,
                memory=cores * ray_engine.WORKER_BYTES,
                object_store_memory=BYTES,
                node_ip_address=ray_engine._LOOPBACK,
                **({} if number else {"include_dashboard": False}),
            )
    return cluster


def _part(number: int) -> Task:
    names = (f"{number}/{index}.jpg" for index in range(_PART_SIZE))
    return Task(tuple(Item(name, f"/data/{name}", "12345 1700000000000000000") for name in names))


if __name__ == "__main__":
    main()
