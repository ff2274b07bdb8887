"""What goes wrong when a suite is started: one clear sentence, a documented exit code, and once it is mended it starts.

A suite of its own, so that the one that the other tests use goes on.
"""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

import httpx
import pytest

from conftest import Account
from suite import Suite, free_offset, let_in
from waiting import until

USAGE, IN_USE, FULL, MISSING, CONFIGURATION = 64, 75, 74, 69, 78
ORIGIN = "https://app.example.org"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system of its own")


@pytest.fixture(scope="module")
def place(repository, tmp_path_factory):
    """A suite that is not running, in a directory of its own."""
    home = tmp_path_factory.mktemp("failures")
    let_in(home)
    made = Suite(repository, home, GATEWAY_CORS_ORIGINS=ORIGIN)
    yield made
    made.stop()


def fails(place, code, *words, wrapped=(), environment=None, command=("up",), within=60):
    """The command ends with the code and, on standard error, one sentence that has the words."""
    done = subprocess.run(
        [*wrapped, place.binary, *command], cwd=place.repository, env={**place.environment, **(environment or {})},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=within,
    )  # fmt: skip
    said = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert len(said) == 1 and said[0].startswith("authms: ") and said[0].endswith((".", "?", ")")), said
    for word in words:
        assert word in said[0], said[0]


@needs_root
def test_a_full_disk_is_named_and_with_room_the_same_place_is_used(place, tmp_path):
    home = tmp_path / "small"
    home.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "authms-test", home], check=True)
    try:
        fails(place, FULL, str(home), "is full", environment={"AUTHMS_HOME": str(home)})
        # Room, but not for long: something is written until there is none left.
        subprocess.run(["mount", "-o", "remount,size=1m", home], check=True)
        (home / "filler").write_bytes(b"x" * (1 << 19))
        fails(place, FULL, str(home), "is full", environment={"AUTHMS_HOME": str(home)})
    finally:
        subprocess.run(["umount", home], check=True)


def test_a_port_in_use_is_named_with_who_holds_it(place):
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 11004 + place.offset))
        holder.listen()
        fails(place, IN_USE, f"Port {11004 + place.offset}", "session", "is in use by")


@pytest.mark.parametrize("part", ["CERTIFICATE", "PRIVATE_KEY"])
def test_a_certificate_for_the_gateway_is_refused_instead_of_never_becoming_ready(place, part):
    name = f"GATEWAY_TLS_{part}_FILE"
    fails(place, CONFIGURATION, "plain HTTP", f"unset {name}", environment={name: "/etc/ssl/pair.pem"})


@needs_root
@pytest.mark.parametrize("program", ["redis-server", "postgres", "rabbitmq-server", "epmd"])
def test_a_program_that_is_not_there_is_named_with_what_installs_it(place, program):
    if program == "postgres":
        found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))[-1]
    elif program == "rabbitmq-server":
        found = sorted(pathlib.Path("/usr/lib/rabbitmq/lib").glob("*/sbin/rabbitmq-server"))[-1]
    else:
        found = pathlib.Path(shutil.which(program))
    if program == "rabbitmq-server":  # and the script that changes the user, which would be found next
        hide = f"mount --bind /dev/null {found} && mount --bind /dev/null {shutil.which('rabbitmq-server')}"
    else:
        hide = f"mount --bind /dev/null {found}"
    wrapped = ["unshare", "--mount", "sh", "-ec", f'{hide}; exec "$@"', "sh"]
    fails(place, MISSING, found.name if program != "postgres" else "initdb", "install", wrapped=wrapped)


