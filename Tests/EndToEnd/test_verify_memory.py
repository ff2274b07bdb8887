"""Verifying a long trail takes no more memory than a short one."""

import json
import os
import subprocess
import uuid

import psycopg

from waiting import until

RECORDS = 30_000


def verify(suite, tenant):
    """The report on a tenant, and the most that the process had in memory, in MiB."""
    process = subprocess.Popen(
        [suite.binary, "audit", "verify", "--json", "--tenant", tenant],
        cwd=suite.repository, env=suite.environment, stdout=subprocess.PIPE,
    )  # fmt: skip
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, output
    (report,) = json.loads(output)
    return report, usage.ru_maxrss / 1024


def test_the_memory_of_verifying_is_bounded(suite):
    long, short = str(uuid.uuid4()), str(uuid.uuid4())
    with psycopg.connect(suite.env()["IDENTITY_DATABASE_URL"]) as connection:
        for tenant, count in ((short, 10), (long, RECORDS)):
            connection.execute(
                """INSERT INTO outbox (id, type, subject, tenant_id, occurred_at, data)
                   SELECT gen_random_uuid(), 'identity.user.updated', number::text, %s, clock_timestamp(),
                       json_build_object('status', 'success', 'message', repeat('x', 500))
                   FROM generate_series(1, %s) AS number""",
                (tenant, count),
            )

    def recorded():
        with psycopg.connect(suite.env()["AUDIT_DATABASE_URL"]) as connection:
            found = connection.execute(
                "SELECT count(*) FROM audit_chains WHERE tenant_id = %s AND sequence >= %s", (long, RECORDS)
            )
            return found.fetchone()[0] == 1

    until(recorded, seconds=90, every=0.25, saying="the long trail is recorded")
    report, base = verify(suite, short)
    assert report["records"] >= 10 and not report["faults"]
    report, used = verify(suite, long)
    assert report["records"] >= RECORDS and not report["faults"]
    # As records of the database they are well over 30 MiB.
    assert used - base < 12, f"{base:.0f} MiB for a short trail, {used:.0f} MiB for {RECORDS} records"
