"""The same work on a real Ray, started here: its rows, its deaths, and what it listens on."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
from PIL import Image

from fer_utils.bulk.many import main
from fer_utils.bulk.ray_engine import WORKER_BYTES, checked_room, work_on_ray
from tests.bulk.test_many import label_quickly, read
from tests.helpers.fragile import DEADLY_WIDTH

ROOT = Path(__file__).parents[2]
PICTURES = 40
PRINTED = "printed.txt"
TOO_BUSY = "Ray cannot start here"
# As /proc writes 127.0.0.1, ::1 and ::ffff:127.0.0.1.
LOOPBACK = {"0100007F", "0" * 24 + "01000000", "0000000000000000FFFF00000100007F"}
STRACE = "strace -f --seccomp-bpf -e trace=connect,bind,sendto,sendmsg,sendmmsg -o".split()
HAS_STRACE = shutil.which("strace") is not None
linux = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads Linux's tables")
on_ray = partial(work_on_ray, address=None, workers=2)

LABEL = """
import sys
from tests.bulk.test_ray_engine import label_quickly, on_ray
if __name__ == "__main__":
    label_quickly(sys.argv[1], sys.argv[2], on_ray, pause_s=float(sys.argv[3]))
"""


def environment(home: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "HOME": str(home)}


def begin(folder: Path, out: Path, home: Path, pause_s: float = 0.0, prefix: tuple = ()):
    """Label on Ray in a process of its own, which prints into a file of `home`."""
    with (home / PRINTED).open("a") as printed:
        return subprocess.Popen(
            [*prefix, sys.executable, "-c", LABEL, str(folder), str(out), str(pause_s)],
            env=environment(home),
            stdout=printed,
            stderr=subprocess.PIPE,
            text=True,
        )


def make_pictures(folder: Path) -> Path:
    """Make pictures, a deadly one and one that is none among them."""
    folder.mkdir()
    for number in range(PICTURES):
        width = DEADLY_WIDTH if number == 7 else 20 + number
        Image.new("RGB", (width, 12), "white").save(folder / f"{number:02}.png")
    (folder / "text.jpg").write_text("no picture")
    return folder


def processes() -> dict[int, tuple[int, str]]:
    """Return each process's parent and command line."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            command = (status.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it ended meanwhile
            continue
        found[int(status.parent.name)] = parent, command
    return found


def descendants(pid: int) -> dict[int, str]:
    """Return the command lines of the processes that a process has begun, and they in turn."""
    known = processes()
    found: dict[int, str] = {}
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        children = {child: line for child, (of, line) in known.items() if of == parent}
        found |= children
        waiting += children
    return found


def listened_on(pids: set[int]) -> set[str]:
    """Return the addresses, in the hexadecimal of /proc, on which processes take connections."""
    inodes = set()
    for pid in pids:
        for file in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                inodes.add(os.readlink(file))
            except OSError:
                continue
    sockets = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            local, state, inode = (line.split()[column] for column in (1, 3, 9))
            if state == "0A" and f"socket:[{inode}]" in inodes:
                sockets.add(local.partition(":")[0])
    return sockets


class Disturbed(NamedTuple):
    """What became of a call whose worker was killed, then the call, before it was repeated."""

    out: Path
    undisturbed: Path  # what one worker makes of the same pictures, without Ray
    sockets: set[str]  # on which the first call and all that it began took connections
    calls: str  # of the second call and all that it began, if there is strace
    printed: str  # by both calls on the standard output


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory) -> Disturbed:
    home = tmp_path_factory.mktemp("ray")
    folder, out = make_pictures(home / "pictures"), home / "out"

    def wait_for(parts: int) -> None:
        while run.poll() is None and len(list(out.glob("part-*"))) < parts:
            time.sleep(0.02)

    run = begin(folder, out, home, pause_s=0.3)
    wait_for(2)
    if run.poll() is not None:
        told = run.stderr.read()
        if TOO_BUSY in told:  # Ray's own 15 seconds are over, four times
            pytest.skip(told.splitlines()[-1])
        raise AssertionError(told)
    ours = descendants(run.pid)
    sockets = listened_on({run.pid, *ours})
    workers = [pid for pid, line in ours.items() if "_PoolWorker" in line]
    assert workers, ours
    os.kill(workers[0], signal.SIGKILL)
    wait_for(8)
    assert run.poll() is None, run.stderr.read()
    run.kill()
    run.wait()
    assert 8 <= len(list(out.glob("part-*"))) < PICTURES

    log = home / "calls.txt"
    again = begin(folder, out, home, prefix=(*STRACE, str(log)) if HAS_STRACE else ())
    _, told = again.communicate(timeout=300)
    assert again.returncode == 0, told
    label_quickly(folder, home / "undisturbed")
    calls = log.read_text() if HAS_STRACE else ""
    return Disturbed(
        out, home / "undisturbed", sockets, calls, printed=(home / PRINTED).read_text()
    )


