"""What `bench list` shows: plain rows, for people and for programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from bench import registry
from bench.errors import UserError
from bench.spec import unknown

Row = dict[str, Any]


def rows(what: str) -> list[Row]:
    """The rows of one list. UserError for a list that there is not."""
    if what not in LISTS:
        raise UserError(unknown("list", what, LISTS))
    return LISTS[what]()


def show(what: str, found: list[Row], console: Console) -> None:
    """Print rows: short ones as a table, others as blocks.

    Files that cannot be loaded come last, named with their error.
    """
    if not found:
        console.print(f"no {what}", markup=False)
        return
    sound = [row for row in found if "error" not in row]
    if what in TABLES:
        _show_table(sound, console)
    else:
        for row in sound:
            _show_block(row, console)
    for row in found:
        if "error" in row:
            console.print(f"{row['id']} cannot be loaded: {row['error']}", markup=False)


def _show_table(rows: list[Row], console: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in rows[0] if rows else ():
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    console.print(table)


def _show_block(row: Row, console: Console) -> None:
    """The id, then a line a property; empty ones are left out."""
    console.print(f"[bold]{_cell(row['id'])}[/bold]")
    for name, value in row.items():
        if name != "id" and value not in ([], "") and not isinstance(value, dict):
            console.print(Padding(f"{name}: {_cell(value)}", (0, 0, 0, 2)))


def _cell(value: Any) -> str:
    from rich.markup import escape

    return escape(", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))


def _suites() -> list[Row]:
    from bench import suites

    return [_suite(name) for name in suites.names()]


def _suite(name: str) -> Row:
    from bench import suites

    try:
        file = suites.read(name)
    except UserError as error:
        return {"id": name, "error": str(error)}
    return {"id": name, "title": file.title, "tasks": file.tasks, "scales": file.scales}


def _shelf(shelf: registry.Shelf, row: Callable[[Any], Row]) -> list[Row]:
    sound = [{"id": id, **row(item)} for id, item in sorted(shelf.items.items())]
    return sound + [{"id": id, "error": error} for id, error in sorted(shelf.broken.items())]


def _tasks() -> list[Row]:
    return _shelf(
        registry.tasks(),
        lambda task: {
            "title": task.title,
            "data set": task.dataset,
            "kind": task.kind,
            "classes": list(task.classes),
            "primary": task.primary,
            "margin": task.margin,
            "options": [f"{n}={item.middle()}" for n, item in task.options.items()],
            "training set": [f"{n}={item.middle()}" for n, item in task.training.items()],
        },
    )


def _families() -> list[Row]:
    return _shelf(
        registry.families(),
        lambda family: {
            "title": family.title,
            "kinds": sorted(family.kinds),
            "architectures": list(family.architectures),
            "own parameters": list(family.options),
            "space": family.space,
            "published": sorted({one.document for one in family.published}),
            "parameters": registry.space_of(family).canonical(),
        },
    )


def _spaces() -> list[Row]:
    def row(space: Any) -> Row:
        parameters = [_parameter(name, item) for name, item in space.canonical().items()]
        return {"hash": space.hash, "parameters": parameters}

    return _shelf(registry.spaces(), row)


def _parameter(name: str, item: dict[str, Any]) -> str:
    match item["type"]:
        case "choice":
            text = f"{name} in {'|'.join(map(str, item['values'] + item['also']))}"
        case "text":
            text = f"{name}={item['default']}"
        case _:
            text = f"{name} in [{item['low']:g}, {item['high']:g}]{' log' if item['log'] else ''}"
    conditions = " and ".join(_condition(*pair) for pair in (item["when"] or {}).items())
    held = " (held)" if item.get("held") else ""
    return f"{text}{held}{' when ' * bool(conditions)}{conditions}"


def _condition(name: str, values: Any) -> str:
    if isinstance(values, dict):
        return f"{name} is not {'|'.join(map(str, values['not']))}"
    return f"{name}={'|'.join(map(str, values)) if isinstance(values, tuple) else values}"


def _datasets() -> list[Row]:
    return _shelf(
        registry.datasets(),
        lambda dataset: {
            "title": dataset.title,
            "layout": dataset.layout,
            "phantom": "yes" if dataset.id in registry.phantoms().items else "no",
        },
    )


def _runs() -> list[Row]:
    from bench import runs
    from bench.ledger import fold, read

    found: list[Row] = []
    for folder in runs.all_runs():
        try:
            _, file = runs.load(folder.path)
            state = fold(read(folder.ledger)) if folder.ledger.exists() else None
        except UserError as error:
            found.append({"id": str(folder.path), "error": str(error)})
            continue
        finished = state.finished["state"] if state and state.finished else "unfinished"
        found.append(
            {
                "id": str(folder.path),
                "suite": file.suite.id,
                "scale": file.suite.scale,
                "data": "phantom" if file.phantom else "real",
                "state": finished,
            }
        )
    return found


LISTS: dict[str, Callable[[], list[Row]]] = {
    "suites": _suites,
    "tasks": _tasks,
    "families": _families,
    "spaces": _spaces,
    "datasets": _datasets,
    "runs": _runs,
}
TABLES = ("suites", "runs")
"""Lists whose rows are short."""
