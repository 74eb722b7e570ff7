"""The entrants of a task with all their trainings, over searches and splits, on common patients.

The unit that an entrant's result is repeated by is the seed where it was searched once, the search
where it was searched several times, and the split of a patient k-fold where there are several.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.ledger import Replicate
from results import stats
from results.draws import Draws
from results.load import StudyFacts, TaskFacts
from results.panel import JointPanel, Measure, Member, Split
from results.stats import Estimate, Floats


@dataclass(frozen=True, kw_only=True)
class Training:
    """A replicate that was scored."""

    study: StudyFacts
    replicate: Replicate
    score: float
    """The primary metric as recorded; NaN where it is undefined."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What is wrong with the predictions of a replicate."""

    key: str
    study: StudyFacts
    number: int
    """Of the replicate."""
    what: str


class Contenders:
    """Trainings, estimates and differences of some entrants on one split of a task's data."""

    def __init__(
        self,
        members: Mapping[str, Sequence[Member]],
        task: TaskFacts,
        rng: np.random.Generator,
        *,
        split: Split,
        splits: int = 1,
        searches: int = 1,
    ) -> None:
        """members: by key, an entrant's studies. splits, searches: as planned of each."""
        self.task, self.splits, self.searches = task, splits, searches
        self._members = {
            key: {f"{key}\x1f{study.id}": (run, study) for run, study in studies}
            for key, studies in members.items()
        }
        of_all = {name: one for studies in self._members.values() for name, one in studies.items()}
        numbers = sorted({_split_of(study) for _, study in of_all.values()})
        self._panels = {
            number: JointPanel(
                {name: one for name, one in of_all.items() if _split_of(one[1]) == number},
                task,
                rng,
                split=split,
            )
            for number in numbers
        }
        self._draws = {number: Draws(panel, rng) for number, panel in self._panels.items()}
        self._measures = {key: self._measures_of(key) for key in members}
        self._tables = {key: self._table_of(key) for key in members}

    # --- what there is ---

    @property
    def patients(self) -> int:
        """Groups of all test sets; 0 where no predictions could be read."""
        return sum(panel.patients for panel in self._panels.values())

    @property
    def bootstrapped(self) -> bool:
        """Whether any estimate or difference was a bootstrap's."""
        return any(draws.used for draws in self._draws.values())

    @property
    def alone(self) -> bool:
        """Whether a test set holds a single patient: nothing can be resampled."""
        return any(panel.blocks == 1 for panel in self._panels.values())

    @property
    def problems(self) -> list[Problem]:
        """What is wrong with predictions, each once."""
        return [
            Problem(key=key, study=studies[name][1], number=number, what=what)
            for panel in self._panels.values()
            for name, number, what in panel.problems
            for key, studies in self._members.items()
            if name in studies
        ]

    def trainings(self, key: str) -> list[Training]:
        """An entrant's scored replicates: split by split, search by search."""
        return [
            Training(study=study, replicate=one, score=score)
            for name, (_, study) in self._members[key].items()
            for one, score in zip(*self._scored(name, study), strict=True)
        ]

    def table(self, key: str) -> list[list[Floats]]:
        """Scores by split and by search, (seeds,) each; a search without a scored seed is left out,
        a split without one is empty."""
        return self._tables[key]

    def _table_of(self, key: str) -> list[list[Floats]]:
        found: dict[int, list[Floats]] = {number: [] for number in self._panels}
        for name, (_, study) in self._members[key].items():
            _, scores = self._scored(name, study)
            if len(scores):
                found[_split_of(study)].append(np.array(scores))
        return list(found.values())

    def units(self, key: str) -> Floats:
        """(units,): the scores of what the entrant's result is repeated by."""
        table = self.table(key)
        if self.splits == self.searches == 1:
            return table[0][0] if table and table[0] else np.zeros(0)
        means = [np.array([scores.mean() for scores in searches]) for searches in table]
        if self.splits == 1:
            return means[0]
        return np.array([searches.mean() for searches in means if len(searches)])

    def measurable(self, key: str) -> bool:
        """Whether the patients of an entrant's test sets can be resampled."""
        measures = self._measures[key]
        return bool(measures) and all(one is not None for one in measures.values())

    # --- estimates ---

    def estimate(self, key: str) -> Estimate:
        """An entrant's mean with its interval."""
        table = self.table(key)
        if not self.measurable(key):
            bare = self._nested(table, [np.zeros(0)] * len(table))
            if len(self.units(key)) >= stats.MIN_SEEDS and not self.alone:
                return Estimate(value=bare.value, why="not all of its predictions can be used")
            return bare
        estimate = self._nested(table, list(self._left_out(key).values()))
        if not self.bootstraps(key) or estimate.method == "none":
            return estimate
        return self._bootstrap(estimate, self.draws(key))

    def difference(self, first: str, second: str) -> Estimate:
        """The difference of two measurable entrants, first - second, with interval and p."""
        return self._resampled(first, second, self.t_difference(first, second))

    def differences(self, pairs: Sequence[tuple[str, str]]) -> list[Estimate]:
        """`difference` of each pair; by arrays over all pairs where the seeds are the units."""
        if self.splits != 1 or self.searches != 1 or not pairs:
            return [self.difference(first, second) for first, second in pairs]
        keys = list(dict.fromkeys(key for pair in pairs for key in pair))
        place = {key: number for number, key in enumerate(keys)}
        first, second = np.array([[place[one], place[other]] for one, other in pairs]).T
        alone = [self.table(key)[0] for key in keys]
        found = stats.t_differences(
            [searches[0] if len(searches) == 1 else np.zeros(0) for searches in alone],
            [next(iter(self._left_out(key).values()), np.zeros(0)) for key in keys],
            first,
            second,
        )
        return [
            self.difference(*pair) if known is None else self._resampled(*pair, known)
            for pair, known in zip(pairs, found, strict=True)
        ]

    def _resampled(self, first: str, second: str, difference: Estimate) -> Estimate:
        """The bootstrap's in place of the t method's, where there are units enough."""
        if not self.bootstraps(first, second) or difference.method == "none":
            return difference
        return self._bootstrap(difference, self.draws(first) - self.draws(second))

    def t_difference(self, first: str, second: str) -> Estimate:
        """The same by the t method, whatever the number of seeds."""
        one, other = self._left_out(first), self._left_out(second)
        return stats.nested_difference(
            self.table(first),
            self.table(second),
            [one[number] - other[number] for number in one if number in other],
            splits=self.splits,
            searches=self.searches,
        )

    def bootstraps(self, *keys: str) -> bool:
        """Whether these have units enough for a bootstrap: of splits there is none."""
        fewest = min(len(self.units(key)) for key in keys)
        return self.splits == 1 and fewest >= stats.BOOTSTRAP_SEEDS

    def draws(self, key: str) -> Floats:
        """(draws,): an entrant's mean under common draws of patients, and draws of its units."""
        ((number, measure),) = self._measures[key].items()
        assert measure is not None
        return self._draws[number].means(key, measure)

    def _bootstrap(self, found: Estimate, draws: Floats) -> Estimate:
        return stats.bootstrap_estimate(
            found.value,
            draws,
            blocks=found.blocks,
            seed_variance=found.seed_variance,
            patient_variance=found.patient_variance,
            search_variance=found.search_variance,
            degrees=found.degrees,
        )

    def _nested(self, table: list[list[Floats]], left_out: list[Floats]) -> Estimate:
        return stats.nested_estimate(table, left_out, splits=self.splits, searches=self.searches)

    def _left_out(self, key: str) -> dict[int, Floats]:
        """By split, the mean without each block of patients."""
        return {
            number: self._draws[number].left_out(key, measure)
            for number, measure in self._measures[key].items()
            if measure is not None
        }

    # --- measures ---

    def _scored(self, name: str, study: StudyFacts) -> tuple[list[Replicate], list[float]]:
        panel = self._panels[_split_of(study)]
        return panel.scored[name], panel.scores(name).tolist()

    def _measures_of(self, key: str) -> dict[int, Measure | None]:
        """By split, the metric of the entrant's units there under weights of the patients."""
        found: dict[int, Measure | None] = {}
        for number, panel in self._panels.items():
            names = [
                name
                for name, (_, study) in self._members[key].items()
                if _split_of(study) == number and panel.scored[name]
            ]
            measures = [panel.measure(name) for name in names]
            if measures:
                found[number] = _joint(measures, self.searches)
        return found


def _split_of(study: StudyFacts) -> int:
    return 0 if study.fold is None else study.fold.number


def _joint(measures: Sequence[Measure | None], searches: int) -> Measure | None:
    """Of a single search, (draws, seeds); of several their means, (draws, searches)."""
    if any(one is None for one in measures):
        return None
    known = [one for one in measures if one is not None]
    if searches == 1:
        return known[0]
    return lambda weights: np.stack([one(weights).mean(axis=1) for one in known], axis=1)
