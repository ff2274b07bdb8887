"""The image and the compose file, as far as they can be checked where no container engine runs."""

import pathlib
import subprocess
import sys

from ruamel.yaml import YAML

BIN = pathlib.Path(sys.executable).parent
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


def test_only_the_services_that_sign_can_read_private_keys(repository):
    compose = YAML(typ="safe").load((repository / "docker/compose.yaml").read_text())["services"]
    whole_ring = {
        name
        for name, options in compose.items()
        if any(volume.startswith("./secrets/keys:") for volume in options.get("volumes", []))
    }
    assert whole_ring == {"identity", "session"}