def test_an_empty_path_is_no_obstacle_to_what_lies_where_it_always_does(place):
    """The programs' usual directories are searched as well, and what is missing is still the port that is in use."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 11004 + place.offset))
        holder.listen()
        fails(place, IN_USE, f"Port {11004 + place.offset}", environment={"PATH": ""})


def test_a_start_that_was_cut_short_is_begun_anew(place):
    """Killed while everything is being made for the first time: databases, broker and Redis are half there."""
    # What an earlier attempt has made would not be made for the first time.
    place.stop()
    place.authms("down", "--wipe")
    log = (place.home / "cut.log").open("wb")
    process = subprocess.Popen(
        [place.binary, "up"], cwd=place.repository, env=place.environment, stdin=subprocess.DEVNULL, stdout=log,
        stderr=log,
    )  # fmt: skip
    until(lambda: any(place.home.glob("rabbitmq/mnesia/*")), seconds=60, every=0.005, saying="the broker begins")
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    assert (place.home / "rabbitmq/first-start").exists(), "the broker was ready already: nothing was cut short"
    # As a crash in the middle of a write leaves them.
    for node in place.home.glob("rabbitmq/mnesia/*/"):
        (node / "schema.DAT").write_bytes(b"half")
    shutil.rmtree(place.home / "pg/mfa/data/base", ignore_errors=True)
    (place.home / "pg/mfa/initialised").unlink(missing_ok=True)
    (place.home / "redis").mkdir(exist_ok=True)
    (place.home / "redis/dump.rdb").write_bytes(b"REDIS0010\xfa\x09redis-ver")
    place.start()
    assert (place.home / "redis/dump.rdb.damaged").exists()
    assert not (place.home / "rabbitmq/first-start").exists()


@pytest.fixture
def running(place):
    """That suite, started by an earlier test or now: one that failed may have left it stopped."""
    if place.process is None or place.process.poll() is not None:
        place.start()
    return place


@pytest.fixture
def ada(running):
    """A user of that suite."""
    with httpx.Client(base_url=running.gateway, timeout=15) as client:
        yield Account(client)


def test_what_is_said_at_the_end_of_a_start_works_in_that_shell(place, running):
    """The password is that of the first start, which `authms env` goes on printing."""
    said = place.said()
    assert f"  {place.gateway}/docs" in said and "  make demo " in said and "  make down " in said
    assert f"  {place.binary} env " in said
    page = httpx.get(f"{place.gateway}/docs", follow_redirects=True)
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    assert not re.search(r"^ *authms ", said, re.MULTILINE), "that is in nobody's PATH"
    if "First administrator" in said:
        assert place.env()["ADMIN_PASSWORD"] in said and "shown once" not in said


def test_a_second_suite_in_the_same_place_is_refused(place, ada):
    fails(place, IN_USE, f"process {place.process.pid}", "authms down")


def test_ctrl_c_stops_everything_and_the_next_start_is_quick_and_has_the_data(place, ada):
    tokens = ada.login()
    place.stop()
    assert place.authms("status", check=False).returncode == 3
    began = time.monotonic()
    place.start()
    took = time.monotonic() - began
    # 15 s on a quiet machine; what is looked for here is a start that begins from nothing again.
    assert took < 60, f"a second start took {took:.1f} s"
    assert ada.login()["user_id"] == ada.id
    assert ada.me(tokens["access_token"]).status_code == 200
    assert ada.refresh(tokens["refresh_token"]).status_code == 200


def test_the_broker_s_log_has_nothing_of_being_asked_whether_it_is_there(place, running):
    log = (place.home / "log" / "rabbitmq.log").read_text()
    assert "Starting broker" in log
    assert "client unexpectedly closed" not in log
    # Its banner it colours, whatever it is told.
    assert not re.search(r"\x1b\[[0-9;]*m20\d\d-", log)


def test_commands_elsewhere_find_the_suite_without_its_offset_and_are_told_of_a_wrong_one(place, running):
    untold = {name: value for name, value in place.environment.items() if name != "AUTHMS_PORT_OFFSET"}
    for command in (["env", "--only", "GATEWAY_URL"], ["users", "list"], ["migrate", "audit"]):
        done = subprocess.run(
            [place.binary, *command], cwd=place.repository, env=untold, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        if command[0] == "env":
            assert done.stdout.strip() == place.gateway
    wrong = str(place.offset + 1)
    fails(
        place, USAGE, f"AUTHMS_PORT_OFFSET is {wrong}", f"started with {place.offset}", command=("env",),
        environment={"AUTHMS_PORT_OFFSET": wrong},
    )  # fmt: skip


def test_with_other_ports_the_broker_keeps_what_it_had(place, running):
    place.authms("consumers", "add", "moved")
    old = place.environment["AUTHMS_PORT_OFFSET"]
    place.stop()
    place.environment["AUTHMS_PORT_OFFSET"] = str(free_offset(beside=place.offset))
    try:
        place.start()
        assert "moved" in place.authms("consumers", "list").stdout
        place.authms("consumers", "remove", "moved")
    finally:
        place.environment["AUTHMS_PORT_OFFSET"] = old
        place.stop()
    place.start()


def test_health_keys_and_migrate_do_what_they_say(place, running, tmp_path):
    port = str(11001 + place.offset)
    assert '"status"' in place.authms("health", "--port", port).stdout
    nobody = place.authms("health", "--port", "1", check=False)
    assert nobody.returncode == 1 and "nothing answers on port 1" in nobody.stdout
    ring = str(tmp_path / "ring")
    place.authms("keys", "generate", "--directory", ring)
    before = (tmp_path / "ring/ring.json").read_text()
    again = place.authms("keys", "generate", "--directory", ring, check=False)
    assert again.returncode == FULL and "there is a key ring already" in again.stderr
    assert (tmp_path / "ring/ring.json").read_text() == before
    assert (tmp_path / "ring/ring.json").stat().st_mode & 0o077 == 0
    done = place.authms("migrate").stdout
    assert done.count(" 0 applied.") == 5, done
    drifted = tmp_path / "migrations"
    shutil.copytree(place.repository / "migrations", drifted)
    first = next((drifted / "identity").glob("0001_*"))
    first.write_text(first.read_text() + "-- later\n")
    # From below the top of the checkout as well, and from where a service is told that they are.
    below = lambda **environment: subprocess.run(
        [place.binary, "migrate", "identity"], cwd=place.repository / "Tests" / "EndToEnd",
        env={**place.environment, **environment}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert " 0 applied." in below().stdout
    elsewhere = below(MIGRATIONS_DIRECTORY=str(drifted))
    assert elsewhere.returncode == CONFIGURATION and "was changed after it had been applied" in elsewhere.stderr
    migrate = ("migrate", "identity", "--directory")
    fails(place, CONFIGURATION, "identity: ", "was changed after it had been applied", command=(*migrate, str(drifted)))
    fails(place, FULL, "identity: ", "/nonexistent", command=(*migrate, "/nonexistent"))
    nowhere = ("--database-url", "postgresql://nobody@127.0.0.1:1/none")
    nobody = place.authms("migrate", "identity", *nowhere, check=False)
    assert nobody.returncode == MISSING and "authms: identity: The database cannot be migrated" in nobody.stderr


def test_a_setting_of_the_reference_reaches_the_service_that_reads_it(place, running):
    allowed = httpx.get(f"{place.gateway}/health", headers={"Origin": ORIGIN})
    assert allowed.headers["access-control-allow-origin"] == ORIGIN
    usual = httpx.get(f"{place.gateway}/health", headers={"Origin": "http://localhost:5173"})
    assert "access-control-allow-origin" not in usual.headers


def test_each_command_to_a_process_says_what_it_leads_to(place, running):
    def says(command, words):
        assert place.authms(command, "profile").stdout.startswith(words), command

    # An earlier attempt may have left it paused or stopped.
    place.authms("continue", "profile")
    place.authms("start", "profile")
    until(place.is_ready, seconds=60, saying="profile is ready")
    says("pause", "profile is paused")
    says("continue", "profile goes on")
    says("stop", "profile has stopped")
    until(lambda: place.unit("profile")["phase"] == "stopped", saying="profile has stopped")
    says("kill", "Nothing was done: profile is stopped")
    says("start", "profile starts")
    until(place.is_ready, seconds=60, saying="profile is ready again")
    says("start", "profile runs already")
    says("restart", "profile has stopped and starts again")
    until(place.is_ready, seconds=60, saying="profile is ready again")
    restarts = place.unit("profile")["restarts"]
    says("kill", "profile was killed and is started again")
    until(lambda: place.unit("profile")["restarts"] > restarts, seconds=60, saying="profile was started again")
    until(place.is_ready, seconds=60, saying="profile is ready again")
    nobody = place.authms("stop", "nobody", check=False)
    assert nobody.returncode != 0 and "There is no process 'nobody'" in nobody.stderr


def serve(place, service, tmp_path, **environment):
    """What `authms serve` needs of the running suite's secrets, so that one thing at a time can be wrong."""
    env = place.env()
    return {
        "HTTP_PORT": "0", "DATABASE_URL": env[f"{service.upper()}_DATABASE_URL"] if service != "gateway" else "",
        "REDIS_URL": env["REDIS_URL"], "RABBITMQ_URL": env["AMQP_URL"], "KEYS_DIRECTORY": env["KEYS_DIRECTORY"],
        "KEYS_JWKS_FILE": f"{env['KEYS_DIRECTORY']}/jwks.json", "INTERNAL_SECRET": env["INTERNAL_SECRET"],
        "PASSWORD_PEPPER": "p" * 32, "MFA_ENCRYPTION_KEY": "m" * 32, **environment,
    }  # fmt: skip


