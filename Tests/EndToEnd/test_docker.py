"""The image and the compose file, as far as they can be checked where no container engine runs."""

import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys

import pytest
from ruamel.yaml import YAML

from suite import let_in

BIN = pathlib.Path(sys.executable).parent
REPOSITORY = pathlib.Path(__file__).parents[2]
SERVICES = {"identity": 11001, "profile": 11002, "session": 11004, "mfa": 11005, "audit": 11013}


def test_hadolint_has_nothing_to_say_of_the_dockerfile(repository):
    done = subprocess.run([BIN / "hadolint", repository / "docker/Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_shellcheck_has_nothing_to_say_of_the_scripts(repository):
    scripts = [repository / "docker/prepare", *repository.glob("docker/**/*.sh"), *repository.glob(".scripts/*")]
    scripts += [repository / ".ci/run"]
    scripts = [script for script in scripts if script.read_text().startswith(("#!/usr/bin/env bash", "#!/bin/sh", "#!/bin/bash"))]
    assert len(scripts) > 5
    done = subprocess.run(
        [BIN / "shellcheck", "--severity=warning", *scripts], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_compose_file_keeps_to_the_published_schema(repository):
    done = subprocess.run(
        [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", repository / "docker/compose.yaml"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_service_has_a_database_and_a_network_that_no_other_shares(repository):
    compose = YAML(typ="safe").load((repository / "docker/compose.yaml").read_text())["services"]
    for name, port in SERVICES.items():
        assert compose[name]["environment"]["HTTP_PORT"] == str(port)
        members = {other for other, options in compose.items() if f"{name}-data" in options.get("networks", [])}
        assert members == {name, f"postgres-{name}"}
    published = {name for name, options in compose.items() if "ports" in options}
    assert published == {"gateway"}


def test_a_balancer_in_front_can_be_named_to_the_gateway(repository):
    compose = YAML(typ="safe").load((repository / "docker/compose.yaml").read_text())["services"]
    # Empty is as good as not set.
    assert compose["gateway"]["environment"]["GATEWAY_TRUSTED_PROXIES"] == "${GATEWAY_TRUSTED_PROXIES:-}"


def test_only_the_services_that_sign_can_read_private_keys(repository):
    compose = YAML(typ="safe").load((repository / "docker/compose.yaml").read_text())["services"]
    whole_ring = {
        name
        for name, options in compose.items()
        if any(volume.startswith("./secrets/keys:") for volume in options.get("volumes", []))
    }
    assert whole_ring == {"identity", "session"}


def test_no_service_has_a_file_of_the_ring_mounted_by_itself(prepared):
    """A replacement by rename never gets to such a mount: the container keeps the file that it began with."""
    mounts = {
        name: [volume.split(":")[:2] for volume in options.get("volumes", []) if volume.startswith("./secrets/keys")]
        for name, options in compose_file()["services"].items()
    }
    assert {name for name, found in mounts.items() if found} == {*SERVICES, "gateway"}
    for name, [(source, target)] in ((name, found) for name, found in mounts.items() if found):
        place = prepared.parent / source
        assert place.is_dir() and target == "/run/keys", f"{name} mounts {source}"
        # Also by way of the link, which leads to the same place inside.
        assert (place / "jwks.json").read_text() == "keys\n"
    assert compose_file()["x-environment"]["KEYS_JWKS_FILE"] == "/run/keys/jwks.json"
    assert os.readlink(prepared / "keys/jwks.json") == "public/jwks.json"
    assert {path.name for path in (prepared / "keys/public").iterdir()} == {"jwks.json"}


def test_an_older_cluster_is_given_its_role_by_hand(repository, tmp_path):
    """In `docker compose exec` nothing sets what the image's entrypoint does."""
    psql, said = tmp_path / "psql", tmp_path / "said"
    psql.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >>{said}\ncat >/dev/null\n')
    psql.chmod(0o755)
    (tmp_path / "password").write_text("secret")
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}", "SERVICE_DATABASE": "authms_audit", "SERVICE_ROLE": "worker",
        "SERVICE_PASSWORD_FILE": str(tmp_path / "password"), "SERVICE_ROLE_PASSWORD_FILE": str(tmp_path / "password"),
    }  # fmt: skip
    script = repository / "docker/postgres/10-service-role.sh"
    for given, user in (({}, "postgres"), ({"POSTGRES_USER": "somebody"}, "somebody")):
        said.unlink(missing_ok=True)
        done = subprocess.run([script], env={**environment, **given}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        calls = said.read_text().splitlines()
        assert len(calls) == 2 and all(f"--username {user} " in call for call in calls)


def compose_file():
    return YAML(typ="safe").load((REPOSITORY / "docker/compose.yaml").read_text())


def variables(file):
    return dict(line.split("=", 1) for line in file.read_text().splitlines())


@pytest.fixture(params=[None, 65_534], ids=["whoever tests", "an ordinary user"])
def prepared(request, tmp_path, repository):
    """docker/secrets as docker/prepare leaves it, with an engine that does no more than the key ring needs."""
    if request.param and os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    place, programs = tmp_path / "docker", tmp_path / "bin"
    place.mkdir()
    programs.mkdir()
    shutil.copy(repository / "docker/prepare", place)
    engine = programs / "docker"
    engine.write_text(
        """#!/bin/sh
[ "$1" = build ] && exit 0
for argument; do case "$argument" in *:/keys) directory=${argument%:/keys} ;; esac; done
umask 077
for file in ring.json access-1.pem refresh-1.key; do echo key >"$directory/$file"; done
echo keys >"$directory/jwks.json"
"""
    )
    engine.chmod(0o755)
    who = {}
    if request.param:
        who = {"user": request.param, "group": request.param, "extra_groups": []}
        let_in(tmp_path)
        os.chown(place, request.param, request.param)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    for _ in range(2):  # the second time it finds everything
        done = subprocess.run([place / "prepare"], env=environment, capture_output=True, text=True, **who)
        assert done.returncode == 0, done.stderr
    return place / "secrets"


def test_what_is_mounted_can_be_read_in_containers_and_by_nobody_else_outside(prepared):
    assert stat.S_IMODE(prepared.stat().st_mode) == 0o700
    mounted = [secret["file"] for secret in compose_file()["secrets"].values()]
    for service in compose_file()["services"].values():
        mounted += [v.split(":")[0] for v in service.get("volumes", []) if v.startswith("./secrets")]
    assert len(mounted) > 15
    for name in set(mounted):
        path = prepared.parent / name
        for file in [path, *path.rglob("*")]:
            needed = 0o555 if file.is_dir() else 0o444
            assert stat.S_IMODE(file.stat().st_mode) & needed == needed, f"{file} can be read by its owner alone"
    for file in prepared.glob("*.env"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, f"{file} is for compose alone"


def test_redis_wants_a_password_that_every_service_has(prepared):
    password = (prepared / "redis").read_text().strip()
    assert len(password) == 64
    assert (prepared / "redis.conf").read_text() == f"requirepass {password}\n"
    redis = compose_file()["services"]["redis"]
    assert redis["command"][:2] == ["redis-server", "/run/secrets/redis-conf"] and "redis-conf" in redis["secrets"]
    for service in (*SERVICES, "gateway"):
        assert variables(prepared / f"{service}.env")["REDIS_URL"] == f"redis://:{password}@redis:6379/0"


def test_what_a_service_writes_to_outlives_its_container(prepared):
    compose = compose_file()
    dockerfile = (REPOSITORY / "docker/Dockerfile").read_text()
    for service in SERVICES:
        for name, directory in variables(prepared / f"{service}.env").items():
            if not directory.startswith("/var/lib/authms/"):
                continue
            volumes = [v.split(":") for v in compose["services"][service]["volumes"] if v.split(":")[1] == directory]
            assert volumes and volumes[0][0] in compose["volumes"], f"{name} of {service} lies in no volume"
            # A new volume takes the owner of what the image has there.
            assert re.search(rf"install -d -o authms -g authms .*{directory}\b", dockerfile), directory
    identity = compose["services"]["identity"]
    assert identity["read_only"] and "/tmp" in identity["tmpfs"], "a mail passes through a socket in /tmp"


def test_identity_gets_out_and_no_other_service_does():
    compose = compose_file()
    outward = {name for name, network in compose["networks"].items() if not network.get("internal")}
    reach = {name for name, service in compose["services"].items() if outward & set(service["networks"])}
    assert outward == {"edge", "egress"} and reach == {"gateway", "identity"}
    assert "egress" in compose["services"]["identity"]["networks"]


def test_the_servers_are_of_a_version_that_is_named():
    for name, service in compose_file()["services"].items():
        if "build" not in service:
            assert re.search(r":\d+\.\d+", service["image"]), f"{name} is {service['image']}"
