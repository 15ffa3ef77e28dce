"""What is measured, in which order."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.ours.stage import World


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured. rounds: of which the median counts. share: of the full counts. seconds: a row's window."""

    rounds: int
    share: float
    seconds: float

    def of(self, full: int, *, least: int) -> int:
        """The share of a full count."""
        return max(least, int(full * self.share))


FULL, QUICK = Size(5, 1.0, 5.0), Size(1, 0.2, 1.0)


@dataclass(frozen=True, slots=True)
class Peer:
    """A client that looks at quiet calendars. module: under bench/peers. count: looks of a full run."""

    name: str
    label: str
    module: str
    count: int


@dataclass(frozen=True, slots=True)
class Ours:
    """A row of syncer's own. state: of the canned Google.

    is_memory: what a few calendars take is taken off, and one round is enough, for memory is no matter of chance.
    """

    name: str
    row: str
    world: World
    state: Mapping[str, object] = field(default_factory=dict)
    is_memory: bool = False


SINGLE = Peer("single", "one look a request, by hand (no product: a ceiling)", "single", 40_000)
FLOOR = Peer("floor", "batches by hand (no product: our floor)", "floor", 300_000)
RAW = Peer("raw", "aiohttp + orjson + uvloop by hand", "raw", 15_000)
PEERS = (
    SINGLE,
    FLOOR,
    RAW,
    Peer("aiogoogle", "aiogoogle, as documented", "aiogoogle_loop", 2_000),
    Peer("google_client", "google-api-python-client", "google_client", 600),
    Peer("gcal_sync", "gcal-sync", "gcal", 4_000),
    Peer("node", "@googleapis/calendar (Node)", "calendar.mjs", 5_000),
)
SUBJECTS = 10_000
_SILENT = {"is_silent": True}
OURS = (
    Ours("quiet", "quiet", World(10_000)),
    Ours("share", "quiet", World(10_000), {"looks": "share"}),
    Ours("tokens", "tokens", World(SUBJECTS, has_own_subjects=True)),
    Ours("changed", "changed", World(2_000), {"looks": "changed", **_SILENT}),
    Ours("pushed", "pushed", World(1_000), {"looks": "pushed"}),
    Ours("pages", "pages", World(20, is_read=False), _SILENT),
    Ours("stall", "stall", World(10, is_read=False), _SILENT),
    Ours("delay", "delay", World(1_000), {"looks": "single"}),
    Ours("upkeep", "upkeep", World(10_000)),
    Ours("memory_10k", "memory", World(10_000), is_memory=True),
    Ours("traced_10k", "traced", World(10_000), is_memory=True),
    Ours("memory_100k", "memory", World(100_000), is_memory=True),
    Ours("traced_100k", "traced", World(100_000), is_memory=True),
)


def scaled(world: World, size: Size) -> World:
    """The world of a run of this size."""
    calendars = size.of(world.calendars, least=min(world.calendars, 4))
    return World(calendars, world.has_own_subjects, world.is_read)
