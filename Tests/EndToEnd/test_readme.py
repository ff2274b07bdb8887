"""Holds README.md to the tree: the files, commands, options, settings and calls that it names are there."""

import pathlib
import re

from ruamel.yaml import YAML

from test_degraded import CONTRACT, PROFILE_GONE, REFUSED, SHORT, TOKEN_ONLY, WORKS

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "README.md").read_text()
COMMANDS = "\n".join(path.read_text() for path in sorted((ROOT / "Sources" / "authms").rglob("*.swift")))
SERVICES = ("identity", "session", "profile", "mfa", "audit")


def test_every_file_that_it_names_is_there():
    named = set(re.findall(r"(?<![\w/.])((?:Tests|configs|migrations|docker|\.scripts|\.github)/[\w./+-]+)", PAGE))
    assert {"Tests/EndToEnd/test_degraded.py", "configs/alerts/authms.rules.yaml"} <= named
    made = {"docker/secrets", "docker/secrets/mail.env"}
    assert [name for name in named - made if not (ROOT / name.rstrip(".")).exists()] == []


def test_the_picture_of_the_tree_has_every_library():
    picture = PAGE[PAGE.index("\nSources/\n") : PAGE.index("\nTests/  ")]
    named = set(re.findall(r"\b(\w+)/", picture)) - {"Sources"}
    there = {path.name for path in (ROOT / "Sources").iterdir() if any(path.glob("**/*.swift"))}
    assert there - named == set()
    assert named - {path.name for path in (ROOT / "Sources").iterdir()} == set()
    shared = re.search(r"what every service shares: ([\w\s]+?)\n  Identity", picture).group(1).split()
    assert set(shared) == {path.name for path in (ROOT / "Sources" / "MicroMiddleware").iterdir() if path.is_dir()}


def test_every_target_of_make_is_there():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z]+)", PAGE, re.MULTILINE))
    assert {"up", "test", "heavy", "fuzz", "soak", "bench", "demo"} <= named and named <= targets


def test_every_option_of_a_command_is_there():
    lines = [line for line in PAGE.splitlines() if "authms " in line and "docker compose" not in line]
    named = {option for line in lines for option in re.findall(r"(?<![\w-])--([a-z][a-z-]+)", line)}
    assert {"rolling", "new-device-mail", "json"} <= named
    for option in named - {"help", "generate-completion-script"}:
        head, *rest = option.split("-")
        variable = re.compile(rf"var {head}{''.join(f'({part}|{part.capitalize()}|{part.upper()})' for part in rest)}\b")
        assert variable.search(COMMANDS) or f'customLong("{option}")' in COMMANDS, f"--{option}"


def test_the_exit_codes_are_those_of_the_help(suite):
    flat = lambda text: " ".join(text.split())
    codes = flat(suite.authms("--help").stdout).split("Exit codes: ")[1].split(" USAGE:")[0]
    assert codes.startswith("0 done;") and "69 a program or a server is not there" in codes
    assert codes in flat(PAGE)


def test_every_command_is_there():
    named = set(re.findall(r"(?:^\$? ?|`)authms ([a-z][a-z-]*)", PAGE, re.MULTILINE))
    assert {"users", "sessions", "mfa", "mail", "bench", "warmup"} <= named
    known = set(re.findall(r'commandName: "([a-z-]+)"', COMMANDS))
    known |= {name.lower() for name in re.findall(r"(\w+)\.self", COMMANDS)}
    assert named <= known, named - known


def test_every_call_is_in_the_documents():
    """Those behind /{service}/api/v1, and those of a sentence that names the service before."""
    documents = [file for service in SERVICES for file in (ROOT / "configs" / "openapi" / service).glob("*.yaml")]
    paths = {path for file in documents for path in YAML(typ="safe").load(file.read_text()).get("paths") or {}}
    shape = lambda path: re.sub(r"\{\w+\}|\$ID|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "{}", path)
    known = {shape(path) for path in paths}
    path = r"(/[\w/{}$.-]*[\w}])"
    named = set(re.findall(rf"/(?:{'|'.join(SERVICES)})/api/v1{path}", PAGE))
    assert {"/auth/login", "/trusted-devices", "/profiles/{id}", "/admin/dead-letters"} <= named
    short = {one for one in re.findall(rf"`(?:GET|POST|PUT|DELETE) {path}", PAGE) if "/api/v1/" not in one}
    assert {"/mfa/totp/setup", "/admin/mfa/policy"} <= short
    assert {one for one in named | short if shape(one) not in known} == set()


def test_every_setting_is_in_the_reference_with_type_and_meaning(suite):
    reference = suite.authms("config", "reference").stdout
    rows = [re.split(r"(?<!\\) \| ", line.strip("| ")) for line in reference.splitlines() if line.startswith("| `")]
    assert len(rows) > 50 and all(len(row) == 5 and all(row) for row in rows)
    groups = "smtp|mail|messaging|http|warmup|cache"
    named = set(re.findall(rf"`((?:{groups})\.[a-z_]+)`", PAGE))
    assert {"smtp.url", "mail.from", "messaging.retry_delays"} <= named
    assert named <= {row[0].strip("`") for row in rows}
    variables = {"PASSWORD_PEPPER_PREVIOUS", "MFA_ENCRYPTION_KEY_PREVIOUS", "WEBAUTHN_RP_ID", "AUDIT_RETENTION_MONTHS",
        "GATEWAY_TLS_CERTIFICATE_FILE", "GATEWAY_TLS_PRIVATE_KEY_FILE", "SESSION_IDLE_TIMEOUT", "SECRETS_DIRECTORY"}  # fmt: skip
    assert {name for name in variables if name not in PAGE} == set()
    assert variables <= {row[1].strip("`") for row in rows}


def test_a_c_library_is_imported_by_one_module_alone():
    importers = {}
    for path in (ROOT / "Sources").glob("*/**/*.swift"):
        for name in re.findall(r"^(?:\w+ )?import (C[A-Z]\w+)$", path.read_text(), re.MULTILINE):
            if (ROOT / "Sources" / name).is_dir():
                importers.setdefault(name, set()).add(path.relative_to(ROOT).parts[1])
    assert len(importers) >= 8 and [name for name, modules in importers.items() if len(modules) > 1] == []


def test_the_table_of_what_works_is_the_one_that_is_tried():
    lines = PAGE[PAGE.index("| gone →") :].split("\n\n")[0].splitlines()
    head, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if not line.startswith("|---")]
    columns = [head.index(name) for name in ("verify a token", "refresh", "log in", "register", "log in, second factor")]
    begins = {WORKS: "works", REFUSED: "503", SHORT: "access token of 5 minutes", TOKEN_ONLY: "access token only"}
    tried = 0
    for row in rows:
        cause = re.match(r"(\w+)( database or service|$|:)", row[0].lower())
        if cause is None:
            continue
        tried += 1
        for column, promise in zip(columns, CONTRACT[cause.group(1)]):
            said = row[column] if row[column] != "same" else row[column - 1]
            assert said.startswith(begins[promise]), f"{row[0]}, {head[column]}: {said}"
        if "profile" in head:
            promise = REFUSED if cause.group(1) in PROFILE_GONE else WORKS
            assert row[head.index("profile")].startswith(begins[promise]), f"{row[0]}, profile"
    assert tried == 7
