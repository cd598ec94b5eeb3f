"""The files of docs/deploy: settings that exist, secrets by reference, images by common names; the chart by Helm."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from ..live.programs import program

DEPLOY = Path(__file__).parents[2] / "docs" / "deploy"
HOME = (DEPLOY.parent / "reference" / "home.md").read_text() + (DEPLOY.parent / "howto" / "distributed.md").read_text()
COMPOSE = (DEPLOY / "compose.yaml").read_text()
FULL = [
    "temporal.tls.enabled=true",
    "temporal.tls.secret=temporal-tls",
    "temporal.tls.mutual=true",
    "temporal.tls.serverName=temporal",
    "temporal.apiKey.secret=temporal-key",
    "build=v7",
    "promote=true",
    "workers[0].name=eu",
    "workers[0].queues={eu,us}",
    "image.pullSecrets[0].name=pull",
]
SECRET = {"GROUNDPLAN_DATABASE_URL", "GROUNDPLAN_KEY"}


def services() -> Mapping[str, Any]:
    found: Mapping[str, Any] = yaml.safe_load(COMPOSE)["services"]
    return found


def test_every_setting_of_the_files_is_documented() -> None:
    texts = [path.read_text() for path in DEPLOY.rglob("*") if path.is_file()]
    named = {name for text in texts for name in re.findall(r"GROUNDPLAN_[A-Z_]+", text)} - {"GROUNDPLAN_IMAGE"}
    assert named - set(re.findall(r"GROUNDPLAN_[A-Z_]+", HOME)) == set()


def test_compose_asks_for_what_the_example_names() -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE))
    assert asked == set(re.findall(r"^([A-Z_]+)=", (DEPLOY / "env.example").read_text(), re.MULTILINE))


def test_compose_has_no_secret_of_its_own_and_publishes_on_loopback_only() -> None:
    for service in services().values():
        for name, value in service.get("environment", {}).items():
            secret = re.search("PASSWORD|PWD|KEY|URL", name)
            assert not secret or "${" in value, name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_services_wait_for_services_that_there_are() -> None:
    for service in services().values():
        assert set(service.get("depends_on", {})) <= set(services())


def test_images_are_named_without_a_host() -> None:
    for service in services().values():
        assert re.fullmatch(r"(\$\{GROUNDPLAN_IMAGE:-groundplan:latest\}|[a-z]+(/[a-z-]+)?:[\w.]+)", service["image"])


def helm(*arguments: str) -> str:
    """Run the real Helm on the chart and return what it prints."""
    command = [program("helm"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rendered(*settings: str) -> list[Mapping[str, Any]]:
    """The objects of the chart."""
    chosen = [word for setting in settings for word in ("--set", setting)]
    text = helm("template", "release", str(DEPLOY / "chart"), "--kube-version", "1.30.0", *chosen)
    return [document for document in yaml.safe_load_all(text) if document]


def containers(documents: list[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for document in documents:
        yield from document["spec"]["template"]["spec"]["containers"]


@pytest.mark.live
def test_the_chart_is_sound() -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", str(DEPLOY / "chart"))


@pytest.mark.live
@pytest.mark.parametrize("settings", [[], FULL], ids=["plain", "full"])
def test_secrets_of_the_chart_are_references(settings: list[str]) -> None:
    for container in containers(rendered(*settings)):
        for item in container["env"]:
            assert ("valueFrom" in item) is (item["name"] in SECRET), item
        assert container["securityContext"]["readOnlyRootFilesystem"]


@pytest.mark.live
def test_a_worker_of_the_chart_is_told_its_queues_and_where_temporal_is() -> None:
    (worker,) = [it for it in containers(rendered(*FULL)) if it["name"] == "worker"]
    args = ["worker", "--queues", "eu,us", "--operations", "8", "--build", "v7", "--promote"]
    assert worker["args"] == args
    settings = {item["name"]: item.get("value") for item in worker["env"]}
    assert settings["GROUNDPLAN_TEMPORAL_TLS_KEY"] == "/etc/groundplan/temporal/tls.key"
    assert {mount["name"] for mount in worker["volumeMounts"]} >= {"temporal-tls", "api-key", "data"}


@pytest.mark.live
def test_the_chart_refuses_what_is_no_queue() -> None:
    version = ["--kube-version", "1.30.0"]
    command = [
        program("helm"),
        "template",
        "g",
        str(DEPLOY / "chart"),
        "--set",
        "workers[0].queues={no such}",
        *version,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "/workers/0/queues/0" in done.stderr
