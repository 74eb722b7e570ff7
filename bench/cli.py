"""The `bench` command. Only here is `UserError` caught: one line on stderr, exit 2."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NoReturn

import typer

from bench.commands import data, looking, predicting, reading, replaying, running, watching
from bench.commands.running import INTERRUPTED
from bench.errors import UserError

app = typer.Typer(
    name="bench",
    help="Which model is better on this task, for the same tuning effort, and how sure are we?",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
COMMANDS: tuple[Callable[..., None], ...] = (
    running.run,
    running.resume,
    running.unseal,
    reading.report,
    reading.compare,
    reading.score,
    predicting.predict,
    watching.status,
    watching.export,
    replaying.replay,
    looking.check,
    looking.trial,
)
for _command in COMMANDS:
    app.command()(_command)
app.command(name="list")(looking.list_)
data_app = typer.Typer(help="Raw data: prepare, verify, or make phantoms.")
DATA_COMMANDS: tuple[Callable[..., None], ...] = (data.prepare, data.verify, data.phantom)
for _command in DATA_COMMANDS:
    data_app.command()(_command)
app.add_typer(data_app, name="data")


def main() -> None:
    """The console script."""
    try:
        code = app(sys.argv[1:] or ["--help"], standalone_mode=False)
    except UserError as error:
        _quit(f"bench: {error}", 2)
    except typer.TyperException as error:
        message = " ".join(error.format_message().split()).rstrip(".")
        _quit(f"bench: {message}: see `bench --help`", 2)
    except (typer.Abort, KeyboardInterrupt):
        _quit("bench: interrupted", INTERRUPTED)
    sys.exit(code or 0)


def _quit(message: str, code: int) -> NoReturn:
    typer.echo(message, err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
