"""The demonstration is a test as well: it ends with 0 only where all that it tells came true."""


def test_the_demo_tells_its_story_and_succeeds(suite):
    # Four seconds instead of ten: time for two rounds of what is tried meanwhile.
    done = suite.authms("demo", "--outage", "4", check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
