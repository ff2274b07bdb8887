"""What `.scripts/build` looks at before it compiles; the compiler and the disk are stand-ins."""

import os
import pathlib
import shutil
import subprocess

import pytest


@pytest.fixture
def checkout(repository, tmp_path):
    """A directory with the script, a compiler that does nothing and a disk that has 100 MiB left."""
    scripts = tmp_path / ".scripts"
    scripts.mkdir()
    shutil.copy(repository / ".scripts/build", scripts / "build")
    executable(scripts / "toolchain", "echo true")
    executable(tmp_path / "programs/df", "printf 'Filesystem 1M Used Available\\ndisk 1000 900 100\\n'")
    return tmp_path


def executable(path: pathlib.Path, command):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{command}\n")
    path.chmod(0o755)


def build(checkout):
    environment = {**os.environ, "PATH": f"{checkout / 'programs'}:{os.environ['PATH']}"}
    return subprocess.run(
        [checkout / ".scripts/build", "program"], env=environment, capture_output=True, text=True, timeout=30
    )


def test_a_first_build_that_was_cut_short_still_needs_the_room_of_a_first_one(checkout):
    (checkout / ".build/release").mkdir(parents=True)
    full = build(checkout)
    assert full.returncode == 74 and "100 MiB are free" in full.stderr, (full.stdout, full.stderr)


def test_a_build_after_the_first_is_begun_with_less(checkout):
    executable(checkout / ".build/release/authms", "exit 0")
    done = build(checkout)
    assert done.returncode == 0 and done.stdout == "", (done.stdout, done.stderr)
