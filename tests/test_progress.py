"""Where the bar of long work is drawn."""

import sys
import types

import pytest

from mojo_toolbox.progress import progress_bar


def test_bars_leave_standard_output_to_results(capsys, monkeypatch):
    # nbclient and others import ipykernel in processes that are no notebook.
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    with progress_bar("Work") as report:
        report(done=1, total=1, text="whole")
    out, err = capsys.readouterr()
    assert out == ""
    assert "Work" in err
    assert "whole" in err


@pytest.mark.parametrize(("done", "shown"), [(None, False), (0, False), (3, True)])
def test_work_that_fails_before_it_began_leaves_no_bar(capsys, done, shown):
    def fail():
        with progress_bar("Work") as report:
            report(done=done, total=10, text="reading")
            raise ValueError("no such file")

    with pytest.raises(ValueError, match="no such file"):
        fail()
    assert ("Work" in capsys.readouterr().err) is shown


def test_a_silent_bar_writes_nothing(capsys):
    with progress_bar("Work", show=False) as report:
        report(done=1, total=1)
    assert capsys.readouterr() == ("", "")
