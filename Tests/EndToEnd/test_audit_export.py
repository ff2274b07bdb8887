"""Taking the trail along and listening to it, through the gateway, as an auditor's own programs would."""

import csv
import io
import json

import httpx

from waiting import until


def recorded(auditor, account):
    """Waits until the account's registration is in the trail."""
    query = {"user_id": account.id, "action": "identity.user.registered"}
    until(lambda: auditor.get("/admin/audit/logs", params=query).json()["total"] == 1, seconds=20)


def test_an_export_is_verified_offline_and_an_edited_one_is_not(suite, auditor, account, tmp_path):
    recorded(auditor, account)
    signed = lambda: auditor.get("/admin/audit/merkle-root").status_code == 200
    until(signed, seconds=90, every=0.5, saying="a first checkpoint is signed")
    answer = auditor.post("/admin/audit/export", params={"format": "ndjson"})
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("application/x-ndjson")
    lines = answer.text.splitlines()
    records = [json.loads(line) for line in lines if not line.startswith('{"checkpoint"')]
    assert [record["sequence"] for record in records] == list(range(1, len(records) + 1))
    assert any(record["target_id"] == account.id for record in records)

    whole, edited, cut = tmp_path / "whole", tmp_path / "edited", tmp_path / "cut"
    whole.write_text(answer.text)
    done = suite.authms("audit", "verify", "--json", "--export", str(whole))
    (report,) = json.loads(done.stdout)
    assert report["records"] == len(records) and report["faults"] == []

    changed = json.loads(lines[2])
    changed["message"] = "nothing happened"
    edited.write_text("\n".join([*lines[:2], json.dumps(changed), *lines[3:]]))
    done = suite.authms("audit", "verify", "--json", "--export", str(edited), check=False)
    (fault,) = json.loads(done.stdout)[0]["faults"]
    assert done.returncode == 1
    assert (fault["kind"], fault["sequence"], fault["record_id"]) == ("altered", 3, changed["id"])

    for unusable in (("--export", str(tmp_path / "none")), ("--export", str(whole), "--jwks", str(tmp_path / "none"))):
        done = suite.authms("audit", "verify", *unusable, check=False)
        assert done.returncode == 74 and str(tmp_path / "none") in done.stderr and not done.stdout

    cut.write_text("\n".join(lines[:2] + lines[3:]))
    done = suite.authms("audit", "verify", "--json", "--export", str(cut), check=False)
    assert done.returncode == 1 and json.loads(done.stdout)[0]["faults"][0]["kind"] == "missing"

    # A tail cut off together with what was signed of it: nobody vouches for the rest, and the kept copies contradict it.
    cut.write_text("\n".join(line for line in lines[:2]))
    done = suite.authms("audit", "verify", "--json", "--export", str(cut), check=False)
    assert done.returncode == 1 and json.loads(done.stdout)[0]["faults"][0]["kind"] == "unanchored"
    copies = str(suite.home / "checkpoints")
    done = suite.authms("audit", "verify", "--json", "--export", str(cut), "--checkpoints", copies, check=False)
    assert done.returncode == 1 and json.loads(done.stdout)[0]["faults"][0]["kind"] == "truncated"


def test_a_filtered_csv_holds_what_was_asked_for_and_the_export_is_audited(auditor, account):
    recorded(auditor, account)
    query = {"format": "csv", "action": "identity.user.registered", "user_id": account.id}
    answer = auditor.post("/admin/audit/export", params=query)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/csv")
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert row["target_id"] == account.id and row["action"] == "identity.user.registered"
    exported = {"action": "audit.log.exported"}
    until(lambda: auditor.get("/admin/audit/logs", params=exported).json()["total"] > 0, seconds=20)
    assert auditor.post("/admin/audit/export", params={"format": "xml"}).status_code == 422


def test_only_who_may_export_or_listen_can(suite, account):
    token = account.login()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    base = f"{suite.gateway}/audit/api/v1/admin/audit"
    assert httpx.post(f"{base}/export", headers=headers).status_code == 403
    assert httpx.get(f"{base}/stream", headers=headers).status_code == 403
    assert httpx.post(f"{base}/export").status_code == 401


def listen(auditor, after, count):
    """The first `count` records of the stream after an id."""
    headers = {"Last-Event-ID": str(after)} if after is not None else {}
    records, number = [], None
    with auditor.stream("GET", "/admin/audit/stream", headers=headers, timeout=30) as answer:
        assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line.startswith("id: "):
                number = int(line[4:])
            elif line.startswith("data: "):
                record = json.loads(line[6:])
                assert record["sequence"] == number
                records.append(record)
                if len(records) == count:
                    return records


def test_the_stream_goes_on_after_the_last_event_without_loss(auditor, make_account):
    for _ in range(3):
        recorded(auditor, make_account())
    first = listen(auditor, 0, 3)
    assert [record["sequence"] for record in first] == [1, 2, 3]
    rest = listen(auditor, 3, 4)
    assert [record["sequence"] for record in rest] == [4, 5, 6, 7]
    assert auditor.get("/admin/audit/stream", headers={"Last-Event-ID": "x"}).status_code == 422


def test_the_operator_sees_how_complete_each_stream_is(suite, auditor, account):
    recorded(auditor, account)
    streams = json.loads(suite.authms("audit", "streams", "--json").stdout)
    identity = next(stream for stream in streams if stream["source"].endswith("/identity"))
    assert identity["complete_to"] > 0 and identity["state"] in ("complete", "behind")
    assert "/identity: " in suite.authms("audit", "streams").stdout
