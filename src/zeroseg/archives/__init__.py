"""Files inside archives, by paths that lead into them.

`shards/train-0001.tar/n01440764/x.JPEG` is a file of a tar, `data/train-00000.parquet/123` row 123 of a Parquet file,
`hf-stream:imagenet-1k/train/00003.parquet/123` one of a file that stays in the hub.
"""

from zeroseg.archives.hub_sets import PREFIX as HUB_SET
from zeroseg.archives.hub_sets import files_of_hub_set
from zeroseg.archives.reading import has_rows, is_archive, is_member, members, read_bytes, status_of
from zeroseg.archives.status import Status
from zeroseg.archives.streamed import PREFIX as STREAMED_SET
from zeroseg.archives.streamed import files_of_streamed_set, is_streamed

__all__ = [
    "HUB_SET",
    "STREAMED_SET",
    "Status",
    "files_of_hub_set",
    "files_of_streamed_set",
    "has_rows",
    "is_archive",
    "is_member",
    "is_streamed",
    "members",
    "read_bytes",
    "status_of",
]
