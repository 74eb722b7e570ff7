"""The one exception for mistakes that a user can mend."""


class UserError(Exception):
    """A mistake of the user's: the message gives the rule, the value and the remedy.

    `bench.cli` alone catches it: one line on stderr, exit 2, no traceback.
    """

    @classmethod
    def of(cls, mistakes: list[str], *, heading: str) -> "UserError":
        """One error for all mistakes of a file or a folder, each on a line of its own."""
        if len(mistakes) == 1:
            return cls(f"{heading}: {mistakes[0]}")
        lines = "\n".join(f"  - {mistake}" for mistake in mistakes)
        return cls(f"{heading}: {len(mistakes)} mistakes\n{lines}")
