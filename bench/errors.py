"""The exceptions for mistakes that a user can mend."""

import errno

SHOWN = 20
"""Mistakes that one message lists; of the others, their number."""

STORAGE_FAULTS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE})
"""What a write may fail with for which no configuration and no code is to blame."""


class UserError(Exception):
    """A mistake of the user's: the message gives the rule, the value and the remedy.

    `bench.cli` alone catches it: one line on stderr, exit 2, no traceback.
    """

    @classmethod
    def of(cls, mistakes: list[str], *, heading: str) -> "UserError":
        """One error for all mistakes of a file or a folder, each on a line of its own.

        The first twenty are listed, then how many more there are.
        """
        if len(mistakes) == 1:
            return cls(f"{heading}: {mistakes[0]}")
        lines = [f"  - {mistake}" for mistake in mistakes[:SHOWN]]
        if len(mistakes) > SHOWN:
            lines.append(f"  - and {len(mistakes) - SHOWN:,} more")
        return cls("\n".join([f"{heading}: {len(mistakes):,} mistakes", *lines]))


class BadData(UserError):
    """What is wrong with the files of one case."""

    def __init__(self, *problems: str) -> None:
        """problems: one line each, naming its file."""
        super().__init__("; ".join(problems))
        self.problems = problems


class WeightsMissing(UserError):
    """Pretrained weights that an entrant asks for and that cannot be had here."""

    def __init__(self, name: str, looked: list[str]) -> None:
        """name: as the user wrote it. looked: where they were looked for, a phrase each."""
        super().__init__(
            f"the weights {name!r} cannot be had; looked for in {'; '.join(looked)}. {REMEDIES}"
        )
        self.name = name
        self.looked = looked


REMEDIES = (
    "Fetch them into the cache on a machine with a network, or name a folder or file that holds "
    'them (weights = "/path"), or train from scratch (weights = "none")'
)
