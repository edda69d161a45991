"""Every tensor signature of zeroseg is checked while the tests run: jaxtyping's shapes, by beartype."""

from jaxtyping import install_import_hook

# Before anything of zeroseg is imported; a module imported earlier would go unchecked.
install_import_hook("zeroseg", "beartype.beartype")
