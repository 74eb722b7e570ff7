import io

from rich.console import Console

from results.load import load_run
from results.terminal import print_leaderboard
from tests.results.synthetic import CAST


def printed(folder, width=100):
    out = io.StringIO()
    print_leaderboard(Console(file=out, width=width, no_color=True), load_run(folder))
    return out.getvalue()


def test_it_shows_leaderboard_sentence_phantom_and_holes(make_run):
    text = printed(make_run(CAST))
    assert text.startswith("PHANTOM") and "(phantom)" in text
    assert "cannot be told apart" in " ".join(text.split()) and "Missing (4):" in text
    assert "AlexNet: the whole study failed" in text


def test_real_data_have_no_stamp(make_run):
    assert "phantom" not in printed(make_run(phantom=False)).lower()


def test_names_are_no_console_markup_and_lines_fit(make_run):
    from tests.results.synthetic import Actor

    text = printed(make_run([Actor(label="[red]odd[/red] [/]"), Actor(label="B")]), width=80)
    assert "[red]odd[/red] [/]" in text and "\u2068" not in text
    assert max(map(len, text.splitlines())) <= 80
