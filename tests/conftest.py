"""Every tensor signature of zeroseg is checked while the tests run: jaxtyping's shapes, by beartype."""

from jaxtyping import install_import_hook

# Before anything of zeroseg is imported; a module imported earlier would go unchecked.
# The numeric tower: a whole number is a float, as for every type checker (PEP 484).
install_import_hook("zeroseg", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")
