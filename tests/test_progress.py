from __future__ import annotations

import logging

import pytest

from jomed_app.progress import StepMeter, log_to_file, show_progress


def test_the_log_gets_first_and_last_step_and_the_terminal_stays_on_stderr(tmp_path, capsys):
    log_file = tmp_path / "below" / "train.log"
    with show_progress("align", log_file, log_every_s=3600) as on_progress:
        for step in range(1, 6):
            on_progress(step, 5, loss=0.5 / step)
    lines = log_file.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2
    assert "align: 1/5 loss 0.5" in lines[0]
    assert "align: 5/5" in lines[1]
    assert lines[1].endswith("00:00 left, loss 0.1")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "align" in captured.err
    assert "5/5" in captured.err


def test_it_serves_callers_that_know_two_numbers_only(tmp_path):
    with show_progress("simulate") as on_case:
        on_case(1, 2)
    assert list(tmp_path.iterdir()) == []


def test_what_training_code_logs_goes_to_the_same_file(tmp_path):
    log_file = tmp_path / "run.log"
    logger = logging.getLogger("jomed_app.training.align.train")
    with log_to_file(log_file):
        logger.info("validation loss %.2f", 0.25)
    logger.info("after the run")
    text = log_file.read_text(encoding="utf-8")
    assert "jomed_app.training.align.train validation loss 0.25" in text
    assert "after the run" not in text


def test_the_file_is_let_go_when_the_work_fails(tmp_path):
    package = logging.getLogger("jomed_app")
    before = (list(package.handlers), package.level)
    with pytest.raises(ZeroDivisionError), log_to_file(tmp_path / "run.log"):
        _ = 1 / 0
    assert (package.handlers, package.level) == before


@pytest.mark.parametrize(
    ("steps", "note"),
    [
        ([(1, 10.0)], ""),
        ([(1, 10.0), (5, 12.0)], "2/s, 00:48 left"),
        ([(61, 10.0), (71, 15.0)], "2/s, 00:14 left"),  # resumed at 60: old steps are no speed
        ([(1, 0.0), (2, 100.0)], "0.01/s, 2:43:20 left"),
        ([(1, 10.0), (1, 12.0)], ""),
    ],
)
def test_rate_and_time_left_count_the_steps_of_this_run(steps, note):
    meter = StepMeter()
    found = [meter.note(done, 100, now_s, {}) for done, now_s in steps]
    assert found[-1] == note


def test_figures_come_after_the_time():
    assert StepMeter().note(1, 2, 0.0, {"loss": 0.123456, "lr": 3e-4}) == "loss 0.1235, lr 0.0003"
