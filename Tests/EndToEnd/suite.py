"""Starts, breaks and stops a private suite through the command line, as an operator would."""

import contextlib
import json
import os
import pathlib
import shlex
import signal
import socket
import subprocess
import tempfile

import httpx

from waiting import until

DATABASES = ("identity", "profile", "session", "mfa", "audit")

# Which of pytest-xdist's processes this is, and of how many: each has offsets of its own, or two would find the same one free.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))


def free_offset(beside=None):
    """A port offset at which the suite's main ports are free, and which is not the one that somebody has already."""
    for offset in range(2_000 + 250 * WORKER, 15_000, 250 * WORKERS):
        if offset == beside:
            continue
        try:
            for port in (11080, 11001, 11002, 11004, 11005, 11013, 11101, 11113, 11172, 11174, 11179, 11201, 11279):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port + offset))
        except OSError:
            continue
        return offset
    raise RuntimeError("no free range of ports")


def let_in(home):
    """PostgreSQL runs as a user of its own when the suite is started by root: it has to get to a directory that pytest made."""
    temporary = pathlib.Path(tempfile.gettempdir()).resolve()
    for directory in [home, *home.parents]:
        if directory == temporary or not directory.is_relative_to(temporary):
            return
        directory.chmod(0o755)


@contextlib.contextmanager
def started(running):
    """A suite while it runs."""
    try:
        running.start()
        yield running
    finally:
        running.stop()


class Suite:
    def __init__(self, repository: pathlib.Path, home: pathlib.Path, options=(), replicas=1, **settings: str):
        self.repository = repository
        self.options = list(options)
        self.home = home
        self.binary = os.environ.get("AUTHMS", str(repository / ".build" / "release" / "authms"))
        self.offset = free_offset()
        self.environment = {
            **os.environ,
            "AUTHMS_HOME": str(home),
            "AUTHMS_PORT_OFFSET": str(self.offset),
            "AUDIT_CHECKPOINT_INTERVAL": "3s",
            "KEYS_RELOAD_INTERVAL": "500ms",
            "AUTHMS_REPLICAS": str(replicas),
            **settings,
        }
        self.gateway = f"http://127.0.0.1:{11080 + self.offset}"
        self.process = None
        self.log = None
        self.variables = {}

    # -- life ---------------------------------------------------------------------------------------------------------

    def start(self):
        home = self.home
        self.variables = {}
        home.chmod(0o755)  # PostgreSQL runs as a user of its own when the suite is started by root
        self.log = open(home / "up.log", "wb")
        self.process = subprocess.Popen(
            [self.binary, "up", *self.options],
            cwd=self.repository,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        # Read where it says so: to ask it would take a process each time, while it needs every core.
        says_so = lambda: "\nReady after " in self.said()
        until(says_so, seconds=120, every=0.1, saying=f"the suite is ready (see {home}/up.log)")

    def said(self):
        """What `authms up` has said since it was started; fails where it has ended."""
        said = (self.home / "up.log").read_text(errors="replace")
        if self.process.poll() is not None:
            raise AssertionError(f"authms up ended with {self.process.returncode}:\n{said[-4000:]}")
        return said

    def is_ready(self):
        self.said()
        status = self.authms("status", "--json", check=False)
        if status.returncode != 0:
            return False
        units = json.loads(status.stdout)["units"]
        return len(units) > 10 and all(unit["phase"] == "ready" for unit in units)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise AssertionError("authms up did not stop within 60 s of Ctrl-C") from None
        if self.log:
            self.log.close()

    # -- the operator's commands --------------------------------------------------------------------------------------

    def authms(self, *arguments, check=True, timeout=60):
        done = subprocess.run(
            [self.binary, *arguments],
            cwd=self.repository,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"authms {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def unit(self, name):
        """What `authms status` says of one process."""
        units = json.loads(self.authms("status", "--json", check=False).stdout)["units"]
        return next(unit for unit in units if unit["name"] == name)

    def env(self):
        """What `authms env` prints, as a dictionary; asked until all of it is there, the administrator being the last."""
        if "ADMIN_EMAIL" not in self.variables:
            self.variables = {}
            for line in self.authms("env").stdout.splitlines():
                line = line.removeprefix("export ")
                if "=" in line and not line.startswith("#"):
                    name, value = line.split("=", 1)
                    self.variables[name] = shlex.split(value)[0] if value else ""
        return dict(self.variables)

    def service_url(self, service):
        ports = {"identity": 11001, "profile": 11002, "session": 11004, "mfa": 11005, "audit": 11013}
        return f"http://127.0.0.1:{ports[service] + self.offset}"
