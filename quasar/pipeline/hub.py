"""Models to and from the Hugging Face hub: `quasar push`, `quasar pull`.

By the library's own rules: HF_TOKEN or `hf auth login` for the token, HF_ENDPOINT for another
address. A pulled repository gives data alone: no file that is run when it is read is fetched.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from quasar.errors import StorageError
from quasar.pipeline.bundle import PATTERNS, packed, unpack
from quasar.system.plain_text import one_line, strip_credentials
from quasar.system.run_paths import RunPaths


def push(run: RunPaths, repository: str, *, private: bool = False) -> str:
    """Upload a run's model, configuration and card; its address.

    Raises CheckpointError where the run has no model, StorageError in one line where the hub
    refuses or does not answer.
    """
    with packed(run) as bundle, _named(repository):
        api = _api()
        api.create_repo(repository, private=private, exist_ok=True, repo_type="model")
        done = api.upload_folder(
            repo_id=repository,
            folder_path=str(bundle),
            commit_message=f"Model of the run {run.directory.name}",
        )
    return str(done.commit_url)


def pull(repository: str, directory: Path, *, revision: str | None = None) -> Path:
    """Download a model into a run directory, which must not be there; the directory.

    Raises StorageError as `push`, InputError where the directory is there, CheckpointError where
    the repository holds no model.
    """
    with TemporaryDirectory(prefix="quasar-pull-") as place:
        found = Path(place) / repository.rpartition("/")[2]
        with _named(repository):
            _api().snapshot_download(
                repository,
                revision=revision,
                local_dir=str(found),
                allow_patterns=list(PATTERNS),
            )
        return unpack(found, directory)


def _api() -> HfApi:
    return HfApi(endpoint=os.environ.get("HF_ENDPOINT"), library_name="quasar")


@contextmanager
def _named(repository: str) -> Iterator[None]:
    """Errors of the library in one line of ours."""
    try:
        yield
    except HFValidationError as error:
        raise StorageError(f"{repository}: no name of a repository ({_told(error)})") from None
    except LocalEntryNotFoundError as error:
        raise StorageError(f"{repository}: {_where()} does not answer ({_told(error)})") from None
    except HfHubHTTPError as error:
        status = error.response.status_code
        hint = {
            401: "; run hf auth login, or set HF_TOKEN",
            403: "; the token may not write there",
            404: "; check the name, or log in where it is private",
        }.get(status, "")
        raise StorageError(
            f"{repository}: {_where()} answered {status} ({_told(error)}){hint}"
        ) from None
    except Exception as error:  # of the library's HTTP client, another one in each release
        raise StorageError(f"{repository}: {_where()} does not answer ({_told(error)})") from None


def _where() -> str:
    return os.environ.get("HF_ENDPOINT") or "the hub"


def _told(error: Exception) -> str:
    return strip_credentials(one_line(str(error) or type(error).__name__, max_chars=200))
