"""Who may import whom: reads every import of the project and holds the arrows of its design.

cli
 ├─ results ─────────► ledger, metrics, spec, errors, folders
 ├─ tune ─► train ─► data ─► registry ··(by name)··► suite.*, search_spaces
 └─ plan, suites, preflight, provenance, seeds ─► spec, errors
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGES = ("bench", "suite", "search_spaces", "results")
HEAVY = {
    "torch", "torchvision", "timm", "transformers", "ray", "optuna", "pandas", "plotly", "sklearn",
    "scipy", "nibabel",
}  # fmt: skip

VOCABULARY = {"bench.spec", "bench.errors"}
GROUND = VOCABULARY | {"bench.folders", "bench.seeds", "bench.torch_check"}
CATALOGUE = GROUND | {"bench.registry", "bench.plugins"}
DATA = CATALOGUE | {"bench.data"}
TRAIN = DATA | {"bench.train", "bench.metrics", "bench.weights"}
PLANNING = CATALOGUE | {"bench.suites", "bench.narrowing", "bench.plan"}

MAY_IMPORT: dict[str, set[str]] = {
    "bench.errors": set(),
    "bench.parameters": {"bench.errors"},
    "bench.overrides": {"bench.errors", "bench.parameters"},
    "bench.space": {"bench.errors", "bench.parameters", "bench.overrides"},
    "bench.spec": {
        "bench.errors",
        "bench.parameters",
        "bench.overrides",
        "bench.space",
        "bench.spec",
    },
    "bench.distributions": VOCABULARY,
    "bench.grid": {"bench.spec", "bench.parameters", "bench.errors"},
    "bench.sampler_options": {"bench.spec", "bench.errors", "bench.grid"},
    "bench.folders": VOCABULARY,
    "bench.seeds": VOCABULARY,
    "bench.torch_check": VOCABULARY,
    "bench.provenance": VOCABULARY,
    "bench.metrics": VOCABULARY | {"bench.metrics"},
    "bench.ledger": VOCABULARY | {"bench.folders", "bench.ledger"},
    "bench.plugins": VOCABULARY,
    "bench.registry": VOCABULARY | {"bench.plugins"},
    "bench.runs": CATALOGUE,
    "bench.predictions": {"bench.runs"},
    "bench.redaction": set(),
    "bench.storage": {"bench.errors", "bench.redaction", "bench.runs"},
    "bench.prepared_run": DATA | {"bench.runs"},
    "bench.outside": TRAIN
    | {
        "bench.outside",
        "bench.ledger",
        "bench.runs",
        "bench.predictions",
        "bench.prepared_run",
    },
    "bench.predict": TRAIN
    | {
        "bench.predict",
        "bench.ledger",
        "bench.runs",
        "bench.prepared_run",
        "bench.provenance",
        "bench.storage",
    },
    "bench.settings": VOCABULARY,
    "bench.narrowing": CATALOGUE,
    "bench.suite_reader": CATALOGUE
    | {"bench.narrowing", "bench.settings", "bench.sampler_options"},
    "bench.suites": CATALOGUE | {"bench.narrowing", "bench.suite_reader"},
    "bench.plan": PLANNING | {"bench.sampler_options"},
    "bench.provisions": CATALOGUE | {"bench.weights"},
    "bench.against": PLANNING | {"bench.plugins", "bench.runs"},
    "bench.warm_start": VOCABULARY | {"bench.runs", "bench.ledger"},
    "bench.growth": VOCABULARY,
    "bench.extend": PLANNING
    | {
        "bench.growth",
        "bench.ledger",
        "bench.runs",
        "bench.provenance",
        "bench.provisions",
        "bench.warm_start",
    },
    "bench.launch": DATA
    | PLANNING
    | {
        "bench.against",
        "bench.runs",
        "bench.provenance",
        "bench.provisions",
        "bench.warm_start",
    },
    "bench.listing": PLANNING | {"bench.runs", "bench.ledger"},
    "bench.progress": VOCABULARY,
    "bench.single": TRAIN | {"bench.launch", "bench.plan"},
    "bench.options": VOCABULARY,
    "bench.weights": VOCABULARY | {"bench.options", "bench.weights"},
    "bench.data": DATA,
    "bench.train": TRAIN,
    "bench.tune": TRAIN
    | PLANNING
    | {
        "bench.tune",
        "bench.distributions",
        "bench.grid",
        "bench.sampler_options",
        "bench.extend",
        "bench.ledger",
        "bench.runs",
        "bench.provisions",
        "bench.predictions",
        "bench.prepared_run",
        "bench.redaction",
        "bench.storage",
    },
    "bench.refresh": {"results"},
    "bench.rehearsal": TRAIN,
    "bench.preflight": TRAIN | PLANNING | {"bench.launch", "bench.provisions", "bench.rehearsal"},
    "bench.cli": set(PACKAGES),
    "bench.commands": set(PACKAGES),
    "results": VOCABULARY
    | {"bench.ledger", "bench.metrics", "bench.folders", "bench.distributions", "results"},
    "suite.documents": VOCABULARY,
    "suite.families": VOCABULARY
    | {"suite.nets", "suite.documents", "bench.options", "bench.weights"},
    "suite.nets": VOCABULARY | {"suite.nets", "bench.weights"},
    "suite.ct": VOCABULARY | {"suite.ct"},
    "suite.tasks": VOCABULARY | {"suite.ct"},
    "suite.masks": VOCABULARY | {"suite.ct"},
    "suite.unlabelled": VOCABULARY | {"suite.ct", "suite.csv_rows", "suite.datasets"},
    "suite.csv_rows": VOCABULARY,
    "suite.datasets": VOCABULARY | {"suite.ct", "suite.csv_rows"},
    "suite.slides": VOCABULARY | {"suite.slides"},
    "suite.phantoms": VOCABULARY | {"suite.ct", "suite.slides"},
    "search_spaces.parts": VOCABULARY | {"search_spaces.parts"},
    "search_spaces": VOCABULARY | {"search_spaces.parts"},
}
"""By module or package: what of the project it may import, anywhere in its files."""

ONLY_IN: dict[str, set[str]] = {
    "ray": {"bench.tune"},
    "optuna": {"bench.tune", "bench.distributions", "results.importance"},
    "plotly": {"results"},
    "pandas": {"results", "suite.datasets"},
    "torch": {
        "bench.data",
        "bench.weights",
        "bench.train",
        "bench.tune",
        "bench.rehearsal",
        "suite",
    },
}
"""Who alone may import a library, anywhere in its files."""

LAZY = ("suite.nets", "bench.weights")
"""What families import in their functions alone."""
LISTED = ("bench.cli", "bench.commands", "bench.listing", "suite", "search_spaces")
"""What `bench --help` and `bench list` load; `suite.nets` is loaded by a family's build alone."""
BARE = ("bench.spec", "bench.errors", "bench.parameters", "bench.overrides", "bench.space")
"""What imports the standard library alone."""
LIGHT = (
    "bench.spec", "bench.space", "bench.parameters", "bench.overrides", "bench.options",
    "bench.settings", "bench.errors", "bench.folders", "bench.registry", "bench.suites",
    "bench.plan", "bench.seeds", "bench.provenance", "bench.torch_check", "bench.ledger",
    "bench.runs", "bench.launch", "bench.weights", "bench.plugins", "bench.provisions",
    "bench.rehearsal", "bench.preflight",
)  # fmt: skip


