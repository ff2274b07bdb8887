"""What a superuser did to the trail is found and located by `authms audit verify`: each act on a copy of the suite's own trail."""

import base64
import json
import pathlib
import shutil
import subprocess
import uuid

import psycopg
import pytest
from jwt.algorithms import ECAlgorithm

from waiting import until

OTHER_MONTH = "date_trunc('month', now()) - interval '10 days'"
TENANT = "01900000-0000-7000-8000-000000000001"


def program(name):
    """PostgreSQL's client programs, by the version that the suite runs."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else name


class Trail:
    """A copy of the audit database, made whole and then tampered with by its superuser."""

    def __init__(self, suite, template, directory):
        self.suite = suite
        self.name = f"tampered_{uuid.uuid4().hex[:12]}"
        self.copies = directory / "copies"
        shutil.copytree(template.copies, self.copies)
        self.superuser = suite.env()["AUDIT_DATABASE_SUPERUSER_URL"].rsplit("/", 1)[0]
        with psycopg.connect(f"{self.superuser}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {self.name} TEMPLATE {template.name}")

    def execute(self, *statements):
        """As psql would: the triggers switched off first, and the catalogue open."""
        with psycopg.connect(f"{self.superuser}/{self.name}") as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute("SET allow_system_table_mods = on")
            for statement in statements:
                connection.execute(statement)

    def rows(self, question):
        with psycopg.connect(f"{self.superuser}/{self.name}") as connection:
            return connection.execute(question).fetchall()

    def verify(self, returncode=1):
        """The faults of the default tenant."""
        done = self.suite.authms(
            "audit", "verify", "--json", "--database-url", f"{self.superuser}/{self.name}",
            "--jwks", f"{self.suite.env()['AUDIT_KEYS_DIRECTORY']}/jwks.json", "--checkpoints", str(self.copies),
            "--tenant", TENANT, check=False,
        )  # fmt: skip
        assert done.returncode == returncode, done.stdout + done.stderr
        (report,) = json.loads(done.stdout)
        return report["faults"]


class Template:
    def __init__(self, name, copies):
        self.name, self.copies = name, copies


@pytest.fixture(scope="module")
def template(suite, make_accounts, tmp_path_factory):
    """The suite's trail, with records of two months, all of them signed, as a database that nobody writes to."""
    make_accounts(3)
    env = suite.env()
    marker = uuid.uuid4().hex
    with psycopg.connect(env["IDENTITY_DATABASE_URL"]) as connection:
        connection.execute(
            f"""INSERT INTO outbox (id, type, subject, tenant_id, occurred_at, data)
                SELECT gen_random_uuid(), 'identity.user.updated', %s, '01900000-0000-7000-8000-000000000001',
                    {OTHER_MONTH} + number * interval '1 second', '{{"status":"success"}}'
                FROM generate_series(1, 6) AS number""",
            (marker,),
        )

    def signed():
        with psycopg.connect(env["AUDIT_DATABASE_URL"]) as connection:
            return connection.execute(
                """SELECT count(*) = 6 AND max(sequence) <= (SELECT max(tree_size) FROM audit_checkpoints c
                       WHERE c.tenant_id = '01900000-0000-7000-8000-000000000001')
                   FROM audit_records WHERE target_id = %s""",
                (marker,),
            ).fetchone()[0]

    until(signed, seconds=60, every=0.25, saying="records of two months are in the trail and signed for")
    # The copies first: each is older than what the database has then.
    copies = tmp_path_factory.mktemp("template") / "copies"
    shutil.copytree(env["AUDIT_CHECKPOINT_DIRECTORY"], copies)
    superuser = env["AUDIT_DATABASE_SUPERUSER_URL"].rsplit("/", 1)[0]
    name = f"template_{marker[:12]}"
    with psycopg.connect(f"{superuser}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    dump = subprocess.run(
        [program("pg_dump"), "--no-owner", f"{superuser}/authms_audit"], capture_output=True, check=True
    )
    subprocess.run(
        [program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", f"{superuser}/{name}"],
        input=dump.stdout, check=True, capture_output=True,
    )  # fmt: skip
    return Template(name, copies)


@pytest.fixture(scope="module")
def make_accounts(http):
    from conftest import Account

    return lambda count: [Account(http).login() for _ in range(count)]


@pytest.fixture
def trail(suite, template, tmp_path):
    copy = Trail(suite, template, tmp_path)
    assert copy.verify(returncode=0) == []
    return copy


def months(trail):
    """The two partitions that hold records, the older first, and the first sequence in each."""
    found = trail.rows(
        """SELECT tableoid::regclass::text, min(sequence) FROM audit_records
           WHERE tenant_id = '01900000-0000-7000-8000-000000000001' GROUP BY 1 ORDER BY 1"""
    )
    return found[0], found[-1]


def bounds(partition):
    year, month = (int(part) for part in partition.split("_")[-2:])
    following = (year + 1, 1) if month == 12 else (year, month + 1)
    return "FROM ('%d-%02d-01 00:00:00+00') TO ('%d-%02d-01 00:00:00+00')" % (year, month, *following)


def record_id(trail, sequence):
    ((found,),) = trail.rows(
        f"SELECT id FROM audit_records WHERE tenant_id = '01900000-0000-7000-8000-000000000001' AND sequence = {sequence}"
    )
    return str(found)


OURS = "tenant_id = '01900000-0000-7000-8000-000000000001'"


@pytest.mark.parametrize(
    ("kind", "statements"),
    [
        ("altered", [f"UPDATE audit_records SET message = 'nothing happened' WHERE {OURS} AND sequence = 4"]),
        ("altered", [f"UPDATE audit_records SET operator_id = 'somebody else' WHERE {OURS} AND sequence = 4"]),
        ("missing", [f"DELETE FROM audit_records WHERE {OURS} AND sequence = 4"]),
        (
            "inserted",
            [
                f"""INSERT INTO audit_records
                    SELECT (jsonb_populate_record(r, jsonb_build_object('id', gen_random_uuid()))).*
                    FROM audit_records r WHERE {OURS} AND sequence = 4"""
            ],
        ),
        ("reordered", [f"UPDATE audit_records SET sequence = 9 - sequence WHERE {OURS} AND sequence IN (4, 5)"]),
    ],
    ids=["update", "update-operator", "delete", "insert", "reorder"],
)
def test_a_record_that_was_tampered_with_is_named(trail, kind, statements):
    original = record_id(trail, 4)
    trail.execute(*statements)
    (fault,) = trail.verify()
    assert (fault["kind"], fault["sequence"]) == (kind, 4)
    if kind == "altered":
        assert fault["record_id"] == original
    elif kind != "missing":
        assert fault["record_id"]


@pytest.mark.parametrize("with_head", [False, True], ids=["records", "head-and-checkpoints-too"])
def test_a_truncated_trail_was_signed_for(trail, with_head):
    partitions = [name for (name,) in trail.rows("SELECT inhrelid::regclass::text FROM pg_inherits JOIN pg_class"
                                                 " ON oid = inhrelid WHERE relkind = 'r'")]  # fmt: skip
    trail.execute(
        "ALTER TABLE audit_records DISABLE TRIGGER ALL",
        *(f"ALTER TABLE {name} DISABLE TRIGGER ALL" for name in partitions),
        "TRUNCATE audit_records",
    )
    if with_head:
        trail.execute("DELETE FROM audit_chains", "DELETE FROM audit_checkpoints")
    faults = [fault for fault in trail.verify() if fault["kind"] == "truncated"]
    assert faults and all(fault["sequence"] == 1 for fault in faults)


def test_partitions_swapped_by_their_names_are_found(trail):
    (older, _), (newer, _) = months(trail)
    trail.execute(
        f"ALTER TABLE {older} RENAME TO swapped",
        f"ALTER TABLE {newer} RENAME TO {older}",
        f"ALTER TABLE swapped RENAME TO {newer}",
    )
    (fault,) = trail.verify()
    assert fault["kind"] == "misplaced" and fault["sequence"] == 1
    assert fault["record_id"] == record_id(trail, 1)


def test_partitions_swapped_by_their_bounds_are_found(trail):
    """Detached, and attached where the other was: the catalogue is told so, since the server would look at the rows."""
    (older, _), (newer, _) = months(trail)
    trail.execute(
        f"""WITH bounds AS (SELECT oid, relpartbound FROM pg_class WHERE oid IN ('{older}'::regclass, '{newer}'::regclass))
            UPDATE pg_class SET relpartbound = bounds.relpartbound FROM bounds
            WHERE pg_class.oid IN ('{older}'::regclass, '{newer}'::regclass) AND pg_class.oid <> bounds.oid"""
    )
    (fault,) = trail.verify()
    assert fault["kind"] == "misplaced" and fault["sequence"] == 1 and "whose bounds are" in fault["found"]


def test_partitions_swapped_with_the_times_of_their_records_are_found(trail):
    """The rows made to fit the other month, then detached and attached with each other's bounds."""
    (older, _), (newer, _) = months(trail)
    first_day = {
        older: "date_trunc('month', occurred_at) + interval '1 month'",
        newer: "date_trunc('month', date_trunc('month', occurred_at) - interval '1 day')",
    }
    trail.execute(
        f"ALTER TABLE audit_records DETACH PARTITION {older}",
        f"ALTER TABLE audit_records DETACH PARTITION {newer}",
        *(
            f"UPDATE {name} SET occurred_at = {day} + interval '9 days' + sequence * interval '1 millisecond'"
            for name, day in first_day.items()
        ),
    )
    spans = dict(trail.rows(
        f"""SELECT '{older}', date_trunc('month', min(occurred_at)) FROM {older}
            UNION SELECT '{newer}', date_trunc('month', min(occurred_at)) FROM {newer}"""))  # fmt: skip
    assert len(spans) == 2
    for name, month in spans.items():
        span = bounds(f"x_{month.year}_{month.month}")
        trail.execute(f"ALTER TABLE audit_records ATTACH PARTITION {name} FOR VALUES {span}")
    (fault,) = trail.verify()
    assert (fault["kind"], fault["sequence"]) == ("altered", 1)


# -- checkpoints ------------------------------------------------------------------------------------------------------


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(suite, statement, **changes):
    """Another statement under the audit service's own key, which an attacker may have got hold of."""
    directory = pathlib.Path(suite.env()["AUDIT_KEYS_DIRECTORY"])
    header, payload, _ = statement.split(".")
    kid = json.loads(base64.urlsafe_b64decode(header + "=="))["kid"]
    (entry,) = [entry for entry in json.loads((directory / "ring.json").read_text()) if entry["kid"] == kid]
    algorithm = ECAlgorithm(ECAlgorithm.SHA256)
    key = algorithm.prepare_key((directory / entry["file"]).read_text())
    claims = json.loads(base64.urlsafe_b64decode(payload + "==")) | changes
    signed = f"{header}.{encoded(json.dumps(claims, separators=(',', ':')).encode())}"
    return f"{signed}.{encoded(algorithm.sign(signed.encode(), key))}"


def last_checkpoint(trail):
    return trail.rows(f"SELECT tree_size, statement FROM audit_checkpoints WHERE {OURS} ORDER BY tree_size LIMIT 1")[0]


@pytest.mark.parametrize("signature", ["forged", "ours"])
def test_a_replaced_checkpoint_is_found(suite, trail, signature):
    size, statement = last_checkpoint(trail)
    root = "ab" * 32
    other = sign(suite, statement, root_hash=root)
    if signature == "forged":
        other = other[:-8] + ("A" * 8)
    trail.execute(
        f"""UPDATE audit_checkpoints SET root_hash = '\\x{root}', statement = '{other}'
            WHERE {OURS} AND tree_size = {size}"""
    )
    (fault,) = trail.verify()
    assert (fault["kind"], fault["sequence"]) == (
        "checkpointForged" if signature == "forged" else "checkpointReplaced", size,
    )  # fmt: skip


def test_a_checkpoint_that_was_signed_for_another_trail_is_found_without_copies_as_well(suite, trail):
    size, statement = last_checkpoint(trail)
    root = "cd" * 32
    other = sign(suite, statement, root_hash=root)
    trail.execute(
        f"""UPDATE audit_checkpoints SET root_hash = '\\x{root}', statement = '{other}'
            WHERE {OURS} AND tree_size = {size}"""
    )
    for copy in trail.copies.iterdir():
        copy.unlink()
    (fault,) = trail.verify()
    assert fault["kind"] == "rewritten" and fault["sequence"] <= size


def test_a_removed_checkpoint_is_found_by_its_copy(trail):
    size, _ = last_checkpoint(trail)
    trail.execute(f"DELETE FROM audit_checkpoints WHERE {OURS} AND tree_size = {size}")
    (fault,) = trail.verify()
    assert (fault["kind"], fault["sequence"]) == ("checkpointRemoved", size)


def test_records_dropped_as_if_by_the_retention_policy_are_found(trail):
    """The hashes kept, as the service would: but the trail does not tell of it."""
    (older, first), _ = months(trail)
    month = "-".join(older.split("_")[-2:]) + "-01"
    trail.execute(
        f"INSERT INTO audit_dropped_months (month, records, keep_months) VALUES ('{month}', 6, 12)",
        f"""INSERT INTO audit_dropped_leaves (tenant_id, first_sequence, month, hashes)
            SELECT tenant_id, sequence, '{month}', hash FROM {older}""",
        f"ALTER TABLE audit_records DETACH PARTITION {older}",
        f"DROP TABLE {older}",
    )
    (fault,) = trail.verify()
    assert (fault["kind"], fault["sequence"]) == ("droppedUnaccounted", first)
