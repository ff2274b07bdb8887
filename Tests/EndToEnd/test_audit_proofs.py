"""What an auditor can check without our code: signed roots, inclusion and consistency proofs (RFC 9162), with hashlib and PyJWT."""

import hashlib
import json
import re
import uuid

import httpx
import jwt
import psycopg

from waiting import until


def sha(data):
    return hashlib.sha256(data).digest()


def included(leaf_index, tree_size, record_hash, path, root):
    """RFC 9162 section 2.1.3.2."""
    fn, sn, r = leaf_index, tree_size - 1, sha(b"\x00" + record_hash)
    for p in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = sha(b"\x01" + p + r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = sha(b"\x01" + r + p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


def consistent(first, second, first_root, second_root, path):
    """RFC 9162 section 2.1.4.2."""
    if first == second:
        return not path and first_root == second_root
    path = list(path)
    if first & (first - 1) == 0:
        path.insert(0, first_root)
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = sha(b"\x01" + c + fr), sha(b"\x01" + c + sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = sha(b"\x01" + sr + c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == first_root and sr == second_root


def signed_root(suite, auditor, size=None):
    """The root as signed: verified with the published key, by a library that we did not write."""
    answer = auditor.get("/admin/audit/merkle-root", params={"tree_size": size} if size else None)
    if answer.status_code == 404:
        return None
    statement = answer.json()["data"]["statement"]
    assert jwt.get_unverified_header(statement)["typ"] == "authms-checkpoint+jwt"
    keys = jwt.PyJWKClient(f"{suite.gateway}/audit/api/v1/public/checkpoint-keys")
    key = keys.get_signing_key_from_jwt(statement).key
    claims = jwt.decode(statement, key, algorithms=["ES256"], options={"verify_iat": False})
    assert claims["tree_size"] == answer.json()["data"]["tree_size"]
    return claims


def test_signed_roots_include_every_record_and_only_grow(suite, auditor, make_account):
    make_account().login()
    first = until(lambda: signed_root(suite, auditor), seconds=90, every=1, saying="a first checkpoint is signed")
    last = first["tree_size"]
    for sequence in {1, 2, last // 2 or 1, last - 1 or 1, last}:
        proof = auditor.get("/admin/audit/merkle-proof", params={"sequence": sequence, "tree_size": last}).json()["data"]
        path = [bytes.fromhex(node) for node in proof["path"]]
        record, root = bytes.fromhex(proof["record_hash"]), bytes.fromhex(first["root_hash"])
        assert proof["leaf_index"] == sequence - 1
        assert included(sequence - 1, last, record, path, root)
        assert not included(sequence - 1, last, sha(b"another"), path, root)
    make_account().login()
    grown = lambda: (root := signed_root(suite, auditor)) and root["tree_size"] > last and root
    second = until(grown, seconds=90, every=1, saying="a second checkpoint is signed")
    proof = auditor.get("/admin/audit/merkle-proof", params={"first": last, "second": second["tree_size"]}).json()["data"]
    roots = [bytes.fromhex(root["root_hash"]) for root in (first, second)]
    path = [bytes.fromhex(node) for node in proof["path"]]
    assert consistent(last, second["tree_size"], *roots, path)
    assert not consistent(last, second["tree_size"], sha(b"x"), roots[1], path)


def test_questions_that_cannot_be_answered_say_why(auditor, account):
    for query, status, field in [
        ({}, 422, "record_id"),
        ({"sequence": "x"}, 422, "sequence"),
        ({"record_id": "1"}, 422, "record_id"),
        ({"sequence": 10**12}, 404, None),
        ({"first": 10**12}, 422, "first"),
    ]:
        answer = auditor.get("/admin/audit/merkle-proof", params=query)
        assert answer.status_code == status, answer.text
        if field:
            assert answer.json()["violations"][0]["field"] == field
    member = {"Authorization": f"Bearer {account.login()['access_token']}"}
    assert auditor.get("/admin/audit/merkle-root", headers=member).status_code == 403


def test_the_operator_verifies_the_trail_and_finds_what_was_changed(suite, auditor):
    done = suite.authms("audit", "verify", "--json")
    results = json.loads(done.stdout)
    assert results and all(not result["faults"] for result in results)
    assert any(result["checkpoints"] and result["copies"] for result in results)

    with psycopg.connect(suite.env()["AUDIT_DATABASE_SUPERUSER_URL"], dbname="authms_audit") as connection:
        connection.execute("SET session_replication_role = replica")
        row = connection.execute(
            "SELECT id, tenant_id, sequence, message FROM audit_records ORDER BY sequence LIMIT 1"
        ).fetchone()
        change = "UPDATE audit_records SET message = %s WHERE id = %s"
        connection.execute(change, ("nothing happened", row[0]))
        connection.commit()
        try:
            done = suite.authms("audit", "verify", check=False)
            assert done.returncode == 1
            assert "altered: record 1 is altered" in done.stdout and str(row[0]) in done.stdout
        finally:
            connection.execute(change, (row[3], row[0]))
            connection.commit()
    assert suite.authms("audit", "verify").returncode == 0


def test_of_a_trail_that_is_not_there_nothing_good_is_said(suite, tmp_path):
    nobody = str(uuid.uuid4())
    done = suite.authms("audit", "verify", "--tenant", nobody, check=False)
    assert done.returncode == 1 and f"There is no trail of the tenant {nobody}" in done.stderr and not done.stdout

    done = suite.authms("audit", "verify", "--checkpoints", str(tmp_path / "none"), check=False)
    assert done.returncode == 74 and str(tmp_path / "none") in done.stderr and not (tmp_path / "none").exists()

    superuser = suite.env()["AUDIT_DATABASE_SUPERUSER_URL"].rsplit("/", 1)[0]
    name = f"empty_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(f"{superuser}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = f"{superuser}/{name}"
    suite.authms("migrate", "audit", "--database-url", url)
    verify = ("audit", "verify", "--database-url", url, "--jwks", f"{suite.env()['AUDIT_KEYS_DIRECTORY']}/jwks.json")
    done = suite.authms(*verify, check=False)
    assert done.returncode == 1 and "There is no trail" in done.stderr and "✔" not in done.stdout
    done = suite.authms(*verify, "--json", check=False)
    assert done.returncode == 1 and json.loads(done.stdout) == []


def test_of_another_suite_s_trail_nothing_of_the_local_one_is_used(suite, tmp_path):
    elsewhere = ("audit", "verify", "--database-url", suite.env()["AUDIT_DATABASE_URL"])
    refused = suite.authms(*elsewhere, check=False)
    assert refused.returncode == 64 and "--jwks" in refused.stderr and not refused.stdout
    jwks = tmp_path / "checkpoint-keys.json"
    jwks.write_text(httpx.get(f"{suite.gateway}/audit/api/v1/public/checkpoint-keys").text)
    # The local copies are of this very trail: were they read, they would be counted.
    copies = lambda shown: [int(count) for count in re.findall(r"(\d+) of them in the copies", shown)]
    until(lambda: any(copies(suite.authms("audit", "verify").stdout)), seconds=90, every=0.5, saying="there are copies")
    shown = suite.authms(*elsewhere, "--jwks", str(jwks)).stdout
    assert copies(shown) and not any(copies(shown)) and "No copies of the checkpoints were given" in shown
