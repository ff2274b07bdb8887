"""What an operator is told of a stream that is not in order."""

import json

import psycopg

MADE_UP = "urn:authms:service:made-up"


def streams(suite, returncode=0):
    done = suite.authms("audit", "streams", "--json", check=False)
    assert done.returncode == returncode, done.stderr
    return {stream["source"]: stream for stream in json.loads(done.stdout)}


def change(suite, statement, *values):
    with psycopg.connect(suite.env()["AUDIT_DATABASE_SUPERUSER_URL"], dbname="authms_audit") as connection:
        connection.execute(statement, values)


def test_a_gap_and_a_conflict_are_told_apart_and_only_a_conflict_ends_with_1(suite):
    try:
        change(
            suite,
            "INSERT INTO audit_streams (source, complete_to, highest_position, head_position) VALUES (%s, 4, 7, 7)",
            MADE_UP,
        )
        assert streams(suite)[MADE_UP]["state"] == "gap"
        assert f"{MADE_UP}: gap, complete to 4 of 7" in suite.authms("audit", "streams").stdout
        change(
            suite,
            "UPDATE audit_streams SET conflict = 'they differ', conflict_position = 6 WHERE source = %s",
            MADE_UP,
        )
        stream = streams(suite, returncode=1)[MADE_UP]
        assert (stream["state"], stream["conflict"], stream["conflict_position"]) == ("conflict", "they differ", 6)
        shown = suite.authms("audit", "streams", check=False)
        assert shown.returncode == 1 and "at position 6: they differ" in shown.stdout
    finally:
        change(suite, "DELETE FROM audit_streams WHERE source = %s", MADE_UP)


def test_another_suite_s_stream_is_compared_with_its_own_source(suite):
    resolve = ("audit", "streams", "resolve", "identity", "--reason", "a test says so")
    url, database = suite.service_url("identity"), suite.env()["AUDIT_DATABASE_URL"]
    for alone in (("--database-url", database), ("--service-url", url)):
        done = suite.authms(*resolve, *alone, check=False)
        assert done.returncode == 64 and "go together" in done.stderr
    both = ("--database-url", database, "--service-url", url)
    done = suite.authms(*resolve, *both, check=False)
    assert done.returncode == 64 and "INTERNAL_SECRET" in done.stderr
    suite.environment["INTERNAL_SECRET"] = suite.env()["INTERNAL_SECRET"]
    try:
        done = suite.authms(*resolve, *both, check=False)
    finally:
        del suite.environment["INTERNAL_SECRET"]
    assert done.returncode == 1 and "has no conflict" in done.stderr


def test_a_database_that_is_not_there_is_an_error_of_its_own(suite):
    done = suite.authms("audit", "streams", "--database-url", "postgresql://nobody@127.0.0.1:1/none", check=False)
    assert done.returncode == 69 and "cannot be read" in done.stderr
