import json

from results import exploratory, figures, over_time, seed_table, tables, training
from results.analysis import analyse
from results.leaderboard import leaderboard
from results.load import load_run
from tests.results.synthetic import CAST, PAIR


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
        figures.seed_variance(
            tables.seeds(run, analysis),
            seed_table.histograms(run, analysis),
            metric="F",
            split="test",
            looks=looks,
        ),
        figures.score_against_seconds(
            over_time.tables(run, analysis)["over_time"], metric="F", looks=looks
        ),
        figures.search(training.trajectory(run, analysis), metric="F", looks=looks),
        figures.expected_best(exploratory.expected_best(run, analysis), metric="F", looks=looks),
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


def expected_best_of(folder, cast):
    run = load_run(folder)
    curves = exploratory.expected_best(run, analyse(run, "lits_cls"))
    looks = figures.styles([actor.label for actor in cast])
    return curves, figures.expected_best(curves, metric="F", looks=looks)


def test_expected_best_has_a_line_a_search_and_a_band_where_there_is_an_interval(make_run):
    curves, figure = expected_best_of(make_run(CAST), CAST)
    bands = [trace for trace in figure.data if trace.fill == "toself"]
    lines = [trace for trace in figure.data if trace.fill is None]
    assert len(lines) == len(bands) == 5, "AlexNet's search found nothing"
    of_first = curves[(curves["entrant"] == curves["entrant"][0]) & (curves["by"] == "epochs")]
    assert list(lines[0].y) == list(of_first["validation"])
    assert list(lines[0].x) == list(of_first["at"])
    known = of_first.dropna(subset="low")
    assert list(bands[0].y) == [*known["high"], *known["low"][::-1]]
    assert [line.showlegend for line in lines] == [True] * 5


def test_many_searches_have_no_bands_and_one_name_an_entrant(make_run):
    _, figure = expected_best_of(make_run(PAIR, searches=4, seeds=1), PAIR)
    assert len(figure.data) == 8 and not any(trace.fill for trace in figure.data)
    assert sum(trace.showlegend for trace in figure.data) == 2


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