@pytest.mark.parametrize(
    "service, wrong, code, words",
    [
        ("identity", {"DATABASE_URL": "mysql://nowhere"}, CONFIGURATION, ["postgresql://"]),
        ("identity", {"DATABASE_URL": ""}, CONFIGURATION, ["database.url is not set", "DATABASE_URL"]),
        ("identity", {"DATABASE_POOL_SIZE": "many"}, CONFIGURATION, ["database.pool_size", '"many"']),
        ("session", {"RABBITMQ_URL": "http://broker"}, CONFIGURATION, ["amqp"]),
        ("session", {"REDIS_URL": "redis://"}, CONFIGURATION, ["Redis URL"]),
        ("session", {"KEYS_DIRECTORY": "/nonexistent"}, CONFIGURATION, ["/nonexistent/ring.json"]),
        ("identity", {"PASSWORD_PEPPER": "short"}, CONFIGURATION, ["password.pepper", "at least 32 bytes"]),
        ("profile", {"KEYS_JWKS_FILE": "/dev/null"}, CONFIGURATION, ["/dev/null"]),
        ("gateway", {"GATEWAY_ROUTES_FILE": "/nonexistent.yaml"}, CONFIGURATION, ["/nonexistent.yaml"]),
        ("audit", {"SECRETS_DIRECTORY": "/nonexistent"}, CONFIGURATION, ["/nonexistent"]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_a_service_that_is_configured_wrongly_says_which_setting_it_is(place, running, tmp_path, service, wrong, code, words):
    environment = {**serve(place, service, tmp_path), **wrong}
    fails(place, code, *words, environment=environment, command=("serve", service))


def test_a_setting_that_nothing_reads_is_refused_on_the_command_line_and_warned_of_in_the_file(place, running, tmp_path):
    fails(
        place, CONFIGURATION, "token.lifetme", "Did you mean token.lifetime?",
        environment=serve(place, "mfa", tmp_path), command=("serve", "mfa", "--set", "token.lifetme=5m"),
    )  # fmt: skip
    (tmp_path / "service").mkdir()
    (tmp_path / "service/mfa.yaml").write_text("log:\n  levle: debug\n")
    with subprocess.Popen(
        [place.binary, "serve", "mfa", "--configs", str(tmp_path)], cwd=place.repository,
        env={**place.environment, **serve(place, "mfa", tmp_path)}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        try:
            said = next((line for line in process.stdout if "log.levle" in line), "")
        finally:
            process.kill()
    assert "warning" in said and "Did you mean log.level?" in said


@pytest.mark.parametrize("service", ["identity", "session", "profile", "mfa", "audit", "gateway"])
def test_a_service_on_a_port_that_is_taken_says_by_whom(place, running, tmp_path, service):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        fails(
            place, IN_USE, f"Port {port}", service, "is in use by",
            environment=serve(place, service, tmp_path, HTTP_PORT=str(port)), command=("serve", service),
        )  # fmt: skip


def test_secrets_are_read_from_a_mounted_directory(place, running, tmp_path):
    environment = serve(place, "mfa", tmp_path)
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name in ("DATABASE_URL", "INTERNAL_SECRET", "MFA_ENCRYPTION_KEY"):
        (secrets / name.lower().replace("_", "-")).write_text(environment.pop(name) + "\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment |= {"SECRETS_DIRECTORY": str(secrets), "HTTP_PORT": str(port)}
    said = tmp_path / "said.txt"
    process = subprocess.Popen(
        [place.binary, "serve", "mfa"], cwd=place.repository, env={**place.environment, **environment},
        stdin=subprocess.DEVNULL, stdout=said.open("w"), stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        until(
            lambda: process.poll() is not None or place.authms("health", "--port", str(port), check=False).returncode == 0,
            seconds=20, saying="the service is ready with its secrets from files",
        )  # fmt: skip
    finally:
        process.terminate()
        assert process.wait(30) == 0, said.read_text()


@needs_root
def test_bench_names_the_program_that_it_measures_with(place):
    found = shutil.which("openssl")
    wrapped = ["unshare", "--mount", "sh", "-ec", f'mount --bind /dev/null {found}; exec "$@"', "sh"]
    fails(place, MISSING, "openssl", "make bench", wrapped=wrapped, command=("bench", "tokens"))


def test_down_stops_it_and_wipe_forgets_it(place, running):
    assert "The suite has stopped." in place.authms("down", timeout=100).stdout
    assert place.process.wait(30) == 0
    again = place.authms("down", check=False)
    assert again.returncode == 3 and "does not run here" in again.stderr
    assert (place.home / "pg/identity/data").exists()
    # Mails hold addresses and codes.
    (place.home / "mail").mkdir(exist_ok=True)
    (place.home / "mail/one.eml").write_text("To: ada@example.org\n")
    place.authms("down", "--wipe")
    assert [path.name for path in place.home.iterdir() if path.is_dir()] == []
    gone = place.authms("env", check=False)
    assert gone.returncode == 3 and "make up" in gone.stderr


@needs_root
def test_an_ordinary_user_runs_it_too(repository, tmp_path):
    """Everything is that user's own; PostgreSQL needs no other account then."""
    home = pathlib.Path("/var/tmp") / f"authms-nobody-{os.getpid()}"
    home.mkdir(mode=0o755)
    shutil.chown(home, "nobody")
    made = Suite(repository, home)
    # Wherever the checkout lies, the user must be able to run what was built in it.
    shutil.copy(made.binary, home / "authms")
    (home / "authms").chmod(0o755)
    inner = ["runuser", "-u", "nobody", "--", str(home / "authms")]
    readable = subprocess.run(["runuser", "-u", "nobody", "--", "test", "-r", repository / "migrations"], check=False)
    if readable.returncode != 0:
        shutil.rmtree(home)
        pytest.skip(f"the user nobody may not read {repository}")
    log = (home / "nobody.log").open("wb")
    process = subprocess.Popen(
        [*inner, "up"], cwd=repository, env=made.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
    )
    try:
        status = lambda: subprocess.run(
            [*inner, "status"], cwd=repository, env=made.environment, capture_output=True, check=False
        ).returncode
        until(lambda: status() == 0, seconds=90, every=0.25, saying=f"the suite is ready (see {log.name})")
        with httpx.Client(base_url=made.gateway, timeout=15) as client:
            assert Account(client).login()["access_token"]
        owners = {path.owner() for path in home.glob("pg/*/data")}
        assert owners == {"nobody"}
    finally:
        subprocess.run([*inner, "down", "--wipe"], cwd=repository, env=made.environment, check=False, timeout=100)
        process.wait(60)
        log.close()
        shutil.rmtree(home, ignore_errors=True)
