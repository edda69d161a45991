"""Files inside archives, by paths that lead into them.

`shards/train-0001.tar/n01440764/x.JPEG` is a file of a tar, `data/train-00000.parquet/123` row 123 of a Parquet file.
"""

from zeroseg.archives.hub_sets import PREFIX as HUB_SET
from zeroseg.archives.hub_sets import files_of_hub_set
from zeroseg.archives.reading import Status, has_rows, is_archive, is_member, members, read_bytes, status_of

__all__ = [
    "HUB_SET",
    "Status",
    "files_of_hub_set",
    "has_rows",
    "is_archive",
    "is_member",
    "members",
    "read_bytes",
    "status_of",
]
