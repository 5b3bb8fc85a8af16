"""A wrong configuration stops before any job, with file, key and remedy."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import pytest
import yaml

from distil.study import config as configuration
from distil.study.shape import open_study

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = (ROOT / "config.yaml").read_text(encoding="utf-8")

# name: (text in config.yaml, text put in its place, key blamed, part of the remedy)
WRONG = {
    "unknown top key": (
        "study: sample",
        "study: sample\nstudent_model: x",
        "student_model",
        "did you mean student",
    ),
    "unknown nested key": ("  rank: 8", "  rank: 8\n  alpha: 16", "adapters.alpha", "known here"),
    "year in two parts": (
        "validation: [2020, 2021]",
        "validation: [2019, 2020, 2021]",
        "folds.temporal",
        "keep it in one",
    ),
    "year in no part": (
        "validation: [2020, 2021]",
        "validation: [2021]",
        "folds.temporal",
        "2020",
    ),
    "year that is no exam": (
        "validation: [2020, 2021]",
        "validation: [2020, 2021, 2030]",
        "folds.temporal",
        "2030",
    ),
    "year twice": (
        "validation: [2020, 2021]",
        "validation: [2020, 2020, 2021]",
        "folds.temporal.validation",
        "keep one",
    ),
    "empty part": (
        "validation: [2020, 2021]",
        "validation: []",
        "folds.temporal.validation",
        "at least 1",
    ),
    "repeated seed": (
        "seeds: [1, 2, 3, 4, 5]",
        "seeds: [1, 2, 3, 4, 4]",
        "adapters.seeds",
        "keep one",
    ),
    "no seed": ("seeds: [1, 2, 3, 4, 5]", "seeds: []", "adapters.seeds", "at least 1"),
    "pilot seed among the seeds": (
        "pilot_seed: 100",
        "pilot_seed: 3",
        "adapters.pilot_seed",
        "seed of its own",
    ),
    "level without wording": (
        "levels: [R1, R2, R3, R4, R5, R6] # response",
        "levels: [R1, R2, R3, R4, R5, R6, R7] # response",
        "levels",
        "add it there",
    ),
    "predicted level missing": (
        "levels: [R1, R2, R3, R4, R5, R6] # response",
        "levels: [R1, R2, R3, R4, R5] # response",
        "predictions.levels",
        "is not in levels",
    ),
    "unknown student": (
        "model: resources/student",
        "model: resources/qwen",
        "student.model",
        "download the model",
    ),
    "unknown benchmark": (
        "benchmarks: [competition, transfer]",
        "benchmarks: [competition, gsm8k]",
        "benchmarks.1",
        "math500",
    ),
    "competition left out": (
        "benchmarks: [competition, transfer]",
        "benchmarks: [transfer]",
        "benchmarks",
        "competition",
    ),
    "no as a boolean": ("published: false", "published: no", "published", "write true, false"),
    "octal number": ("rank: 8", "rank: 010", "adapters.rank", "octal"),
    "exponent without a point": (
        "learning_rate: 0.001",
        "learning_rate: 1e-5",
        "adapters.learning_rate",
        "1.0e-5",
    ),
    "duplicate key": ("  rank: 8", "  rank: 8\n  rank: 16", "adapters.rank", "keep one"),
    "date not quoted": (
        "prices_dated: null",
        "prices_dated: 2026-11-24",
        "teacher.hosts.simulated.prices_dated",
        "in quotes",
    ),
    "base 60": (
        "prices_dated: null",
        "prices_dated: 12:30",
        "teacher.hosts.simulated.prices_dated",
        "base 60",
    ),
    "number as text": ("horizon: 200", 'horizon: "200"', "adapters.horizon", "not of type integer"),
    "fraction of an iteration": (
        "horizon: 200",
        "horizon: 200.5",
        "adapters.horizon",
        "not of type integer",
    ),
    "checkpoint off the grid": (
        "checkpoints: [40, 60,",
        "checkpoints: [45, 60,",
        "adapters.checkpoints.0",
        "no multiple",
    ),
    "checkpoint beyond the horizon": (
        "160, 200]",
        "160, 200, 300]",
        "adapters.checkpoints.5",
        "beyond",
    ),
    "horizon not saved": (
        "100, 160, 200]",
        "100, 160]",
        "adapters.checkpoints",
        "lacks the horizon",
    ),
    "negative rate": (
        "learning_rate: 0.001",
        "learning_rate: -0.001",
        "adapters.learning_rate",
        "not above 0",
    ),
    "key instead of its variable": (
        "api_key_env: null",
        "api_key_env: sk-abc",
        "teacher.hosts.simulated.api_key_env",
        "the key itself is refused",
    ),
    "address without a scheme": (
        "base_url: simulated",
        "base_url: api.example.com",
        "teacher.hosts.simulated.base_url",
        "does not match",
    ),
    "key that would travel in the open": (
        "base_url: simulated # or an OpenAI-compatible address that ends before /chat/completions\n"
        "      api_key_env: null",
        "base_url: http://api.example.com/v1\n      api_key_env: TEACHER_KEY",
        "teacher.hosts.simulated.base_url",
        "https://, or set allow_plain_http: true",
    ),
    "address of the requests themselves": (
        "base_url: simulated",
        "base_url: https://api.example.com/v1/chat/completions/",
        "teacher.hosts.simulated.base_url",
        "leave out /chat/completions",
    ),
    "limit hidden among what the host alone knows": (
        "verifier: {host: simulated,",
        "verifier: {extra: {max_tokens: 99}, host: simulated,",
        "teacher.agents.verifier.extra.max_tokens",
        "write max_tokens beside extra",
    ),
    "key of an earlier version": (
        "  currency: USD",
        "  base_url: simulated\n  currency: USD",
        "teacher.base_url",
        "it moved to teacher.hosts.NAME.base_url",
    ),
    "host that is in no table": (
        "verifier: {host: simulated",
        "verifier: {host: elsewhere",
        "teacher.agents.verifier.host",
        "is not in teacher.hosts (simulated)",
    ),
    "model without a price": (
        "base_url: simulated",
        "base_url: https://api.example.com/v1",
        "teacher.agents.solver.model",
        "add its input and output prices",
    ),
    "recording without its start": (
        "mode: live",
        "mode: record",
        "teacher.record_since",
        "for one that starts now",
    ),
    "moment without a time zone": (
        "mode: live # live (ask for what is not stored) | record (answers from record_since on) | "
        "replay\n  record_since: null",
        'mode: record\n  record_since: "2026-11-24 08:00"',
        "teacher.record_since",
        "no moment with its time zone",
    ),
    "several samples of a verdict": (
        "verifier: {host: simulated,",
        "verifier: {samples: 2, host: simulated,",
        "teacher.agents.verifier.samples",
        "for the solver only",
    ),
    "answer longer than the context": (
        "models: {}",
        "models: {sample-solver: {input: 0, output: 0, context: 8000}}",
        "teacher.agents.solver.max_tokens",
        "leave no room",
    ),
    "unknown stop": (
        "stops: [nested]",
        "stops: [best]",
        "predictions.stops.0",
        "nested",
    ),
    "study with a path": ("study: sample", "study: ../sample", "study", "does not match"),
    "missing key": ("  margin: 2.0", "  # margin: 2.0", "claims.margin", "is missing"),
    "speed section of no exam": (
        "speed_section: tp",
        "speed_section: sprint",
        "claims.speed_section",
        "sprint is not in exams.sections (fs, js, tp)",
    ),
    "not YAML": ("title: Sample", "title: : Sample", "", "mend this line"),
    "prompts folder missing": (
        "prompts: resources/prompts/sample",
        "prompts: resources/prompts/nowhere",
        "prompts",
        "name a folder",
    ),
    "corrections that are not there": (
        "corrections: null",
        "corrections: resources/sample/nowhere.yaml",
        "problems.corrections",
        "or null for none",
    ),
    "vision model without a preference": (
        "vision: null",
        "vision: {host: simulated, model: m, max_tokens: 9}",
        "problems.vision.prefer",
        "is missing",
    ),
    "vision model at no host": (
        "vision: null",
        "vision: {host: elsewhere, model: m, max_tokens: 9, prefer: reading}",
        "problems.vision.host",
        "is not in teacher.hosts",
    ),
    "unknown source": ("source: typeset", "source: scanned", "exams.source", ""),
}


@pytest.fixture(autouse=True)
def _at_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def check(path: Path) -> dict:
    value = yaml.safe_load(path.read_text(encoding="utf-8"))
    return configuration.check([path], value)


@pytest.mark.parametrize("name", ["config.yaml", "config.micro.yaml"])
def test_shipped_configurations_pass(name):
    assert check(ROOT / name)["study"]


@pytest.mark.parametrize("name", WRONG)
def test_wrong_configuration_is_refused_with_file_key_and_remedy(name, tmp_path):
    old, new, key, remedy = WRONG[name]
    assert SAMPLE.count(old) >= 1, f"config.yaml no longer holds {old!r}"
    path = tmp_path / "wrong.yaml"
    path.write_text(SAMPLE.replace(old, new, 1), encoding="utf-8")
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError:
        value = {}
    with pytest.raises(configuration.ConfigError) as refused:
        configuration.check([path], value)
    message = str(refused.value)
    assert str(path) in message
    assert f" {key}: " in message if key else True
    assert remedy in message


def test_at_least_25_wrong_configurations_are_tried():
    assert len(WRONG) >= 25


def test_every_key_of_the_schema_stands_in_the_sample_with_a_comment():
    """config.yaml is complete: every top key of the schema stands in it, with comments."""
    keys = re.findall(r"^\s*([a-z_]+):", SAMPLE, flags=re.MULTILINE)
    schema = yaml.safe_load((ROOT / "config.schema.yaml").read_text(encoding="utf-8"))
    assert set(schema["required"]) <= set(keys)
    assert "#" in SAMPLE


def test_blame_falls_on_the_file_that_overrides(tmp_path):
    override = tmp_path / "mine.yaml"
    override.write_text("adapters: {rank: 0}\n", encoding="utf-8")
    merged = yaml.safe_load(SAMPLE)
    merged["adapters"]["rank"] = 0
    with pytest.raises(configuration.ConfigError, match=f"{override}: adapters.rank"):
        configuration.check([ROOT / "config.yaml", override], merged)


def test_documentation_of_keys_is_in_step_with_the_schema():
    assert (ROOT / "docs" / "config.md").read_text(encoding="utf-8") == configuration.reference()


def test_the_long_study_is_the_sample_study_but_for_horizon_and_protocols():
    sample, long = (
        yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
        for name in ("config.yaml", "config.long.yaml")
    )
    for config in (sample, long):
        for key in ("study", "title"):
            del config[key]
        for key in ("horizon", "protocols", "checkpoints"):
            del config["adapters"][key]
    assert sample == long


def test_a_release_has_nothing_to_correct(tmp_path):
    config = yaml.safe_load((ROOT / "config.released.yaml").read_text(encoding="utf-8"))
    assert configuration.check([ROOT / "config.released.yaml"], config)
    config["problems"]["corrections"] = "resources/released/corrections.yaml"
    with pytest.raises(configuration.ConfigError, match=r"problems.corrections: .* write null"):
        configuration.check([ROOT / "config.released.yaml"], config)


def test_the_full_study_lacks_nothing_but_what_the_user_must_bring():
    with pytest.raises(configuration.ConfigError) as refused:
        check(ROOT / "config.paper.yaml")
    assert len(refused.value.faults) == 1
    assert "student.model" in refused.value.faults[0]


SERVER = {"host": "mine", "model": "base", "adapters": "/adapters"}
FREE = {"base_url": "http://127.0.0.1:9/v1", "models": {"base": {"input": 0, "output": 0}}}
PAID = {"base_url": "http://127.0.0.1:9/v1", "models": {"base": {"input": 0, "output": 1}}}
UNNAMED = {**FREE, "models": {"default_model": {"input": 0, "output": 0}}}


@pytest.mark.parametrize(
    ("host", "changes", "said"),
    [
        (FREE, {"decoder": "exact"}, "predictions.server: goes with predictions.decoder: http"),
        (FREE, {"server": None}, "predictions.server: goes with predictions.decoder: http"),
        (PAID, {}, "predictions.server.model: costs money by the token"),
        ({"base_url": "simulated"}, {}, "predictions.server.host: mine is the simulated teacher"),
        (
            UNNAMED,
            {"server": {**SERVER, "model": "default_model"}},
            "predictions.server.model: default_model answers without any adapter",
        ),
        (FREE, {"server": {**SERVER, "model": "other"}}, "no price for other"),
        (FREE, {"server": {**SERVER, "host": "her"}}, "her is not in teacher.hosts"),
        (FREE, {"caps": [64, 128]}, "128 cuts nothing below predictions.max_tokens (128)"),
    ],
)
def test_a_server_that_cannot_answer_for_the_student_is_refused(host, changes, said):
    path = ROOT / "config.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    config["teacher"]["hosts"]["mine"] = host
    config["predictions"] |= {"decoder": "http", "server": SERVER}
    if host is FREE:
        configuration.check([path], copy.deepcopy(config))
    config["predictions"] |= changes
    with pytest.raises(configuration.ConfigError) as refused:
        configuration.check([path], config)
    assert said in str(refused.value)


def test_a_rehearsal_is_a_kind_of_study_of_its_own():
    config = yaml.safe_load((ROOT / "config.paper.yaml").read_text(encoding="utf-8"))
    assert open_study(config).page()["kind"] == "papers"
    page = open_study({**config, "rehearsal": True}).page()
    assert page["kind"] == "rehearsal"
    assert any("(rehearsal)" in what for what in page["not_run"])
