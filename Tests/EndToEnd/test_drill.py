"""The rehearsal: every cell of the contract under the mixed load, as an operator runs it; and that it can find something."""

import json


def test_the_short_drill_keeps_every_promise_and_loses_nothing(suite, tmp_path):
    page, report = tmp_path / "report.html", tmp_path / "report.json"
    done = suite.authms(
        "drill", "blast-radius", "--short", "--json", str(report), "--html", str(page), check=False, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(report.read_text())
    assert len(found["rows"]) == 5
    assert found["registered"] == found["audited"] > 30 and found["auditedTwice"] == 0
    assert found["lostSessions"] == [] and found["acceptedTokens"] == []
    for row in found["rows"]:
        tried = {cell["capability"] for cell in row["cells"] if cell["worst"] != "untested"}
        assert {"verify", "refresh", "login", "register"} <= tried, row["cause"]
    # An outage that nobody would notice tests nothing.
    assert any(cell["worst"] == "refused" for row in found["rows"] for cell in row["cells"])
    assert any(cell["worst"] == "degraded" for row in found["rows"] for cell in row["cells"])
    assert page.read_text().startswith("<!doctype html>") and "<svg" in page.read_text()


def test_what_cannot_be_broken_is_refused(suite):
    done = suite.authms("drill", "blast-radius", "--cause", "the-moon", check=False)
    assert done.returncode != 0 and "the-moon" in done.stderr
