"""A command that has started a suite of its own is interrupted: nothing of it stays."""

import os
import pathlib
import signal
import subprocess

import pytest

from suite import let_in
from waiting import until


def processes_of(directory):
    """The programs of the processes whose command line or working directory lies in a directory."""
    found = []
    for process in pathlib.Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            told = (process / "cmdline").read_bytes().decode(errors="replace") + " " + os.readlink(process / "cwd")
            program = (process / "comm").read_text().strip()
        except OSError:
            continue  # ended meanwhile
        if str(directory) in told:
            found.append(program)
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_measurement_that_is_interrupted_leaves_nothing_behind(repository, tmp_path, number):
    let_in(tmp_path)
    authms = os.environ.get("AUTHMS", str(repository / ".build" / "release" / "authms"))
    with open(tmp_path / "said", "wb") as said:
        bench = subprocess.Popen(
            [authms, "bench", "revocation"], cwd=repository, env={**os.environ, "TMPDIR": str(tmp_path)},
            stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        until(lambda: "postgres" in processes_of(tmp_path), seconds=60, saying="a database of its own runs")
        # As a terminal does it: to the group of the command, which the suite is not in.
        os.killpg(bench.pid, number)
        assert bench.wait(60) == 128 + number
    finally:
        bench.kill()
    assert "Stopping the suite of its own" in (tmp_path / "said").read_text()
    until(lambda: processes_of(tmp_path) == [], seconds=10, saying="no process of it is left")
    assert [entry.name for entry in tmp_path.iterdir()] == ["said"]
