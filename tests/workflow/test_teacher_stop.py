"""Studies whose teacher stops them: what the user is told, what is paid again, where the key went."""

from __future__ import annotations

import secrets

from tests.faults.fault_host import FaultHost
from tests.workflow.checkout import copy_repository

# Made anew each time: this file is among those that are searched for it.
KEY = "canary-" + secrets.token_hex(8)
TARGET = "results/micro/traces/2011/solutions.jsonl"


def test_stopped_study_says_how_to_go_on_pays_once_and_keeps_the_key_to_itself(tmp_path):
    """T3: a model that its host spells in its own way; then an account that is used up."""
    checkout = copy_repository(tmp_path / "repository")
    script = " ".join([*["drift"] * 8, "ok", "quota-echo-key", "ok"])
    with FaultHost(script=script) as host:
        for old, new in [
            (
                "simulated: {base_url: simulated, api_key_env: null, concurrency: 8, models: {}}",
                f"simulated: {{base_url: '{host.url}', api_key_env: CANARY_KEY, concurrency: 1, "
                "models: {pinned-model: {input: 1.0, output: 2.0}}}",
            ),
            ("model: sample-solver,", "model: pinned-model,"),
            ("model: sample-distiller,", "model: pinned-model,"),
            ("model: sample-verifier,", "model: pinned-model,"),
            ("money_cap: 0.0", "money_cap: 5.0"),
        ]:
            checkout.edit("config.micro.yaml", old, new)
        environment = {"CANARY_KEY": KEY}
        # Both years have begun before the first one stops, and the other stops with it.
        host.latency = 0.7
        misspelt = checkout.snakemake(
            "--nocolor",
            TARGET,
            TARGET.replace("2011", "2012"),
            check=False,
            environment=environment,
        )
        host.latency = 0.0
        assert misspelt.returncode != 0
        assert "8 responses in a row are no answers: drift (pinned-model-v2" in misspelt.stderr
        assert "teacher.hosts.simulated.models.pinned-model.served" in misspelt.stderr
        assert "another job has stopped: simulated: 8 responses" in misspelt.stderr
        assert len(host.requests) == 8
        # What came is read again under the name that the message asks for, and not paid again.
        checkout.edit(
            "config.micro.yaml",
            "output: 2.0}",
            "output: 2.0, served: [pinned-model, pinned-model-v2]}",
        )
        stopped = checkout.snakemake("--nocolor", TARGET, check=False, environment=environment)
        assert stopped.returncode != 0
        assert "is used up" in stopped.stderr
        assert "Go on with: snakemake --cores 1 --configfile config.micro.yaml" in stopped.stderr
        assert not (checkout.path / TARGET).exists()
        assert len(host.requests) == 8 + 2
        resumed = checkout.snakemake("--nocolor", TARGET, environment=environment)
        # Whichever year the first eight came from, only the request that was refused is sent again.
        asked = [prompt for prompt, _ in host.requests]
        assert len(asked) == len(set(asked)) + 1
        problems = len((checkout.path / TARGET).read_text().splitlines())
        assert problems + 1 <= len(asked) <= problems + 1 + 8
    assert {headers["authorization"] for _, headers in host.requests} == {f"bearer {KEY}"}
    files = [path for path in checkout.path.rglob("*") if path.is_file()]
    assert any("[api key]" in path.read_text(errors="replace") for path in files)
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    for done in (misspelt, stopped, resumed):
        assert KEY not in done.stdout + done.stderr