@dataclass(frozen=True)
class Import:
    """One import of a file."""

    module: str
    """Who imports."""
    target: str
    """Full dotted name, `from a import b` as "a.b"."""
    line: int
    on_load: bool
    """Whether it runs when the module is loaded: outside of functions and TYPE_CHECKING."""

    def __str__(self) -> str:
        return f"{self.module}, line {self.line}: imports {self.target}"


def within(name: str, parents: Iterable[str]) -> bool:
    """Whether a dotted name is one of these or lies below one of them."""
    return any(name == parent or name.startswith(parent + ".") for parent in parents)


def imports(module: str, source: str) -> Iterator[Import]:
    """Every import of a source, `import_module("name")` and `__import__("name")` included."""
    yield from _imports(module, ast.parse(source), on_load=True)


def _imports(module: str, node: ast.AST, *, on_load: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        for target in _targets(module, child):
            yield Import(module, target, child.lineno, on_load)  # type: ignore[attr-defined]
        lazy = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or (
            isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        )
        yield from _imports(module, child, on_load=on_load and not lazy)


def _targets(module: str, node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            base = ".".join([*module.split(".")[: -node.level], *filter(None, [node.module])])
        return [f"{base}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        name = ast.unparse(node.func).split(".")[-1]
        if name in ("import_module", "__import__") and isinstance(node.args[0].value, str):
            return [node.args[0].value]
    return []


def read_project(root: Path) -> dict[str, str]:
    """Source by module name; a package's `__init__` as `package.__init__`."""
    return {
        ".".join(path.relative_to(root).with_suffix("").parts): path.read_text()
        for package in PACKAGES
        for path in sorted((root / package).rglob("*.py"))
    }


def violations(sources: Mapping[str, str]) -> list[str]:
    """Every import that breaks a rule, in words."""
    found = [item for name, source in sources.items() for item in imports(name, source)]
    return [
        *(f"{name} has no rule in MAY_IMPORT" for name in sources if not _rule(name)),
        *(f"{item}, a layer that it may not know" for item in found if _wrong_layer(item)),
        *(f"{item}, which belongs to others" for item in found if _wrong_library(item)),
        *(f"{item}, but only the standard library" for item in found if _not_standard(item)),
        *(f"{item} on loading" for item in found if _heavy_where_light(item)),
        *_heavy_on_listing(sources, found),
    ]


def _rule(module: str) -> str | None:
    if module.endswith(".__init__") and module.count(".") == 1:
        return "package"
    return next((name for name in MAY_IMPORT if within(module, [name])), None)


def _wrong_layer(item: Import) -> bool:
    if not within(item.target, PACKAGES):
        return False
    if item.module in ("bench.__init__", "suite.__init__"):
        return True
    rule = next(
        (allowed for name, allowed in MAY_IMPORT.items() if within(item.module, [name])), None
    )
    wrong = rule is not None and not within(item.target, rule)
    lazy = within(item.target, LAZY) and within(item.module, ["suite.families"])
    return wrong or (lazy and item.on_load)


def _wrong_library(item: Import) -> bool:
    owners = ONLY_IN.get(item.target.split(".")[0])
    return owners is not None and not within(item.module, owners)


def _not_standard(item: Import) -> bool:
    top = item.target.split(".")[0]
    bare = item.module in BARE
    return bare and top != "bench" and top not in sys.stdlib_module_names


def _heavy(item: Import) -> bool:
    return item.on_load and item.target.split(".")[0] in HEAVY


def _heavy_where_light(item: Import) -> bool:
    return _heavy(item) and within(item.module, LIGHT)


def _heavy_on_listing(sources: Mapping[str, str], found: list[Import]) -> list[str]:
    """Heavy imports of what listing loads, also through other modules of the project."""
    loaded = {name for name in sources if within(name, LISTED) and not within(name, ["suite.nets"])}
    while True:
        more = {
            name
            for item in found
            if item.on_load and item.module in loaded
            for name in _modules(item.target, sources)
        }
        if more <= loaded:
            break
        loaded |= more
    return [
        f"{item}: `bench list` loads it" for item in found if _heavy(item) and item.module in loaded
    ]


def _modules(target: str, sources: Mapping[str, str]) -> set[str]:
    """The modules that an import of this name loads: itself and the packages above it."""
    parts = target.split(".")
    names = {".".join(parts[:end]) for end in range(1, len(parts) + 1)}
    return {name for name in names if name in sources} | {
        f"{name}.__init__" for name in names if f"{name}.__init__" in sources
    }


def test_the_project_keeps_its_layers(project: Path) -> None:
    sources = read_project(project)
    assert {name.split(".")[0] for name in sources} == set(PACKAGES)
    assert violations(sources) == []


@pytest.mark.parametrize(
    ("module", "source", "expected"),
    [
        ("bench.spec", "import numpy", "bench.spec, line 1: imports numpy, but only the standard"),
        ("bench.errors", "from bench import spec", "imports bench.spec, a layer"),
        ("results.tables", "from bench.tune import engine", "imports bench.tune.engine, a layer"),
        ("results.tables", "def f():\n    import torch", "line 2: imports torch, which belongs"),
        (
            "bench.train.fit",
            "def f():\n    from ray import tune",
            "imports ray.tune, which belongs",
        ),
        ("bench.train.fit", "from bench import tune", "imports bench.tune, a layer"),
        ("bench.train.fit", "import importlib\nimportlib.import_module('optuna')", "line 2"),
        ("bench.train.fit", "from ..tune import engine", "imports bench.tune.engine, a layer"),
        ("bench.data.loading", "from bench.train.fit import fit", "imports bench.train.fit.fit, a"),
        ("bench.data.loading", "import pandas as pd", "imports pandas, which belongs"),
        ("bench.registry", "from suite.tasks import mhist", "imports suite.tasks.mhist, a layer"),
        ("suite.tasks.mhist", "from suite.families import vit", "imports suite.families.vit, a"),
        ("suite.families.vit", "from suite.families import unet", "imports suite.families.unet, a"),
        ("suite.families.vit", "from suite.nets.vit import V", "imports suite.nets.vit.V, a layer"),
        ("suite.families.vit", "from bench.weights import fill", "imports bench.weights.fill, a"),
        ("bench.weights.hub", "import huggingface_hub, torch", "imports torch on loading"),
        ("suite.families.vit", "import timm", "imports timm: `bench list` loads it"),
        ("suite.families.vit", "class A:\n    import torch", "line 2: imports torch: `bench list`"),
        ("search_spaces.vision", "try:\n    import scipy\nexcept E:\n    pass", "imports scipy"),
        ("bench.plan", "import scipy.stats", "imports scipy.stats on loading"),
        ("bench.common", "", "bench.common has no rule"),
        ("bench.tune.engine", "from bench.cli import main", "imports bench.cli.main, a layer"),
    ],
)
def test_a_breach_is_found(module: str, source: str, expected: str) -> None:
    assert any(expected in line for line in violations({module: source})), violations(
        {module: source}
    )


def test_a_heavy_import_behind_another_module_is_found() -> None:
    sources = {
        "bench.__init__": "",
        "bench.cli": "from bench import train",
        "bench.train.__init__": "from bench.train.fit import fit",
        "bench.train.fit": "import torch",
    }
    assert violations(sources) == ["bench.train.fit, line 1: imports torch: `bench list` loads it"]
    sources["bench.cli"] = "def run():\n    from bench import train"
    assert violations(sources) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("bench.spec", "import json\nfrom bench.errors import UserError"),
        (
            "bench.tune.engine",
            "import ray, optuna\nfrom bench.train import fit\nimport bench.ledger",
        ),
        ("bench.train.fit", "import torch\nfrom bench.data import loading"),
        (
            "results.tables",
            "import pandas\nfrom bench.ledger import fold\nfrom results import seeds",
        ),
        (
            "suite.families.vit",
            "def build(c, s):\n    from suite.nets.vit import V\n    import torch",
        ),
        ("suite.nets.vit", "import torch"),
        (
            "suite.families.vit",
            "from bench.options import WEIGHTS\ndef f(c):\n    from bench.weights import fill",
        ),
        ("suite.tasks.lits", "def f():\n    import scipy\nfrom bench.spec import Task"),
        ("bench.plan", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import scipy"),
    ],
)
def test_what_the_rules_allow_is_not_complained_of(module: str, source: str) -> None:
    assert violations({module: source}) == []
