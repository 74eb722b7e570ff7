"""Addresses and errors as they may be shown and kept: without passwords and keys."""

from __future__ import annotations

import re

_LOGIN = re.compile(r"(\w[\w+.-]*://)\S*@")
_QUERY = re.compile(r"([?&;][^=&;\s]*(?:token|password|pwd|secret|key)[^=&;\s]*=)[^&;\s]+", re.I)


def without_secrets(text: str) -> str:
    """A text without what stands before the @ of its addresses, and without keys behind them."""
    return _QUERY.sub(r"\1***", _LOGIN.sub(r"\1***@", text))


def in_one_line(error: Exception, place: str) -> str:
    """An error in one line, without the address that it may repeat: what the system said, where a
    library wraps that in errors of its own."""
    text = _refusal(error) or " ".join(str(error).split()).replace(place, without_secrets(place))
    return without_secrets(text)[:300] or type(error).__name__


def _refusal(error: BaseException) -> str | None:
    below = error.__cause__ or error.__context__
    while below is not None and not (isinstance(below, OSError) and below.strerror):
        below = below.__cause__ or below.__context__
    return below.strerror if isinstance(below, OSError) else None
