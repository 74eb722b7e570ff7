"""Suites: every mistake at once, each with its key and the nearest known name."""

import pytest

from bench import plan, suites
from bench.errors import UserError

GOOD = """
title = "Test"
tasks = ["lits_cls"]

[[entrants]]
label = "A"
family = "fcnn"

[[entrants]]
label = "B"
family = "resnet"
pin = { depth = 18 }

[search]
effort_epochs = 20
max_epochs = 5

[scales.demo]
image_size = 32
seeds = 3
effort_epochs = 10
phantom_cases = { lits = 9 }
"""


@pytest.fixture
def resolve(tmp_path):
    def resolve(text, scale="demo", **options):
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return suites.resolve(suites.read(str(path)), scale=scale, **options)

    return resolve


def test_the_scale_and_then_the_command_line_are_laid_over(resolve):
    suite = resolve(GOOD, settings={"seeds": 4, "image_size": 48})
    assert (suite.search.effort_epochs, suite.search.max_epochs) == (10, 5)
    assert suite.replicates.seeds == 4
    assert suite.options["lits_cls"]["image_size"] == 48
    assert suite.phantom_cases == {"lits": 9}
    full = resolve(GOOD, scale="full")
    assert (full.search.effort_epochs, full.options["lits_cls"]["image_size"]) == (20, 224)


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ('tasks = ["lits_cls"]', 'tasks = ["lits_clz"]', "did you mean 'lits_cls'"),
        ('family = "fcnn"', 'family = "fcn"', "did you mean 'fcnn'"),
        ("depth = 18", "dept = 18", "did you mean 'depth'"),
        ("depth = 18", "depth = 19", "depth must be one of 18, 34"),
        ("max_epochs = 5", "max_epoch = 5", "did you mean 'max_epochs'"),
        ("max_epochs = 5", 'max_epochs = "5"', "search.max_epochs: should be a valid integer"),
        ("max_epochs = 5", "max_epochs = 50", "effort_epochs must pay for one whole trial"),
        ("[scales.demo]", "[scales.demos]", "did you mean 'demo'"),
        ("image_size = 32", "imagesize = 32", "did you mean 'image_size'"),
        ("image_size = 32", 'image_size = "x"', "image_size must be a whole number"),
        ("lits = 9", "lots = 9", "did you mean 'lits'"),
        ('label = "B"', 'label = "A"', "label 'A' is taken"),
        ('title = "Test"', 'titel = "Test"', "did you mean 'title'"),
        ('title = "Test"', 'title = "Test"\nprimary = "means"', "unknown analysis"),
        ('label = "A"', 'label = "A"\ntasks = ["news"]', "unknown task of this suite"),
        ("seeds = 3", "seeds = 0", "seeds must be at least 1"),
    ],
)
def test_each_mistake_is_named(resolve, good, bad, said):
    assert good in GOOD
    with pytest.raises(UserError, match=said.replace("(", r"\(")):
        resolve(GOOD.replace(good, bad, 1))


def test_all_mistakes_are_reported_at_once(resolve):
    text = GOOD.replace("fcnn", "fcn").replace("depth = 18", "depth = 1").replace("title", "titel")
    with pytest.raises(UserError) as raised:
        resolve(text)
    message = str(raised.value)
    assert "mine.toml" in message
    for key in ("titel", "entrants[1]", "entrants[2] (B)", "title: a suite needs"):
        assert key in message


def test_an_unknown_suite_and_bad_toml_are_named(resolve):
    with pytest.raises(UserError, match="did you mean 'liver'"):
        suites.read("livr")
    with pytest.raises(UserError, match="mine.toml is not valid TOML"):
        resolve("title = ")


def test_a_scale_may_name_its_entrants_and_the_command_line_may_overrule_it(resolve):
    text = GOOD.replace("image_size = 32", 'image_size = 32\nentrants = ["A"]')
    assert [e.label for e in resolve(text).entrants] == ["A"]
    assert [e.label for e in resolve(text, scale="full").entrants] == ["A", "B"]
    assert [e.label for e in resolve(text, entrants=["B"]).entrants] == ["B"]
    with pytest.raises(UserError, match="scales.demo.entrants.C: unknown entrant"):
        resolve(text.replace('["A"]', '["C"]'))


