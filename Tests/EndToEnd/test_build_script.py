"""What `.scripts/build` looks at before it compiles; the compiler and the disk are stand-ins."""

import ctypes
import mmap
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


def test_a_build_that_failed_says_so(checkout):
    executable(checkout / ".build/release/authms", "exit 0")
    executable(checkout / ".scripts/toolchain", "echo false")
    assert build(checkout).returncode == 1


def test_the_program_does_not_stay_in_memory_as_the_linker_wrote_it(checkout):
    program = checkout / ".build/release/authms"
    executable(program, "#" * 8_000_000)
    assert resident(program) > 4_000_000
    done = build(checkout)
    if resident_is_kept(checkout):
        pytest.skip("this file system keeps no pages apart from its files")
    assert done.returncode == 0 and resident(program) < 1_000_000


def resident(path):
    """How many bytes of a file the page cache holds."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as mapped:
        start = ctypes.c_char.from_buffer(mapped)
        pages = (ctypes.c_ubyte * -(-len(mapped) // mmap.PAGESIZE))()
        asked = ctypes.CDLL(None).mincore(ctypes.byref(start), ctypes.c_size_t(len(mapped)), pages)
        del start  # or the mapping cannot be closed
        assert asked == 0
        return sum(page & 1 for page in pages) * mmap.PAGESIZE


def resident_is_kept(directory):
    kind = subprocess.run(["stat", "--file-system", "--format", "%T", directory], capture_output=True, text=True, check=True)
    return kind.stdout.strip() in ("tmpfs", "ramfs", "overlayfs")