@linux
@pytest.mark.slow
def test_a_killed_worker_and_a_killed_driver_lose_nothing(disturbed):
    pd.testing.assert_frame_equal(read(disturbed.out), read(disturbed.undisturbed))
    names = [sorted(path.name for path in folder.iterdir()) for folder in disturbed[:2]]
    assert names[0] == names[1]


@linux
@pytest.mark.slow
def test_what_ray_tells_of_a_death_is_no_output(disturbed):
    assert disturbed.printed == ""


@linux
@pytest.mark.slow
def test_ray_listens_on_loopback_alone(disturbed):
    assert disturbed.sockets
    assert disturbed.sockets <= LOOPBACK


@linux
@pytest.mark.slow
@pytest.mark.skipif(not HAS_STRACE and "CI" not in os.environ, reason="needs Debian's strace")
def test_ray_talks_to_this_machine_alone(disturbed):
    pattern = r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"'
    found = {one or other for one, other in re.findall(pattern, disturbed.calls)}
    assert found
    assert {address.removeprefix("::ffff:") for address in found} <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize(
    ("resources", "wanted", "expected"),
    [
        ({"CPU": 4, "memory": 10 * WORKER_BYTES}, None, 4),
        ({"CPU": 4, "memory": 2.5 * WORKER_BYTES}, None, 2),
        ({"CPU": 4, "memory": 10 * WORKER_BYTES}, 3, 3),
        ({"CPU": 4, "memory": 10 * WORKER_BYTES}, 9, 4),
    ],
)
def test_there_are_as_many_workers_as_there_is_room_for(resources, wanted, expected):
    assert checked_room(resources, WORKER_BYTES, wanted) == expected


@pytest.mark.parametrize("resources", [{"CPU": 8, "memory": 2**20}, {"memory": 2**40}, {}])
def test_a_cluster_without_room_says_so(resources):
    with pytest.raises(ValueError, match=r"has \d+ cores and \d+ MiB .* add a machine"):
        checked_room(resources, WORKER_BYTES)


@contextmanager
def peer(answer: bytes | None) -> Iterator[str]:
    """Listen; say something to who connects and hang up, or with None say nothing."""
    # Everywhere: Ray takes 127.0.0.1 for this machine's own address.
    with socket.create_server(("", 0)) as server:

        def serve() -> None:
            with suppress(OSError), server.accept()[0] as connection:
                if answer is None:
                    connection.recv(1000)
                    closed.wait()
                else:
                    connection.sendall(answer)

        closed = threading.Event()
        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        closed.set()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["", "ray://"])
@pytest.mark.parametrize(
    ("answer", "why"),
    [(None, "timed out"), (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak gRPC")],
)
def test_who_is_no_cluster_is_not_asked_for_long(
    scheme, answer, why, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("fer_utils.bulk.ray_engine._CONNECT_S", 1)
    with peer(answer) as where:
        assert why in refusal(scheme + where, tmp_path, capsys)


@pytest.mark.slow
def test_nobody_at_an_address(tmp_path, capsys):
    refusal("127.0.0.1:1", tmp_path, capsys)


def refusal(address: str, folder: Path, capsys) -> str:
    """Return what the command says of an address that cannot be joined."""
    Image.new("RGB", (20, 12)).save(folder / "one.png")
    with pytest.raises(SystemExit) as ended:
        main([str(folder / "one.png"), str(folder / "out"), "--address", address])
    assert ended.value.code == 2
    assert not (folder / "out").exists()
    told = capsys.readouterr().err
    assert f"the Ray cluster {address!r} cannot be joined" in told
    return told
