import json
import subprocess
import sys

import pytest
from tiny_student import draw_pairs, make_student

from distil.content.fingerprint import modules
from distil.student import model as student
from distil.student.questions import load_prompts, question_text


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_student(tmp_path_factory.mktemp("student"), tokens=4_000)


@pytest.fixture(scope="module")
def tokenizer(folder):
    return student.load_student(folder)[1]


@pytest.fixture
def model_folder(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    student.lock_model(tmp_path)
    return tmp_path


def test_a_locked_model_passes_by_folder_and_by_lock(model_folder):
    lock = model_folder / student.LOCK_NAME
    assert student.check_model(model_folder) == student.check_model(lock)
    assert sorted(json.loads(lock.read_text())["files"]) == ["config.json", "model.safetensors"]


def test_a_changed_file_of_the_same_size_is_named(model_folder):
    (model_folder / "model.safetensors").write_bytes(b"weighty")
    with pytest.raises(ValueError, match=r"model\.safetensors: not the file that"):
        student.check_model(model_folder)


def test_a_missing_file_is_named(model_folder):
    (model_folder / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"config\.json"):
        student.check_model(model_folder)


def test_a_model_without_a_lock_is_refused_with_the_command_that_locks_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"distil lock"):
        student.check_model(tmp_path)


def test_a_tampered_model_is_not_opened(folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = tmp_path / "config.json"
    config.write_text(config.read_text().replace("10000.0", "1000000.0"))
    with pytest.raises(ValueError, match=r"config\.json"):
        student.load_student(tmp_path)


def test_training_and_prediction_render_the_same_prompt(tokenizer):
    for message, response in draw_pairs(20, 5):
        ids, given = student.render_row(tokenizer, message, response)
        assert ids[:given] == student.render_prompt(tokenizer, message)
        assert tokenizer.decode(ids[given:-1]) == response
        assert ids[-1] in tokenizer.eos_token_ids


class Template:
    """A tokenizer whose template does as a test says."""

    eos_token_ids = (0,)

    def __init__(self, prompt, whole):
        self.prompt, self.whole = prompt, whole

    def apply_chat_template(self, messages, tokenize, add_generation_prompt=False):
        return self.prompt if add_generation_prompt else self.whole

    def encode(self, text, add_special_tokens):
        return [ord(c) for c in text]


def test_a_template_that_rewrites_the_prompt_is_refused():
    with pytest.raises(ValueError, match="the prompt changes when an answer follows"):
        student.render_row(Template("user think", "user answer"), "q", "a")


def test_a_template_that_never_ends_a_turn_is_refused():
    with pytest.raises(ValueError, match="no end-of-turn token"):
        student.render_row(Template("user", "user answer"), "q", "a")


@pytest.fixture
def prompts(tmp_path):
    (tmp_path / "student.txt").write_text("$instruction\n$statement\n")
    (tmp_path / "levels.yaml").write_text(
        "R1: {student: Name all steps.}\nR6: {student: Answer.}\n"
    )
    return load_prompts(tmp_path / "student.txt", tmp_path / "levels.yaml")


def test_options_follow_the_statement_as_lettered_lines(prompts):
    problem = {
        "statement": "Find x costing $5.",
        "options": [{"label": "A", "text": "1"}, {"label": "B", "text": "2"}],
    }
    assert question_text(problem, "R6", prompts) == "Answer.\nFind x costing $5.\nA. 1\nB. 2"


def test_an_unknown_level_is_refused_with_the_known_ones(prompts):
    with pytest.raises(ValueError, match="R1, R6"):
        question_text({"statement": "x", "options": []}, "R9", prompts)


@pytest.mark.parametrize(
    ("template", "levels", "message"),
    [
        ("$instruction", "R1: {student: x}", "statement is missing"),
        ("$instruction $statement", "R1: {teacher: x}", "R1.student is missing"),
        ("$instruction $statement", "- R1", "not a mapping"),
    ],
)
def test_incomplete_prompts_are_refused_with_file_and_field(tmp_path, template, levels, message):
    (tmp_path / "student.txt").write_text(template)
    (tmp_path / "levels.yaml").write_text(levels)
    with pytest.raises(ValueError, match=message):
        load_prompts(tmp_path / "student.txt", tmp_path / "levels.yaml")


def test_writing_questions_does_not_load_mlx():
    code = "import sys, distil.student.questions; print('mlx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_an_edit_of_the_training_loop_is_no_reason_to_answer_again():
    answered = modules("scripts/predict_answers.py")
    assert "distil/student/adapters.py" in answered
    trained = {f"distil/student/{name}.py" for name in ("training", "losses", "encoding", "states")}
    assert not trained & set(answered)
    assert trained <= set(modules("scripts/train_adapter.py"))
