from results.analysis import analyse
from results.load import load_run
from results.methods import protocol
from results.sentences import verdict
from tests.results.synthetic import CAST, Actor


def told(folder):
    run = load_run(folder)
    return verdict(run, analyse(run, "lits_cls"))


def test_one_in_front(make_run):
    found = told(make_run())
    assert "Strong is alone in the first tier, Macro F1 0.9" in found.text
    assert "ahead of Weak" in found.text and "95 % interval" in found.text
    assert "p " in found.details[0] and "The difference between" in found.text
    assert "the configurations that were found, not of the models" in found.text


def test_several_that_cannot_be_told_apart(make_run):
    twins = [Actor(label=label, quality=1.2) for label in ("A", "B", "C")]
    text = told(make_run(twins)).text
    assert "share the first tier and cannot be told apart" in text
    assert all(label in text.split(" all share")[0] for label in "ABC")
    assert "alone" not in text


def test_the_difference_is_positive_inside_its_interval(make_run):
    for primary in ("macro_f1", "log_loss"):
        import re
        import shutil

        folder = make_run(primary=primary)
        text = told(folder).text
        shutil.rmtree(folder)
        value, low, high = map(
            float, re.search(r"is (\d\.\d+) \(95 % interval (\S+) to (\d\.\d+)", text).groups()
        )
        assert 0 < low < value < high


def test_one_entrant_has_nobody_to_be_compared_with(make_run):
    text = told(make_run([Actor(label="Only")])).text
    assert "Only has Macro F1" in text and "no other entrant" in text and "tier" not in text


def test_without_intervals_nobody_is_ranked(make_run):
    text = told(make_run(seeds=2)).text
    assert text.startswith("Nobody can be ranked") and "without an interval" in text


def test_all_failed(make_run):
    assert told(make_run([CAST[-1]])).text == "Its only study failed: there is no result."


def test_an_unfinished_run_says_so(make_run):
    text = told(make_run([Actor(label="A", finished=0)], finish=False)).text
    assert text.startswith("There is no result yet.") and "not finished" in text


def test_who_is_left_out_is_named(make_run):
    text = told(make_run(CAST)).text
    assert "Not ranked: FCNN and AlexNet" in text


def test_few_patients_are_mentioned(make_run):
    assert "only 4 patients" in told(make_run(patients=4)).text


def test_a_difference_below_the_margin_is_called_so(make_run):
    same = [Actor(label=label, quality=3.5, seed_spread=0.0) for label in ("A", "B")]
    assert "below the 0.01 that matters" in told(make_run(same)).text


def test_the_protocol_tells_the_method_that_was_used(make_run):
    run = load_run(make_run(seeds=10, groups_known=False))
    text = " ".join(protocol(run, [analyse(run, "lits_cls")]))
    assert "54 epochs" in text and "hierarchical bootstrap" in text and "group unknown" in text


def test_few_seeds_are_warned_of(make_run):
    import shutil

    for seeds, warned in ((3, True), (4, True), (5, False)):
        folder = make_run(seeds=seeds)
        assert ("fewer than 5 seeds is too narrow" in told(folder).text) == warned
        shutil.rmtree(folder)


def test_without_an_interval_there_is_nothing_to_be_warned_of(make_run):
    assert "too narrow" not in told(make_run(seeds=2)).text
