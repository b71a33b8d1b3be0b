"""Several Ray nodes on one machine, each in a network namespace of its own with its own address.

A node here is what a machine is to Ray: its processes, ports, address, and its own directory for
sessions. Killing one ends all its processes at once, as a power cut would. Needs root and `ip`
(iproute2).
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import psutil

from tests.support.guard import undone_by
from tests.support.machine import scaled

ROOT = Path(__file__).parents[2]
BRIDGE, NETWORK = "quasar-br", "10.211.77"
PORT, DASHBOARD, CLIENT = 26379, 28265, 20001  # not Ray's own: other clusters may run here
OBJECT_STORE_BYTES = 200 * 2**20


def can_make_nodes() -> bool:
    """Whether this process may make network namespaces and bridges."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    trial = f"{BRIDGE}0"  # not the bridge itself: an earlier run, killed, may have left it
    made = subprocess.run(["ip", "link", "add", trial, "type", "bridge"], capture_output=True)
    if made.returncode == 0:
        run("ip", "link", "del", trial)
    return made.returncode == 0


def run(*command: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run(command, check=True, text=True, capture_output=True, **options)


def processes(namespace: str) -> list[psutil.Process]:
    """The processes of a network namespace."""
    found = run("ip", "netns", "pids", namespace).stdout.split()
    return [psutil.Process(int(pid)) for pid in found if psutil.pid_exists(int(pid))]


def kill_all(namespace: str) -> int:
    """End every process of a network namespace at once; how many there were."""
    found = processes(namespace)
    for process in found:
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(found, timeout=scaled(30))
    return len(found)


def remove_leftovers() -> None:
    """End what is left of an earlier run that was killed before it could tidy up."""
    for line in run("ip", "netns", "list").stdout.splitlines():
        name = line.split()[0]
        if name.startswith("quasar-"):
            kill_all(name)
            run("ip", "netns", "del", name)  # its link goes with it
    subprocess.run(["ip", "link", "del", BRIDGE], capture_output=True)


class Node:
    """One Ray node in its namespace."""

    def __init__(self, number: int, *, name: str, cpus: int, mark: str, temporary: Path):
        """mark: the custom resource that the node offers (`learner.nodes` and its like)."""
        self.name = f"quasar-{name}"
        self.address = f"{NETWORK}.{number}"
        self.link = f"quasar-v{number}"
        self.cpus = cpus
        self.mark = mark
        self.temporary = temporary

    def start(self, head: "Node | None" = None) -> "Node":
        run("ip", "netns", "add", self.name)
        peer = f"{self.link}p"
        run("ip", "link", "add", self.link, "type", "veth", "peer", "name", peer)
        run("ip", "link", "set", peer, "netns", self.name)
        run("ip", "link", "set", self.link, "master", BRIDGE, "up")
        self.run("ip", "addr", "add", f"{self.address}/24", "dev", peer)
        self.run("ip", "link", "set", peer, "up")
        self.run("ip", "link", "set", "lo", "up")
        if head is None:
            place = ["--head", f"--port={PORT}", f"--ray-client-server-port={CLIENT}"]
            place += [f"--dashboard-port={DASHBOARD}", "--dashboard-host=0.0.0.0"]
            place += [f"--temp-dir={self.temporary}"]
        else:
            place = [f"--address={head.address}:{PORT}"]
        # A disk of its own: Ray's files of one machine are nowhere else.
        disk = self.temporary.with_name(f"{self.temporary.name}-{self.name}")
        disk.mkdir(exist_ok=True)
        own_disk = f'mount --bind {disk} {self.temporary} && exec "$@"' if head else 'exec "$@"'
        self.run(
            *("sh", "-c", own_disk, "start"),
            *(sys.executable, "-m", "ray.scripts.scripts", "start", *place),
            f"--node-ip-address={self.address}",
            f"--num-cpus={self.cpus}",
            f"--object-store-memory={OBJECT_STORE_BYTES}",
            f"--resources={json.dumps({self.mark: 1})}",
            "--disable-usage-stats",
        )
        return self

    def environment(self) -> dict[str, str]:
        own = str(Path(sys.executable).parent)
        return os.environ | {
            "PATH": f"{own}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "RAY_AUTH_MODE": "token" if (Path.home() / ".ray/auth_token").exists() else "disabled",
            "RAY_ADDRESS": f"http://{self.address}:{DASHBOARD}",
            "DS_ACCELERATOR": "cpu",
        }

    def command(self, *command: str) -> list[str]:
        return ["ip", "netns", "exec", self.name, *command]

    def run(self, *command: str) -> subprocess.CompletedProcess:
        """A command on this node, to its end."""
        environment = self.environment()
        if "start" in command:
            del environment["RAY_ADDRESS"]  # it would be the cluster to join
        return run(*self.command(*command), env=environment, timeout=scaled(240))

    def actors(self, kind: str) -> int:
        """Processes whose title begins so, e.g. ray::RolloutRunner."""
        count = 0
        for process in processes(self.name):
            try:
                count += " ".join(process.cmdline()).startswith(kind)
            except psutil.Error:
                continue
        return count

    def kill(self) -> int:
        """End every process of the node at once; how many there were."""
        return kill_all(self.name)


class Nodes:
    """A cluster: one head and workers that may be killed; a context manager."""

    def __init__(self, directory: Path, *, mark_of_head: str, mark_of_workers: str):
        self.directory = directory
        self.marks = (mark_of_head, mark_of_workers)
        self.all: list[Node] = []
        self.if_pytest_dies = ExitStack()

    def __enter__(self) -> "Nodes":
        remove_leftovers()
        disks = ("sh", "-c", 'rm -rf "$0"*', str(self.directory))
        for command in (disks, (sys.executable, "-m", "tests.jobs.nodes")):
            self.if_pytest_dies.enter_context(undone_by(*command))
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        run("ip", "link", "set", BRIDGE, "up")
        self.head = self._node("head", cpus=2, mark=self.marks[0]).start()
        return self

    def add_worker(self) -> Node:
        node = self._node(f"worker{len(self.all)}", cpus=1, mark=self.marks[1])
        return node.start(self.head)

    def _node(self, name: str, **options) -> Node:
        node = Node(10 + len(self.all), name=name, temporary=self.directory, **options)
        self.all.append(node)
        return node

    def __exit__(self, *_: object) -> None:
        for node in reversed(self.all):
            try:
                node.kill()
            except subprocess.CalledProcessError:
                continue
            subprocess.run(["ip", "netns", "del", node.name], capture_output=True)
            subprocess.run(["ip", "link", "del", node.link], capture_output=True)
            disk = node.temporary.with_name(f"{node.temporary.name}-{node.name}")
            shutil.rmtree(disk, ignore_errors=True)
        subprocess.run(["ip", "link", "del", BRIDGE], capture_output=True)
        self.if_pytest_dies.close()

    def submit(
        self, job: str, *arguments: str, log: Path, mark: str | None = None
    ) -> subprocess.Popen:
        """`ray job submit` of a file of ray_jobs/, followed into `log` until the job ends.

        mark: the job's own process runs on a node that offers it; else on the head.
        """
        place = ("--entrypoint-resources", json.dumps({mark: 0.1})) if mark else ()
        command = (
            *(sys.executable, "-m", "ray.scripts.scripts", "job", "submit"),
            *("--runtime-env", f"ray_jobs/{job}.yaml"),
            *("--submission-id", f"{job}-{log.stem}"),
            *place,
            *("--", "python", f"ray_jobs/{job}.py", *arguments),
        )
        return subprocess.Popen(
            self.head.command(*command),
            cwd=ROOT,
            env=self.head.environment(),
            stdout=log.open("w"),
            stderr=subprocess.STDOUT,
        )

    def status(self, submission_id: str) -> str:
        """What `ray job status` prints."""
        command = ("-m", "ray.scripts.scripts", "job", "status", submission_id)
        return self.head.run(sys.executable, *command).stdout

    def stop(self, submission_id: str) -> None:
        """`ray job stop`, until the job has stopped."""
        self.head.run(sys.executable, "-m", "ray.scripts.scripts", "job", "stop", submission_id)


if __name__ == "__main__":  # called by the guard of tests/support, after pytest and its processes
    remove_leftovers()
