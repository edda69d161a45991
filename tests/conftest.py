"""Every tensor signature of zeroseg is checked while the tests run: jaxtyping's shapes, by beartype."""

from collections.abc import Iterator

import pytest
from jaxtyping import install_import_hook

# Before anything of zeroseg is imported; a module imported earlier would go unchecked.
# The numeric tower: a whole number is a float, as for every type checker (PEP 484).
install_import_hook("zeroseg", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The user's cache folder, where interrupted evaluations are kept: tests leave nothing in the real one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
