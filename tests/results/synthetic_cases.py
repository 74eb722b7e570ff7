"""Test cases of synthetic patients, and what an entrant of some quality predicts for them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench import metrics
from bench.metrics.volumes import summarise

CLASSES = ("no liver", "liver", "liver & tumour")
METRICS = ("macro_f1", "accuracy", "auroc", "per_class_f1")
MASK_CLASSES = ("background", "liver", "tumour")
MASK_METRICS = (
    "mean_case_dice", "mean_dice", "per_class_dice", "per_class_slice_dice", "accuracy",
)  # fmt: skip
CLOSING_METRICS = ("per_class_voe", "per_class_assd_mm", "lesion_recall", "lesion_f1")


class Cases:
    """Test cases of patients who differ in how hard they are."""

    def __init__(
        self, patients: int, per_patient: int, strata: Sequence[str], *, seed: int = 11
    ) -> None:
        rng = np.random.default_rng(seed)
        count = patients * per_patient
        self.facts = {name: np.arange(count) // per_patient % 8.0 for name in strata}
        self.groups = np.array([f"patient-{n // per_patient:03d}" for n in range(count)])
        self.ids = np.array([f"{group}/slice-{n:04d}" for n, group in enumerate(self.groups)])
        self.labels = rng.integers(len(CLASSES), size=count)
        self.difficulty = np.repeat(rng.normal(0, 0.35, patients), per_patient)

    def scores(self, quality: float, rng: np.random.Generator) -> np.ndarray:
        """float32 (cases, classes), rows sum to 1."""
        logits = rng.normal(size=(len(self.labels), len(CLASSES)))
        logits[np.arange(len(self.labels)), self.labels] += 1.5 * quality + self.difficulty
        powers = np.exp(logits)
        return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)

    def outcome(self, quality: float, rng: np.random.Generator, primary: str) -> tuple[dict, dict]:
        """Arrays of the test split, and its metrics."""
        scores = self.scores(quality, rng)
        arrays = {
            "test_ids": self.ids,
            "test_groups": self.groups,
            "test_labels": self.labels,
            "test_scores": scores,
            **{f"test_fact_{name}": values for name, values in self.facts.items()},
        }
        names = list(dict.fromkeys((*METRICS, primary)))
        return arrays, metrics.evaluate(names, true=self.labels, scores=scores, class_names=CLASSES)


class Slices:
    """Test slices of one or two volumes a patient; some hold no tumour, some no liver."""

    def __init__(self, patients: int, per_patient: int, *, seed: int = 11) -> None:
        rng = np.random.default_rng(seed)
        patient = np.repeat(np.arange(patients), per_patient)
        number = np.tile(np.arange(per_patient), patients)
        self.groups = np.array([f"patient-{n:03d}" for n in patient])
        volume = np.where(number < per_patient // 2, 0, patient % 2)
        pairs = zip(self.groups, volume, strict=True)
        self.cases = np.array([f"{group}-{which}" for group, which in pairs])
        self.ids = np.array([f"{c}/{n:04d}" for c, n in zip(self.cases, number, strict=True)])
        liver = rng.integers(0, 400, len(patient)) * (number > 0)
        tumour = rng.integers(0, 60, len(patient)) * (rng.random(len(patient)) < 0.4) * (number > 0)
        self.true = np.stack([1024 - liver - tumour, liver, tumour], axis=1)
        self.difficulty = np.repeat(rng.normal(0, 0.35, patients), per_patient)

    def outcome(self, quality: float, rng: np.random.Generator, primary: str) -> tuple[dict, dict]:
        """Arrays of the test split, and its metrics."""
        hit = 1 / (1 + np.exp(-1.5 * quality - self.difficulty))
        chances = np.full((len(hit), 3, 3), 0.0)
        chances[:, range(3), range(3)] = hit[:, None]
        chances[:, range(3), [1, 2, 0]] = 1 - hit[:, None]
        counts = rng.multinomial(self.true, chances)
        volumes = np.unique(self.cases)
        measured = [
            {
                "voe_liver": rng.uniform(),
                "voe_tumour": rng.uniform(),
                "assd_mm_liver": rng.uniform(0, 9),
                "assd_mm_tumour": np.nan if number % 3 else rng.uniform(0, 9),
                "lesion_tp": float(number % 2),
                "lesion_fp": 1.0,
                "lesion_fn": 2.0,
            }
            for number in range(len(volumes))
        ]
        arrays = {
            "test_ids": self.ids,
            "test_groups": self.groups,
            "test_cases": self.cases,
            "test_counts": counts.astype(np.int32),
            "test_volumes": volumes,
            **{f"test_volume_{k}": np.array([m[k] for m in measured]) for k in measured[0]},
        }
        names = list(dict.fromkeys((*MASK_METRICS, primary)))
        return arrays, metrics.evaluate_counts(
            names, counts=counts, cases=self.cases, class_names=MASK_CLASSES
        ) | summarise(CLOSING_METRICS, measured, MASK_CLASSES)
