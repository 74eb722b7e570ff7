"""Suites: every mistake at once, each with its key and the nearest known name."""

import pytest

from bench import plan, registry, suites
from bench.errors import UserError
from bench.spec import Choice, Published

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
        ('family = "fcnn"', 'family = "fcnnn"', "did you mean 'fcnn'"),
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


def test_tasks_that_no_named_entrant_enters_are_left_out_unless_they_are_named_too():
    smoke = suites.read("smoke")
    suite = suites.resolve(smoke, scale="demo", entrants=["fastText", "U-Net, tiny"])
    assert suite.tasks == ("lits_seg", "ag_news")
    with pytest.raises(UserError, match="lits_cls has none among fastText: leave the task out"):
        suites.resolve(smoke, scale="demo", tasks=["lits_cls", "ag_news"], entrants=["fastText"])


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


def test_every_family_enters_a_suite_of_the_house():
    """At full scale: an architecture that nothing names is one that nobody runs."""
    entered = {
        entrant.family
        for name in suites.names()
        for entrant in suites.resolve(suites.read(name), scale="full").entrants
    }
    assert entered == set(registry.families().items)


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
    held = lits.pinned
    assert mhist.pinned == held | {"balance": "smote", "per_class": 100}
    assert "leave_out" in mhist.space and "leave_out" not in lits.space
    assert "accumulation_steps" in held and "learning_rate" not in held


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


SPACES = GOOD.replace(
    "[search]",
    """
[spaces.vision]
optimizer = ["adamw", "sgd", "adam"]
learning_rate = { low = 1e-4, high = 1e-2 }

[search]""",
).replace(
    'family = "fcnn"',
    'family = "fcnn"\nspace = { initialisation = "search", learning_rate = { high = 0.5 } }',
)


def test_a_suite_overrides_spaces_and_an_entrant_its_own(resolve):
    a, b = plan.plan(resolve(SPACES))
    assert b.space["learning_rate"]["high"] == 1e-2 and b.space["learning_rate"]["low"] == 1e-4
    assert a.space["learning_rate"]["high"] == 0.5 and a.space["learning_rate"]["low"] == 1e-5
    assert a.space["optimizer"]["values"] == b.space["optimizer"]["values"]
    assert a.space["optimizer"]["values"] == ["adamw", "sgd", "adam"]
    assert "initialisation" not in a.pinned and b.pinned["initialisation"] == "default"
    plain = plan.plan(resolve(GOOD))
    assert {study.id for study in plain}.isdisjoint({a.id, b.id})


def test_a_family_that_is_no_entrant_joins_under_the_suite_s_spaces(resolve):
    suite = resolve(SPACES, entrants=["convmixer", "B"])
    assert [entrant.label for entrant in suite.entrants] == ["B", "ConvMixer"]
    assert suite.entrants[1].space["learning_rate"] == {"low": 1e-4, "high": 1e-2}
    with pytest.raises(UserError, match="unknown entrant of this suite 'fasttext'"):
        resolve(SPACES, entrants=["fasttext"])


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ("[spaces.vision]", "[spaces.visions]", "unknown space 'visions': did you mean 'vision'"),
        ("high = 1e-2", "high = 1e-5", "a range needs finite low < high"),
        ("high = 1e-2", "hihg = 1e-2", "learning_rate: unknown key 'hihg': did you mean 'high'"),
        ('"adam"]', '"adma"]', "optimizer: value 'adma': did you mean 'adam"),
        ('["adamw", "sgd", "adam"]', '["sgd"]', "needs two or more values, got .'sgd'.: pin"),
        ('["adamw", "sgd", "adam"]', '"adam"', "a single value is pinned"),
        ("pin = { depth = 18 }", "pin = { learning_rate = 90.0 }", "learning_rate must lie in"),
        (
            "pin = { depth = 18 }",
            "space = { dept = 18 }",
            "space: unknown parameter 'dept': did you",
        ),
        (
            "pin = { depth = 18 }",
            "pin = { depth = 18 }\nspace = { depth = [18, 34] }",
            "depth is pinned and in `space`",
        ),
        ("max_epochs = 5", 'max_epochs = 5\nenqueue = ["defalts"]', "did you mean 'defaults'"),
    ],
)
def test_each_mistake_in_a_space_is_named(resolve, good, bad, said):
    assert good in SPACES
    with pytest.raises(UserError, match=said):
        resolve(SPACES.replace(good, bad, 1))


def test_a_pin_goes_before_the_suite_s_space(resolve):
    pinned = SPACES.replace("depth = 18", 'depth = 18, optimizer = "sgd"')
    study = plan.plan(resolve(pinned))[1]
    assert study.pinned["optimizer"] == "sgd"


@pytest.fixture
def published(monkeypatch):
    """Families fcnn and resnet know settings of a document."""

    def publish(**settings):
        for id, given in settings.items():
            one = Published(document="paper", settings=given, tasks=("lits_cls",))
            monkeypatch.setattr(
                registry, "families", _with(registry.families(), id, published=(one,))
            )

    return publish


def _with(shelf, id, **changes):
    from dataclasses import replace

    changed = replace(shelf, items={**shelf.items, id: replace(shelf.items[id], **changes)})
    return lambda: changed


PAPER = GOOD.replace("max_epochs = 5", 'max_epochs = 5\nenqueue = ["defaults", "paper"]')


def test_published_settings_are_enqueued_where_no_pin_speaks_against_them(resolve, published):
    setting = {"depth": 18, "learning_rate": 1e-4, "schedule": "constant"}
    published(fcnn={"learning_rate": 2e-4}, resnet=setting)
    fcnn, resnet = plan.plan(resolve(PAPER))
    assert [one["learning_rate"] for one in fcnn.enqueued] == [1e-3, 2e-4]
    assert resnet.enqueued[1]["schedule"] == "constant" and len(resnet.enqueued) == 2
    other = plan.plan(resolve(PAPER.replace("depth = 18", "depth = 34")))[1]
    assert len(other.enqueued) == 1
    assert len(plan.plan(resolve(GOOD))[1].enqueued) == 1


def test_an_entrant_from_scratch_is_not_given_published_weights(resolve, published):
    published(resnet={"depth": 18, "weights": "imagenet", "learning_rate": 1e-4})
    assert len(plan.plan(resolve(PAPER))[1].enqueued) == 1
    pinned = PAPER.replace("depth = 18", 'depth = 18, weights = "imagenet"')
    assert len(plan.plan(resolve(pinned))[1].enqueued) == 2


def test_the_same_configuration_is_enqueued_once(resolve, published):
    published(fcnn={"learning_rate": 1e-3})
    assert len(plan.plan(resolve(PAPER))[0].enqueued) == 1


def test_a_published_setting_outside_of_its_space_is_named(resolve, published):
    published(fcnn={"learning_rate": 300.0})
    suite = resolve(PAPER)
    with pytest.raises(UserError, match="A: the setting of paper lies outside .* learning_rate"):
        plan.plan(suite)


def test_held_parameters_are_neither_free_nor_lost(resolve):
    study = plan.plan(resolve(GOOD))[0]
    space = registry.space_of(registry.families().get("fcnn"), registry.tasks().get("lits_cls"))
    held = {name for name, item in space.items() if item.held}
    assert held and held <= set(study.pinned)
    assert isinstance(space["initialisation"], Choice)
    assert study.enqueued[0]["initialisation"] == "default"
