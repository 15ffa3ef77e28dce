"""Python's search for garbage in cycles, made rare: it goes through all there is, and we make hardly any."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# Objects made and not freed again before there is a search among the youngest; such searches before one among the
# older, and those before one among all. Work under way is some hundred objects for each event, which all go by count.
_THRESHOLDS = (20_000, 20, 50)


@contextmanager
def rare() -> Iterator[None]:
    """For as long as the block lasts; what stands already, modules and settings, is not searched at all."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
