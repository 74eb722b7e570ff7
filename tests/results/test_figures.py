import json

from results import figures, tables, training
from results.analysis import analyse
from results.leaderboard import leaderboard
from results.load import load_run
from tests.results.synthetic import CAST


def test_forest_shows_an_interval_only_where_there_is_one(make_run):
    run = load_run(make_run(CAST))
    board = leaderboard(run, analyse(run, "lits_cls"))
    looks = figures.styles(list(board["entrant"]))
    figure = figures.forest(board, metric="Macro F1", looks=looks)
    lines = [trace for trace in figure.data if trace.mode == "lines" and len(trace.x)]
    marks = [trace for trace in figure.data if trace.mode == "markers"]
    assert (len(lines), len(marks)) == (4, 5)
    first = board.iloc[0]
    assert tuple(lines[0].x) == (first["low"], first["high"]) and marks[0].x[0] == first["mean"]
    assert marks[-1].marker.symbol.endswith("-open")


def test_names_are_no_markup_in_a_figure(make_run):
    run = load_run(make_run(CAST))
    analysis = analyse(run, "lits_cls")
    looks = figures.styles([actor.label for actor in CAST])
    drawn = [
        figures.forest(leaderboard(run, analysis), metric="F", looks=looks),
        figures.seed_variance(tables.seeds(run, analysis), metric="F", looks=looks),
        figures.score_against_seconds(training.curves(run, analysis), metric="F", looks=looks),
        figures.search(training.trajectory(run, analysis), metric="F", looks=looks),
    ]
    for figure in drawn:
        text = json.dumps(json.loads(figure.to_json()), ensure_ascii=False)
        assert "<b>" not in text and "<script" not in text and "&lt;" in text


def test_the_search_marks_each_way_to_end(make_run):
    run = load_run(make_run(CAST))
    path = training.trajectory(run, analyse(run, "lits_cls"))
    figure = figures.search(path, metric="F", looks=figures.styles([a.label for a in CAST]))
    symbols = {trace.marker.symbol for trace in figure.data if trace.mode == "markers"}
    assert {"circle-open", "line-ns-open", "x-thin-open"} >= symbols >= {"circle-open"}


def test_twenty_entrants_look_different():
    looks = figures.styles([f"entrant {n}" for n in range(20)])
    assert len({(look["color"], look["symbol"]) for look in looks.values()}) == 20


def test_a_figure_in_a_page_cannot_end_its_script():
    import plotly.graph_objects as go

    from results.report import _json

    title = "</script><!-- & \u2028"
    text = str(_json(go.Figure().update_layout(title={"text": title})))
    assert not set(text) & set("<>&\u2028")
    assert json.loads(text)["layout"]["title"]["text"] == title
