"""The teacher through a study file: what a host does to a study, what it costs, how it goes on.

The names T1 ... are the cases of the audit that found these faults.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import fcntl
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from distil.content.files import read_jsonl, write_jsonl
from distil.review.crops import write_crops
from distil.study import config as configuration
from distil.teacher import settings
from distil.teacher.settings import (
    EXIT_CAP,
    EXIT_JOURNAL,
    EXIT_NO_ANSWERS,
    EXIT_REFUSED,
    EXIT_REPLAY_MISS,
    EXIT_UNANSWERED,
)
from scripts import predict_teacher, tabulate_traces, verify_traces
from tests.front.teacher_host import RuleHost
from tests.front.teacher_study import ROOT, journal, run_stages, study_file, write_problems
from tests.unit.test_corrections import row as extracted

ALL = ("solve", "distill", "verify")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def statuses(rows) -> dict[str, int]:
    return dict(collections.Counter(row["status"] for row in rows))


# ------------------------------------------------------------------------------------ 1 reach


def test_every_setting_has_a_place_in_the_schema_and_every_place_a_setting():
    """T2: ten settings of the engine could not be set from any study file."""
    schema = yaml.safe_load(configuration.SCHEMA.read_text(encoding="utf-8"))
    teacher = schema["properties"]["teacher"]["properties"]
    host = teacher["hosts"]["additionalProperties"]["properties"]
    places = {
        settings.RunSettings: set(teacher) - {"hosts", "agents", "traces"},
        settings.HostSettings: set(host),
        settings.ModelSettings: set(host["models"]["additionalProperties"]["properties"]),
        settings.AgentSettings: set(schema["$defs"]["agent"]["properties"]),
        settings.TracesSettings: set(teacher["traces"]["properties"]),
    }
    for kind, names in places.items():
        assert names == {field.name for field in dataclasses.fields(kind)}, kind


def test_every_setting_of_the_teacher_stands_in_the_sample_studys_file_with_its_default():
    section = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))["teacher"]
    places = {
        settings.RunSettings: section,
        settings.HostSettings: section["hosts"]["simulated"],
        settings.AgentSettings: section["agents"]["solver"],
        settings.TracesSettings: section["traces"],
    }
    for kind, values in places.items():
        for field in dataclasses.fields(kind):
            assert field.name in values, field.name
            default = settings._default(field)
            if field.name not in ("base_url", "host", "model", "max_tokens", "temperature"):
                shown = values[field.name]
                assert (tuple(shown) if isinstance(shown, list) else shown) == default, field.name


@pytest.mark.parametrize("stream", [True, False])
def test_answer_that_takes_longer_than_the_longest_silence_is_paid_once(folder, stream):
    """T1: an answer that was asked for in one silent block was paid again in each run."""
    write_problems(12)
    with RuleHost(latency=1.6, pieces=8) as host:
        file = study_file(folder / "mine.yaml", host.url, {
            "stream": stream, "idle_seconds": 0.8, "deadline_seconds": 20.0, "concurrency": 12,
        })  # fmt: skip
        done = run_stages(file)
    assert (done.code, len(host.requests)) == (0, 12)
    assert statuses(done.solutions) == {"ok": 12}
    assert {request["stream"] for request in host.requests} == {stream}


def test_sampling_as_the_models_authors_advise_is_sent_and_each_sample_is_an_answer(folder):
    write_problems(3)
    with RuleHost() as host:
        solver = {"temperature": 0.6, "top_p": 0.95, "samples": 3, "extra": {"seed": 7}}
        file = study_file(folder / "mine.yaml", host.url, agents={"solver": solver})
        done = run_stages(file, ALL)
        again = run_stages(file, ALL)
    assert (done.code, again.asked) == (0, 0)
    solved = [request for request in host.requests if request["model"] == "sample-solver"]
    assert len(solved) == 9
    assert {(r["temperature"], r["top_p"], r["seed"]) for r in solved} == {(0.6, 0.95, 7)}
    assert [row["id"] for row in done.solutions[:3]] == [
        "2011-fs-01", "2011-fs-01.s2", "2011-fs-01.s3",
    ]  # fmt: skip
    predicted = predict_teacher.predictions(done.solutions, "R1")
    assert len({row["id"] for row in predicted}) == 9
    assert len({row["problem"] for row in done.traces}) == 3


# ------------------------------------------------------------------------------------ 2 hosts


def test_each_agent_asks_its_own_host_with_its_own_key(folder, monkeypatch):
    write_problems(3)
    monkeypatch.setenv("KEY_ONE", "one-0123456789")
    monkeypatch.setenv("KEY_TWO", "two-0123456789")
    with RuleHost() as one, RuleHost(served=lambda model: f"vendor/{model}") as two:
        v3 = {
            "base_url": two.url, "api_key_env": "KEY_TWO",
            "models": {f"sample-{agent}": {"input": 0.5, "output": 1.0,
                                           "served": [f"vendor/sample-{agent}"]}
                       for agent in ("distiller", "verifier")},
        }  # fmt: skip
        file = study_file(
            folder / "mine.yaml", one.url, {"api_key_env": "KEY_ONE"}, hosts={"v3": v3}
        )
        config = yaml.safe_load(file.read_text())
        for agent in ("distiller", "verifier"):
            config["teacher"]["agents"][agent]["host"] = "v3"
        file.write_text(yaml.safe_dump(config))
        done = run_stages(file, ALL)
    assert done.code == 0
    assert {request["model"] for request in one.requests} == {"sample-solver"}
    assert {request["model"] for request in two.requests} == {"sample-distiller", "sample-verifier"}
    assert {headers["authorization"] for headers in one.headers} == {"Bearer one-0123456789"}
    assert {headers["authorization"] for headers in two.headers} == {"Bearer two-0123456789"}
    assert {row["served_model"] for row in done.traces} == {"vendor/sample-distiller"}


def test_requests_of_a_minute_are_held_and_wait_out_a_pause(folder):
    write_problems(8)
    moments = []
    with RuleHost() as host:
        take = host.take

        def noted_take(*given):
            moments.append(time.monotonic())
            host.pause = 1.5 if len(moments) == 3 else 0
            take(*given)

        host.take = noted_take
        file = study_file(folder / "mine.yaml", host.url, {"requests_per_minute": 200})
        assert run_stages(file).code == 0
    assert len(moments) == 9
    gaps = [after - before for before, after in itertools.pairwise(moments)]
    # Those that had their turn already when the host asked for the pause wait as well.
    assert gaps[2] >= 1.5 - 0.01
    assert min(gaps) >= 0.3 - 0.1


# ---------------------------------------------------------------------------- 3 stops by itself


MASS = {
    "T4": ({"error": {"message": "no balance today", "code": "odd"}}, {"error": None}),
    "T5": ({"refuse": 400}, {"refuse": 0}),
    "no reasoning": ({"hide_reasoning": True}, {"hide_reasoning": False}),
}


@pytest.mark.parametrize("case", MASS)
def test_equal_non_answers_in_a_row_stop_the_run_and_are_asked_again_once_mended(folder, case):
    """T4, T5: 40 of 40 error objects or refusals were final, and the run went on to the end."""
    broken, mended = MASS[case]
    write_problems(20)
    with RuleHost(**broken) as host:
        models = {"sample-solver": {"reasoning": "required"}}
        file = study_file(folder / "mine.yaml", host.url, {"models": models}, stop_after=5)
        assert run_stages(file).code == EXIT_NO_ANSWERS
        assert len(host.requests) == 5
        vars(host).update(mended)
        done = run_stages(file)
    assert (done.code, statuses(done.solutions)) == (0, {"ok": 20})
    assert len(host.requests) == 25


def test_error_object_of_a_response_that_says_200_is_what_its_code_says(folder):
    write_problems(3)
    with RuleHost(error={"message": "no credit", "code": 402}) as host:
        file = study_file(folder / "mine.yaml", host.url)
        assert "is used up" in run_stages(file).said
        host.error = {"message": "try later", "code": 503}
        assert run_stages(study_file(file, host.url, retries=1)).code == EXIT_UNANSWERED
        host.error = None
        assert run_stages(file).code == 0
    # One for the quota; one after another, each tried twice; then all three.
    assert len(host.requests) == 1 + 6 + 3


def test_large_share_of_non_answers_stops_the_run_too(folder):
    write_problems(24)
    turn = iter(range(10**6))
    with RuleHost(served=lambda model: model if next(turn) % 3 == 0 else f"m/{model}") as host:
        stopped = run_stages(study_file(folder / "mine.yaml", host.url, {"concurrency": 1}))
        assert stopped.code == EXIT_NO_ANSWERS
        assert "13 of 20 responses are no answers: drift (m/sample-solver answered" in stopped.said
        host.served = None
        done = run_stages(study_file(folder / "mine.yaml", host.url))
    assert statuses(done.solutions) == {"ok": 24}
    assert len(host.requests) == 20 + 24 - 7


@pytest.mark.parametrize("case", MASS)
def test_small_job_without_one_answer_stops_as_a_large_one_does(folder, case):
    """A year of fewer requests than stop_after kept each refusal as final, and ended with 0."""
    broken, mended = MASS[case]
    write_problems(3)
    with RuleHost(**broken) as host:
        models = {"sample-solver": {"reasoning": "required"}}
        file = study_file(folder / "mine.yaml", host.url, {"models": models})
        stopped = run_stages(file)
        assert stopped.code == EXIT_NO_ANSWERS
        assert "3 of 3 responses are no answers" in stopped.said
        assert run_stages(file).code == EXIT_NO_ANSWERS, "it asks again, not yet mended"
        vars(host).update(mended)
        done = run_stages(file)
        assert (done.code, statuses(done.solutions)) == (0, {"ok": 3})
        assert len(host.requests) == 3 * 3
        # What a study takes as it is stays.
        vars(host).update(broken)
        agents = {"solver": {"temperature": 0.5}}
        taken = study_file(
            file, host.url, {"models": models}, stop_after=0, stop_share=1.0, agents=agents
        )
        assert run_stages(taken).code == 0
        assert run_stages(taken).asked == 0


def test_small_job_of_the_distiller_ends_with_its_second_tries(folder):
    """What the first tries lack the second may have; a job of which neither has it stops."""
    write_problems(3)
    with RuleHost(boxed=True) as host:
        file = study_file(folder / "mine.yaml", host.url)
        done = run_stages(file, ALL)
        assert (done.code, statuses(done.traces)) == (0, {"ok": 6})
        host.refuse = 400
        agents = {"distiller": {"temperature": 0.5}}
        stopped = run_stages(study_file(file, host.url, agents=agents), ALL)
        assert stopped.code == EXIT_NO_ANSWERS
        assert "6 of 6 responses are no answers: http-400 (refused by the host)" in stopped.said
        host.refuse = 0
        assert run_stages(file, ALL).code == 0


def test_last_items_of_a_job_that_has_answers_may_be_none(folder):
    """Else a job that was broken off would ask for what a host refuses in each run."""
    write_problems(4)
    rows = read_jsonl("problems.jsonl")
    with RuleHost() as host:
        file = study_file(folder / "mine.yaml", host.url, {"concurrency": 1})
        write_jsonl("problems.jsonl", rows[:2])
        assert run_stages(file).code == 0
        write_jsonl("problems.jsonl", rows)
        host.refuse = 400
        done = run_stages(file)
        assert (done.code, statuses(done.solutions)) == (0, {"ok": 2, "http-400": 2})
        assert run_stages(file).asked == 0


def test_distiller_that_boxes_its_answers_stops_and_a_single_box_gets_a_second_try(folder):
    """T16: 120 of 120 distillations were thrown away, and the record said `ok`."""
    write_problems(10)
    with RuleHost(boxed=True) as host:
        file = study_file(folder / "mine.yaml", host.url)
        stopped = run_stages(file, ALL)
        assert stopped.code == EXIT_NO_ANSWERS
        assert "no-answer-line" in stopped.said
        asked = sum(request["model"] == "sample-distiller" for request in host.requests)
        assert 8 <= asked <= 8 + 3
        done = run_stages(study_file(file, host.url, stop_after=0, stop_share=1.0), ALL)
    assert (done.code, statuses(done.traces)) == (0, {"ok": 20})
    assert all(row["repaired"] for row in done.distillations)
    repairs = [r for r in host.requests if "What is wrong with it" in r["messages"][0]["content"]]
    assert len(repairs) == 20
    assert not any("Key:" in r["messages"][0]["content"] for r in repairs)


def test_outage_of_a_host_that_answered_is_waited_out_with_one_request_at_a_time(folder):
    """T7: an outage of 22 seconds ended the run."""
    write_problems(30)
    with RuleHost(latency=0.1) as host:
        file = study_file(
            folder / "mine.yaml", host.url, retries=1, outage_seconds=60.0,
            longest_backoff_seconds=0.5,
        )  # fmt: skip
        threading.Timer(0.4, lambda: vars(host).update(down=True)).start()
        threading.Timer(3.0, lambda: vars(host).update(down=False)).start()
        done = run_stages(file)
        assert done.code == 0, done.said
        assert statuses(done.solutions) == {"ok": 30}
        assert done.said.count("answers nobody") == 1
        # Two tries of each of the four, then one probe after the other.
        assert len(host.requests) - 30 <= 8 + 40
        host.down = True
        agents = {"solver": {"temperature": 0.5}}
        quick = study_file(file, host.url, retries=1, outage_seconds=0.5, agents=agents)
        stopped = run_stages(quick)
    assert stopped.code == EXIT_UNANSWERED
    assert "longer than teacher.outage_seconds" in stopped.said
    assert journal().possibly_paid() == []


def test_wrong_name_certificate_or_protocol_stops_after_one_try_and_is_named(folder):
    write_problems(2)
    with RuleHost() as host:
        for url, said in (
            (host.url.replace("http:", "https:"), "tls-failed"),
            ("http://no-such-host.invalid/v1", "dns-failed|answers nobody|connect-failed"),
        ):
            stopped = run_stages(study_file(folder / "mine.yaml", url, retries=0))
            assert re.search(said, stopped.said)
            assert stopped.code in (EXIT_REFUSED, EXIT_UNANSWERED)


# ---------------------------------------------------------------------------------- 4 paid once


def test_recording_that_was_broken_off_goes_on_and_is_not_begun_anew(folder):
    """T11: each run in mode record paid for everything again."""
    write_problems(10)
    with RuleHost() as host:
        file = study_file(folder / "mine.yaml", host.url)
        assert run_stages(file).asked == 10
        now = datetime.datetime.now(datetime.UTC).isoformat()
        recording = study_file(file, host.url, mode="record", record_since=now)
        assert run_stages(recording).asked == 10
        assert run_stages(recording).asked == 0
    assert len(host.requests) == 20


def test_line_ends_of_another_system_cost_nothing_and_damage_stops_with_its_cost(folder):
    """T9: a journal that went through another system was paid for again in silence."""
    write_problems(10)
    with RuleHost() as host:
        file = study_file(folder / "mine.yaml", host.url)
        run_stages(file)
        (segment,) = (folder / "state/micro/teacher/segments").iterdir()
        sound = segment.read_bytes()
        segment.write_bytes(sound.replace(b"\n", b"\r\n"))
        assert run_stages(file).asked == 0
        lines = sound.split(b"\n")
        place = next(n for n, line in enumerate(lines) if b'"kind":"response"' in line)
        lines[place] = lines[place].replace(b"solver", b"sOlver", 1)
        segment.write_bytes(b"\n".join(lines))
        stopped = run_stages(file)
        assert stopped.code == EXIT_JOURNAL
        assert "1 damaged records" in stopped.said
        assert re.search(r"paid for again \(about 0\.00\d\d", stopped.said)
        assert len(host.requests) == 10
        # The remedy that the message names.
        assert command("--set-aside-damage").returncode == 0
        assert run_stages(file).asked == 1


def command(
    *arguments: str, study: str = "micro", name: str = "responses"
) -> subprocess.CompletedProcess:
    """Run `distil`, as a user would, with the state of this folder."""
    (Path.cwd() / "Snakefile").touch()
    if not Path("distil").exists():
        shutil.copytree(ROOT / "distil", "distil")
    return subprocess.run(
        [sys.executable, "-m", "distil", name, *(["--study", study] * bool(study)), *arguments],
        capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip


def test_absurd_token_counts_are_booked_at_the_highest_cost_and_said(folder):
    """T10: one response with absurd token counts closed the cap for ever."""
    write_problems(4)
    with RuleHost(tokens=999_999_999) as host:
        done = run_stages(study_file(folder / "mine.yaml", host.url))
    assert done.code == 0
    assert "4 responses carry no plausible token counts" in done.said
    assert 4 * 0.016 < journal().charged() < 4 * 0.017


@pytest.mark.parametrize("fault", ["no locks", "read-only"])
def test_file_system_without_locks_or_room_stops_with_its_own_code_and_one_line(
    folder, monkeypatch, fault
):
    """T13: the error of the operating system came through, with exit code 1."""
    write_problems(2)

    def fail(*_):
        raise OSError(37, "No locks available")

    with RuleHost() as host:
        file = study_file(folder / "mine.yaml", host.url)
        if fault == "no locks":
            monkeypatch.setattr("distil.teacher.journal.fcntl.flock", fail)
        else:
            (folder / "state").write_text("a file where the folder should be")
        stopped = run_stages(file)
        monkeypatch.setattr("distil.teacher.journal.fcntl.flock", fcntl.flock)
    assert stopped.code == EXIT_JOURNAL
    assert "flock and can be written" in stopped.said
    assert "Traceback" not in stopped.said
    assert host.requests == []


def test_record_of_a_later_version_is_named_and_nothing_is_paid(folder):
    """T15: a record of an unknown kind ended the run with a KeyError."""
    from distil.content.sealed import Seal, seal

    write_problems(1)
    segments = folder / "state/micro/teacher/segments"
    segments.mkdir(parents=True)
    record = {"kind": "blessing", "at": "2031-01-01T00:00:00+00:00", "format": 9}
    (segments / "new.jsonl").write_bytes(seal(record, Seal.LEADING))
    with RuleHost() as host:
        stopped = run_stages(study_file(folder / "mine.yaml", host.url))
    assert stopped.code == EXIT_JOURNAL
    assert "new.jsonl: a record of kind 'blessing'" in stopped.said
    assert host.requests == []


def test_journal_of_the_first_form_is_read_under_the_hosts_address(folder):
    """Responses that were paid for at 8a20807 lie under the address, with its own keys."""
    from distil.content.sealed import Seal, seal
    from distil.teacher.journal import first_form_key

    write_problems(5)
    with RuleHost() as host:
        file = study_file(folder / "mine.yaml", host.url, {"stream": False})
        first = run_stages(file)
        (segment,) = (folder / "state/micro/teacher/segments").iterdir()
        address = host.url.removeprefix("http://")
        old = []
        for record in journal().records():
            record.pop("format")
            record.pop("item", None)
            if "request" in record:
                record["host"] = address
                record["key"] = first_form_key(address, record["request"])
            old.append(seal(record, Seal.LEADING))
        segment.write_bytes(b"".join(old))
        assert run_stages(file).asked == 0
        # At another address, it is told which one the host had.
        moved = host.url.replace("127.0.0.1", "localhost")
        assert run_stages(study_file(file, moved, {"known_as": [address]})).asked == 0
    again = read_jsonl("solutions.jsonl")
    assert [row["content"] for row in again] == [row["content"] for row in first.solutions]


# ------------------------------------------------------------------------------ 5 right science


def test_failure_of_the_host_is_asked_again_and_no_wrong_answer_of_the_teacher(folder):
    """T6: answers that the host failed to give were graded as wrong ones."""
    write_problems(12)
    turn = itertools.count()
    with RuleHost(served=lambda model: "other" if next(turn) % 4 == 3 else model) as host:
        file = study_file(folder / "mine.yaml", host.url, {"concurrency": 1})
        stopped = run_stages(file)
        assert stopped.code == EXIT_UNANSWERED
        assert "3 of 12 requests stayed unanswered (3 x drift; other answered" in stopped.said
        turn = itertools.count(1)
        done = run_stages(study_file(file, host.url, {"concurrency": 1}, max_unanswered=1))
        assert (done.code, len(host.requests)) == (0, 12 + 3)
    assert statuses(done.solutions) == {"ok": 11, "drift": 1}
    predicted = predict_teacher.predictions(done.solutions, "R1")
    assert len(predicted) == 11
    assert predict_teacher.unanswered(done.solutions) == {"drift": 1}


def test_only_right_solutions_are_distilled_at_the_levels_that_train(folder):
    rows = write_problems(10)
    rows[0]["answer"] = "12345678"
    (folder / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with RuleHost() as host:
        done = run_stages(study_file(folder / "mine.yaml", host.url), ALL)
    assert statuses(done.distillations) == {"ok": 18, "wrong-solution": 2}
    asked = [r for r in host.requests if r["model"] == "sample-distiller"]
    assert len(asked) == 18
    assert statuses(done.traces) == {"ok": 18, "wrong-solution": 2}
    assert not any("12345678" in r["messages"][0]["content"] for r in host.requests)


@pytest.mark.parametrize("wanted", [False, True])
def test_a_trace_that_the_grader_cannot_judge_trains_where_the_study_file_says_so_and_is_counted(
    folder, monkeypatch, wanted
):
    rows = write_problems(3)
    judge_all = verify_traces.judge_all

    def judge(pairs, workers):
        found = judge_all(pairs, workers)
        return [dataclasses.replace(found[0], verdict="unknown"), *found[1:]]

    monkeypatch.setattr(verify_traces, "judge_all", judge)
    with RuleHost() as host:
        file = study_file(folder / "mine.yaml", host.url, traces={"train_unknown": wanted})
        done = run_stages(file, ALL)
    assert [row["verified"] for row in done.traces] == [wanted, *[True] * 5]
    counts, _ = tabulate_traces.count_traces(tabulate_traces.joined(done.traces, rows))
    dropped = {} if wanted else {"grader-unknown": 1}
    assert counts.groupby("status")["traces"].sum().to_dict() == {"ok": 6 - len(dropped), **dropped}
    verdicts, _ = tabulate_traces.find_verdicts(tabulate_traces.joined(done.traces, rows))
    assert list(verdicts["trains"]) == [wanted]


def test_a_study_without_a_single_trace_has_tables_without_rows(tmp_path):
    (tmp_path / "traces.jsonl").touch()
    made = {
        name: [str(tmp_path / f"{name}.{end}") for end in ("csv", "md", "rows.parquet", "html")]
        for name in ("traces", "verdicts")
    }
    tabulate_traces.main(
        input=SimpleNamespace(traces=[tmp_path / "traces.jsonl"], problems=[]),
        output=SimpleNamespace(**made),
        params=SimpleNamespace(title="Nothing"),
    )
    for name, head in (("traces", "year,section,level,"), ("verdicts", "trace,year,section,")):
        (line,) = (tmp_path / f"{name}.csv").read_text(encoding="utf-8").splitlines()
        assert line.startswith(head)


# ------------------------------------------------------------------------------------ 6 traces


@pytest.mark.parametrize("protocol", ["full", "chained"])
def test_levels_are_measured_repaired_and_in_a_chain_written_from_the_level_before(
    folder, monkeypatch, protocol
):
    write_problems(3)
    prompts = folder / "prompts"
    prompts.mkdir()
    for path in (ROOT / "resources/prompts/sample").iterdir():
        (prompts / path.name).write_text(path.read_text())
    levels = yaml.safe_load((prompts / "levels.yaml").read_text())
    levels["R1"]["words"] = 4000
    (prompts / "levels.yaml").write_text(yaml.safe_dump(levels))
    with RuleHost() as host:
        file = study_file(folder / "mine.yaml", host.url, traces={"protocol": protocol})
        config = yaml.safe_load(file.read_text())
        config["prompts"] = str(prompts)
        config["datasets"]["levels_per_problem"] = 6
        file.write_text(yaml.safe_dump(config))
        done = run_stages(file, ("solve", "distill"))
    assert done.code == 0
    rows = {row["id"]: row for row in done.distillations}
    assert {row["target_words"] for row in rows.values() if row["level"] == "R1"} == {4000}
    asked = [r["messages"][0]["content"] for r in host.requests if "distiller" in r["model"]]
    assert sum("about 4000 are wanted" in prompt for prompt in asked) == 3
    (second,) = [
        prompt for prompt in asked
        if rows["2011-fs-01.R1"]["text"] in prompt and "Level R2" in prompt
    ] or [""]  # fmt: skip
    assert bool(second) == (protocol == "chained")


# -------------------------------------------------------------------------------------- 7 seen


def test_responses_are_listed_filtered_summed_and_exported(folder):
    write_problems(4)
    with RuleHost() as host:
        run_stages(study_file(folder / "mine.yaml", host.url), ALL)
    said = command().stdout
    assert re.search(r"^solver +r1 +sample-solver +ok +4 ", said, re.M)
    assert max(map(len, said.splitlines())) <= 100
    listed = command("--list", "--agent", "distiller", "--year", "2011").stdout
    assert len(listed.splitlines()) == 8
    assert command("--list", "--year", "2012").stdout == ""
    found = json.loads(command("--json").stdout)
    money = sum(entry["money"] for entry in found["sums"])
    assert money == pytest.approx(journal().charged())
    assert {row["item"] for row in found["requests"]} >= {"2011-fs-01", "2011-fs-01.R1"}
    assert command("--export", "out.jsonl", "--agent", "solver").returncode == 0
    assert read_jsonl("out.jsonl") == read_jsonl("solver_responses.jsonl")
    # The study as `check`, `fetch` and `estimate` take it; what is no study is told apart.
    assert command("micro", study="").stdout == said
    assert command("--list", "micro", study="").stdout == command("--list").stdout
    (folder / "state/micro").rename(folder / "state/other")
    (folder / "state/micro").mkdir()
    assert command("micro", "--restore", "out.jsonl", study="").stdout.startswith("4 responses")
    assert command("--restore", "out.jsonl").stdout.startswith("0 responses"), "they are there"
    assert "4 requests" in command("micro", study="").stdout
    for typed, message in (
        (["out.jsonl"], "out.jsonl is no study; to put its responses back, give --restore"),
        (["--restore"], "--restore: name the files to put back, as FILE"),
        (["micro", "--restore"], "--restore: name the files to put back, as FILE"),
        (["mirco", "--restore"], "as FILE; mirco is none"),
        (["micro", "other"], "micro other: one study at a time"),
    ):
        wrong = command(*typed, study="")
        assert wrong.returncode == 2
        assert message in wrong.stderr
    unknown = command(study="mirco")
    assert unknown.returncode == 2
    assert "micro" in unknown.stderr


def test_study_is_estimated_before_it_is_paid_and_what_is_stored_costs_nothing(folder):
    rows = write_problems(10)
    for name in ("config.schema.yaml", "resources"):
        (folder / name).symlink_to(ROOT / name)
    problems = folder / "results/micro/problems"
    problems.mkdir(parents=True)
    for year in (2012, 2013, 2014):
        (problems / f"{year}.jsonl").write_text("")
    with RuleHost() as host:
        file = study_file(folder / "config.micro.yaml", host.url, {"concurrency": 2})
        asked = command(name="estimate")
        # What is not read yet cannot be counted; the rest of the estimate stands.
        assert asked.returncode == 0
        assert "are counted once the exams were read" in asked.stdout
        assert not re.search(r"^solver +r1", asked.stdout, re.M)
        (problems / "2011.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        before = command(name="estimate").stdout
        assert host.requests == []
        run_stages(file)
        after = command(name="estimate").stdout
    # Half of the longest answer, 8,000 tokens at 2 USD a million, for each of ten problems.
    assert re.search(
        r"^solver +r1 +sample-solver +10 +0 +\d{4} +40000 +0\.08 +0\.16 ", before, re.M
    )
    assert re.search(r"^distiller +r1 +sample-distiller +20 +0 +\d+ +\d+ ", before, re.M)
    assert re.search(r"^solver +r1 +sample-solver +10 +10 +0 +0 +0\.00 +0\.00 ", after, re.M)
    assert max(map(len, before.splitlines())) <= 100


def test_judge_and_vision_model_are_estimated_beside_the_agents_whom_they_share_a_cap_with(folder):
    rows = write_problems(10)
    for name in ("config.schema.yaml", "resources", "scripts"):
        (folder / name).symlink_to(ROOT / name)
    file = study_file(folder / "config.micro.yaml", "http://127.0.0.1:9/v1")
    config = yaml.safe_load(file.read_text(encoding="utf-8"))
    others = {"host": "r1", "model": "sample-judge", "max_tokens": 2000, "temperature": 0.0}
    config["grading"]["judge"] = others
    config["problems"]["vision"] = {**others, "prefer": "extraction"}
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    unread = command(name="estimate")
    assert unread.returncode == 0, unread.stderr
    assert "4 of 4 years have no pictures yet, so the reader's requests" in unread.stdout
    places = {
        name: folder / "results/micro" / name for name in ("problems", "extractions", "crops")
    }
    for place in places.values():
        place.mkdir(parents=True)
    flagged = extracted("2011-fs-01", flags=["doubtful"]), extracted("2011-fs-02", flags=[])
    write_jsonl(places["extractions"] / "2011.jsonl", flagged)
    picture = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (280).to_bytes(4) + (140).to_bytes(4)
    crop = {"what": "statement", "page": 1, "box": [], "pdf_sha256": "", "dpi": 150}
    crop |= {"png": picture, "png_sha256": ""}
    write_crops(places["crops"] / "2011.parquet", [{**crop, "id": row["id"]} for row in flagged])
    known = command(name="estimate").stdout
    # One doubt, of which half of the longest answer is 1,000 tokens at 2 USD a million.
    assert re.search(r"^reader +r1 +sample-judge +1 +0 +\d{4} +1000 +0\.00 +0\.01 ", known, re.M)
    assert "3 of 4 years have no pictures yet" in known
    for year in (2012, 2013, 2014):
        (places["problems"] / f"{year}.jsonl").write_text("")
    write_jsonl(places["problems"] / "2011.jsonl", rows)
    said = command(name="estimate").stdout
    (judged,) = re.findall(r"^judge +r1 +sample-judge +(\d+) +0 +\d+ +(\d+) ", said, re.M)
    answers = int(re.search(r"([\d,]+) answers at most", said)[1].replace(",", ""))
    assert int(judged[0]) >= answers + 10, "the student's and the teacher's"
    assert int(judged[1]) == 1000 * int(judged[0])
    assert "judge: at most one request an answer" in said
    table = said.partition("hours:")[0]
    assert max(map(len, table.splitlines())) <= 100


def test_replay_that_lacks_an_answer_names_the_item(folder):
    write_problems(2)
    with RuleHost() as host:
        stopped = run_stages(study_file(folder / "mine.yaml", host.url, mode="replay"))
    assert stopped.code == EXIT_REPLAY_MISS
    assert "solver on 2011-fs-01" in stopped.said


def test_cap_that_is_reached_stops_and_a_higher_one_goes_on(folder):
    write_problems(12)
    with RuleHost(tokens=7900) as host:
        file = study_file(folder / "mine.yaml", host.url, money_cap=0.1)
        stopped = run_stages(file)
        assert stopped.code == EXIT_CAP
        spent = journal().charged()
        assert 0.07 < spent <= 0.1
        before = len(host.requests)
        done = run_stages(study_file(file, host.url))
    assert (done.code, len(host.requests)) == (0, 12)
    assert before < 12
