"""The demonstration is a test as well: it ends with 0 only where all that it tells came true."""

import pytest

pytestmark = pytest.mark.alone


def test_the_demo_tells_its_story_and_succeeds(suite):
    done = suite.authms("demo", check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
