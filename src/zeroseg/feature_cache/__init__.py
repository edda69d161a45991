"""Teacher embeddings on disk: for every image the embeddings of its views, computed once.

A cache is a folder:

- `manifest.json`: the teacher and the views;
- `<hash>.safetensors`, the shards: the features of some images with their keys and checksums, named by their content.
  A shard is one file, written at once, so features and keys belong together whatever happens; several processes may
  write to one cache, and a shard that was made elsewhere is copied into the folder;
- `shards.jsonl`: what was written, so that a shard that is lost is noticed;
- `index/`: keys of image files by path, size and time (`zeroseg.image_index`);
- `quarantine.jsonl`: images that could not be read.

Keys are hashes of the images' bytes.
"""

from zeroseg.feature_cache.building import Block, Builder, CacheReport, build_cache
from zeroseg.feature_cache.embedding import embed_views
from zeroseg.feature_cache.manifest import MANIFEST, Manifest
from zeroseg.feature_cache.quarantine import QUARANTINE
from zeroseg.feature_cache.reading import FeatureCache
from zeroseg.feature_cache.verifying import Verification, verify_cache

__all__ = [
    "MANIFEST",
    "QUARANTINE",
    "Block",
    "Builder",
    "CacheReport",
    "FeatureCache",
    "Manifest",
    "Verification",
    "build_cache",
    "embed_views",
    "verify_cache",
]
