"""Holds .github/SECURITY.md to the tree: every requirement has its row, and every file, type and test that it names is there."""

import functools
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / ".github" / "SECURITY.md").read_text()
STATES = {"Met", "Partly", "Not met", "Does not apply"}

# OWASP ASVS 5.0.0: how many requirements of levels 1 and 2 each section has, or which, where they are not the first ones.
SECTIONS = {
    "V6.1": 3, "V6.2": 12, "V6.3": 4, "V6.4": 4, "V6.5": 5, "V6.6": 3, "V6.8": 4,
    "V7.1": 3, "V7.2": 4, "V7.3": 2, "V7.4": 5, "V7.5": 2, "V7.6": 2,
    "V8.1": 2, "V8.2": 3, "V8.3": 1, "V8.4": 1,
    "V9.1": 3, "V9.2": 4,
}
REQUIRED = [f"{section}.{number}" for section, count in SECTIONS.items() for number in range(1, count + 1)]


def cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


ROWS = {row[0]: row for row in map(cells, PAGE.splitlines()) if re.fullmatch(r"V\d+\.\d+\.\d+", row[0])}


def part(title):
    """What stands under a heading."""
    return re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL).group(1)


@functools.cache
def sources():
    return "\n".join(path.read_text() for path in sorted((ROOT / "Sources").rglob("*.swift")))


def cited_tests(cell):
    """(file, name) of each test in a cell; nothing for `no test`."""
    if cell == "no test":
        return []
    found = []
    for one in cell.split("<br>"):
        match = re.fullmatch(r'`(Tests/[^`:]+)(?:::(\w+)`|` "(.+)")', one.strip())
        assert match, f"this cites no test: {one}"
        found.append((match.group(1), match.group(2) or match.group(3)))
    return found


def test_every_requirement_has_one_row_and_no_other_is_there():
    listed = [row[0] for row in map(cells, PAGE.splitlines()) if re.fullmatch(r"V\d+\.\d+\.\d+", row[0])]
    assert sorted(listed) == sorted(REQUIRED) and len(REQUIRED) == 67


@pytest.mark.parametrize("identifier", REQUIRED)
def test_a_row_says_what_is_true_of_the_tree(identifier):
    _, asked, state, how, tests = ROWS[identifier]
    assert state in STATES and how and 0 < len(asked.split()) <= 12
    cited = cited_tests(tests)
    assert cited or state != "Met", "what is met has a test"
    for file, name in cited:
        text = (ROOT / file).read_text()
        wanted = rf"^def {name}\(" if file.endswith(".py") else re.escape(f'"{name}"')
        assert re.search(wanted, text, re.MULTILINE), f"{file} has no {name}"
    for named in re.findall(r"`([^`]+)`", how):
        if re.match(r"(Sources|Tests|configs|migrations|docker)/", named):
            assert (ROOT / named).is_file(), f"{named} is not there"
        elif re.fullmatch(r"[A-Z][A-Za-z]+(\.[a-z][A-Za-z]+)?", named):
            for word in named.split("."):
                assert re.search(rf"\b{word}\b", sources()), f"nothing is called {word}"


def test_what_is_not_wholly_met_stands_on_top_and_nothing_else():
    owned_up = re.findall(r"^- \*\*(V[\d.]+)\*\*", part("Not met"), re.MULTILINE)
    assert owned_up == [name for name in REQUIRED if ROWS[name][2] in ("Partly", "Not met")]
    assert PAGE.index("## Not met") < PAGE.index("## Report a weakness")


def in_words(literal):
    """A default as Swift has it, as the page has it."""
    if match := re.fullmatch(r"\.(seconds|days)\(([\d_]+)\)", literal):
        return match.group(2).replace("_", "") + match.group(1)[0]
    return literal.strip('[]"').replace("_", "")


def test_the_defaults_are_those_of_the_program():
    settings = re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \| (\S+) \|", PAGE, re.MULTILINE)
    assert {"bruteforce.account_free", "password.context_words", "session.idle_timeout"} <= {name for name, _ in settings}
    for name, said in settings:
        match = re.search(rf'"{re.escape(name)}",\s+default: (\[[^\]]*\]|\.\w+\([\d_]+\)|[\w]+)', sources())
        assert match, f"no setting is called {name}"
        assert in_words(match.group(1)) == said, f"{name} is {match.group(1)}"
    named = set(re.findall(r"`((?:bruteforce|session|password|token|mfa|jwt|internal|webauthn)\.[a-z_.]+)`", PAGE))
    for name in named - {"session.revoked"}:
        assert f'"{name}"' in sources(), f"no setting is called {name}"


def test_every_public_call_is_among_the_ways_in():
    routes = (ROOT / "configs" / "gateway" / "routes.yaml").read_text()
    public = routes[routes.index("\npublic:") : routes.index("\noverrides:")]
    paths = set(re.findall(r"path: (/\S+), methods: \[POST\]", public))
    assert {"/auth/login", "/tokens/revoke"} <= paths
    ways = part("Ways in")
    assert {path for path in paths if f"`{path}`" not in ways} == set()


def test_every_permission_is_explained():
    permissions = (ROOT / "Sources" / "Contracts" / "Permissions.swift").read_text()
    names = re.findall(r'case \w+ = "([a-z_]+:[a-z_]+)"', permissions)
    rules = part("Who may do what")
    assert len(names) >= 15 and [name for name in names if f"`{name}`" not in rules] == []
    for role in ("owner", "admin", "auditor", "member"):
        assert f"`{role}`" in rules


def test_the_only_page_asks_for_no_password():
    pages = sorted(path.relative_to(ROOT) for path in ROOT.glob("configs/**/*.html"))
    assert pages == [pathlib.Path("configs/openapi/page/index.html")]
    for file in ("index.html", "page.js"):
        text = (ROOT / "configs" / "openapi" / "page" / file).read_text()
        assert not re.search(r"""type\s*[=:]\s*["']password""", text, re.IGNORECASE)


def test_there_are_no_hints_and_no_secret_questions():
    for file in (ROOT / "configs" / "openapi" / "identity").glob("*.yaml"):
        found = re.search(r"password_hint|security_question|secret_question|secret_answer", file.read_text())
        assert not found, f"{file.name}: {found}"


def test_the_readme_leads_here():
    assert "(.github/SECURITY.md)" in (ROOT / "README.md").read_text()
