"""Files inside archives, by paths that lead into them.

`shards/train-0001.tar/n01440764/x.JPEG` is a file of a tar, `data/train-00000.parquet/123` row 123 of a Parquet file.
"""

from zeroseg.archives.reading import Status, is_archive, is_member, members, read_bytes, status_of

__all__ = ["Status", "is_archive", "is_member", "members", "read_bytes", "status_of"]
