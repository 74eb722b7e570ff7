"""Caches and hubs: the cache first, then one short question whether the hub answers at all.

huggingface_hub's own retries cost 23 to 46 s where no hub answers. So where a host has not answered
once within PROBE_S, it is not asked again in this process, and the hub's libraries are switched
offline. Nothing of a URL but its host is ever shown: a URL may hold a password.
"""

from __future__ import annotations

import fnmatch
import os
import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from bench.errors import WeightsMissing
from bench.weights import folders

PROBE_S = 3.0
"""Seconds within which a host must have answered once."""
OFFLINE = "HF_HUB_OFFLINE"
_ABOUT = ("config.json", "preprocessor_config.json")
_TEXT_FILES = (
    *_ABOUT,
    *folders.TOKENIZERS,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "merges.txt",
    "bpe.codes",
)
_SHARDS = "model-*-of-*.safetensors"


def snapshot(name: str, repo: str, *, texts: bool = False, filename: str | None = None) -> Path:
    """The folder in the hub's cache that holds a repository's weights and what belongs to them.

    name: as the user wrote it. texts: with a tokenizer, in transformers' form. filename: of the
    weights, where it is none of the usual ones. Raises WeightsMissing.
    """
    from huggingface_hub import constants

    folder = _cached(repo, filename)
    if folder is not None and _complete(folder, texts=texts, filename=filename):
        return folder
    host = _host(constants.ENDPOINT)
    looked = [f"the cache {constants.HF_HUB_CACHE}"]
    if _offline() and not _switched_off:
        raise WeightsMissing(name, [*looked, f"not on the hub {host}: {OFFLINE} is set"])
    if not _hub_answers(constants.ENDPOINT):
        _go_offline()
        raise WeightsMissing(name, [*looked, f"on the hub {host}, which does not answer"])
    return _fetched(name, repo, looked, host, texts=texts, filename=filename)


def download(name: str, url: str) -> Path:
    """The file of a URL in torch.hub's cache. Raises WeightsMissing."""
    import torch

    file = urlsplit(url).path.rsplit("/", 1)[-1]
    path = Path(torch.hub.get_dir()) / "checkpoints" / file
    if path.is_file():
        return path
    looked, host = [f"the cache {path}"], _host(url)
    if _offline() and not _switched_off:
        raise WeightsMissing(name, [*looked, f"not on {host}: {OFFLINE} is set"])
    if not _site_answers(url):
        raise WeightsMissing(name, [*looked, f"on {host}, which does not answer"])
    marked = torch.hub.HASH_REGEX.search(file)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(
            url, str(path), hash_prefix=marked.group(1) if marked else None, progress=False
        )
    except (OSError, RuntimeError) as error:  # RuntimeError: the content's hash is another
        raise WeightsMissing(name, [*looked, f"on {host}: {_in_words(error)}"]) from None
    return path


# --- The cache ------------------------------------------------------------------------------


def _cached(repo: str, filename: str | None) -> Path | None:
    """The folder of a repository's present revision in the cache, if anything of it is there."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    for file in filter(None, (filename, *folders.USUAL, "config.json")):
        try:
            found = try_to_load_from_cache(repo, file)
        except HFValidationError:
            return None
        if isinstance(found, str):
            return Path(found).parent
    return None


def _complete(folder: Path, *, texts: bool, filename: str | None) -> bool:
    if texts:
        return folders.text_problem(folder) is None
    names = {path.name for path in folder.iterdir() if path.is_file()}
    return filename in names if filename else not names.isdisjoint(folders.USUAL)


# --- The hub --------------------------------------------------------------------------------


def _fetched(
    name: str, repo: str, looked: list[str], host: str, *, texts: bool, filename: str | None
) -> Path:
    from huggingface_hub import HfApi, snapshot_download

    try:
        wanted = _wanted(HfApi().list_repo_files(repo), texts=texts, filename=filename)
        if wanted:
            return Path(snapshot_download(repo, allow_patterns=wanted))
    except Exception as error:  # its client's, its own and the disk's errors share no class
        raise WeightsMissing(name, [*looked, f"on the hub {host}: {_in_words(error)}"]) from None
    raise WeightsMissing(
        name, [*looked, f"on the hub {host}, where {repo} holds no file of weights that is known"]
    )


def _wanted(names: list[str], *, texts: bool, filename: str | None) -> list[str]:
    """Which of a repository's files to fetch: no weights in two formats; empty: it has none."""
    weights = next((file for file in (filename or "", *folders.USUAL) if file in names), None)
    found = [weights] if weights else []
    if texts and weights != folders.USUAL[0] and folders.INDEX in names:
        found = [folders.INDEX, *fnmatch.filter(names, _SHARDS)]
    if filename and weights != filename or not found:
        return []
    about = _TEXT_FILES if texts else _ABOUT
    return [*found, *(file for pattern in about for file in fnmatch.filter(names, pattern))]


_switched_off = False
"""Whether this process, not the user, has set HF_HUB_OFFLINE; other sites may still answer."""


def _offline() -> bool:
    from huggingface_hub import constants

    value = os.environ.get(OFFLINE) or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return constants.HF_HUB_OFFLINE or value.upper() in ("1", "ON", "YES", "TRUE")


def _go_offline() -> None:
    """Keep the hub's libraries, also those of processes started from here, from asking again."""
    from huggingface_hub import constants

    global _switched_off
    _switched_off = True
    os.environ[OFFLINE] = "1"
    constants.HF_HUB_OFFLINE = True


@lru_cache
def _hub_answers(endpoint: str) -> bool:
    """Asked by the client that would fetch: it knows the proxies and certificates."""
    from huggingface_hub import get_session

    def ask() -> int:
        return int(get_session().head(endpoint, timeout=PROBE_S).status_code)

    return _answers(ask)


@lru_cache
def _site_answers(url: str) -> bool:
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    def ask() -> int:
        try:
            with urlopen(Request(url, method="HEAD"), timeout=PROBE_S) as answer:
                return int(answer.status)
        except HTTPError as error:
            return error.code

    return _answers(ask)


def _answers(ask: Callable[[], int]) -> bool:
    """Whether a status comes in time that tells of a host at work, and of no proxy's refusal.

    In a thread of its own: no time limit of a client holds for the look-up of a host's name.
    """
    status: list[int] = []

    def run() -> None:
        try:
            status.append(ask())
        except Exception:  # whatever went wrong, the host did not answer
            status.clear()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(PROBE_S)
    return bool(status) and status[0] < 500 and status[0] != 407


def _host(url: str) -> str:
    return urlsplit(url).hostname or "of an unreadable address"


def _in_words(error: Exception) -> str:
    """What kind of error it was; its text may hold a URL."""
    from urllib.error import HTTPError

    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    if isinstance(error, GatedRepoError):
        return "its owner asks for consent to its terms first"
    if isinstance(error, RepositoryNotFoundError):
        return "there is no public repository of this name"
    if isinstance(error, HfHubHTTPError):
        return f"its answer was HTTP {error.response.status_code}"
    if isinstance(error, HTTPError):
        return f"its answer was HTTP {error.code}"
    if isinstance(error, RuntimeError):
        return "the content is not what its name says"
    return type(error).__name__