def test_narrowing_by_task_label_and_family(resolve):
    assert [e.label for e in resolve(GOOD, entrants=["B"]).entrants] == ["B"]
    assert [e.label for e in resolve(GOOD, entrants=["fcnn"]).entrants] == ["A"]
    with pytest.raises(UserError, match="unknown entrant of this suite 'C'"):
        resolve(GOOD, entrants=["C"])


def test_a_study_s_id_changes_with_whatever_defines_it_and_with_nothing_else(resolve):
    def ids(**options):
        return [study.id for study in plan.plan(resolve(GOOD, **options))]

    assert ids() == ids()
    assert len(set(ids())) == 2
    assert ids() != ids(seed=5)
    assert ids() != ids(settings={"effort_epochs": 11})
    assert ids() != ids(settings={"image_size": 40})
    assert ids(entrants=["B"]) == ids()[1:]


def test_studies_differ_in_their_random_streams(resolve):
    studies = plan.plan(resolve(GOOD))
    assert len({study.seed for study in studies}) == len(studies)


@pytest.mark.parametrize("name", suites.names())
@pytest.mark.parametrize("scale", suites.SCALES)
def test_every_suite_of_the_house_plans_at_every_scale(name, scale):
    file = suites.read(name)
    suite = suites.resolve(file, scale=scale)
    studies = plan.plan(suite)
    assert {study.task for study in studies} == set(suite.tasks)
    assert {study.entrant.label for study in studies} == {e.label for e in suite.entrants}
    assert len(suite.entrants) > 1


TWO = """
title = "Two"
tasks = ["lits_cls", "mhist"]

[[entrants]]
label = "A"
family = "fcnn"
pin = { balance = "smote" }

[search]
effort_epochs = 20
max_epochs = 5

[options]
image_size = 64

[options.mhist]
leave_out = "search"
per_class = 100

[scales.demo]
lits_cls = { image_size = 32, effort_epochs = 8 }
"""


def test_a_task_may_have_a_search_and_options_of_its_own(resolve):
    suite = resolve(TWO, settings={"mhist.image_size": 48})
    assert suite.options["lits_cls"]["image_size"] == 32
    assert suite.options["mhist"]["image_size"] == 48
    searches = {study.task: study.search for study in plan.plan(suite)}
    assert searches["lits_cls"].effort_epochs == 8 and searches["lits_cls"].max_epochs == 5
    assert searches["mhist"].effort_epochs == 20


def test_parameters_of_a_training_set_are_fixed_searched_or_pinned(resolve):
    suite = resolve(TWO)
    assert suite.training == {"lits_cls": {}, "mhist": {"balance": "none", "per_class": 100}}
    lits, mhist = plan.plan(suite)
    assert mhist.pinned == {"balance": "smote", "per_class": 100}
    assert "leave_out" in mhist.space and "leave_out" not in lits.space
    assert lits.pinned == {}


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ("per_class = 100", "per_clas = 100", "did you mean 'per_class'"),
        ("per_class = 100", "per_class = 7", "per_class must be one of 0, 100, 200, 400"),
        ("effort_epochs = 8", "effort = 8", "scales.demo.lits_cls.effort"),
        ("effort_epochs = 8", "effort_epochs = 2", "search of lits_cls"),
        ('balance = "smote"', 'balance = "smoted"', "pin: balance must be one of"),
        ("image_size = 64", "image_size = 64\nvalidation_share = 0.9", "split fractions"),
    ],
)
def test_each_mistake_in_a_task_s_own_settings_is_named(resolve, good, bad, said):
    assert good in TWO
    with pytest.raises(UserError, match=said):
        resolve(TWO.replace(good, bad, 1))
