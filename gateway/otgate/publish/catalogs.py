"""The catalogs that unsent samples refer to, and the newest one, which governs."""

from otgate.model import Lane
from otgate.publish.labels import Labels
from otgate.publish.losses import Losses
from otgate.publish.recall import Governed, governed
from otgate.publish.settings import LastValues
from otgate.publish.standing import Standing
from otgate.publish.topics import Topics
from otgate.spool.catalog import Catalog
from otgate.spool.items import Epoch

KEPT = 4
"""Catalogs whose labels are kept ready: two lanes, each at most one change behind."""


class Catalogs:
    """Follows the epochs of both lanes."""

    def __init__(self, root: str, last: LastValues) -> None:
        self.newest: Standing | None = None
        self.recalled = 0
        """Samples withheld because the newest catalog no longer has their points."""
        self.losses = Losses()
        self._entered: dict[Lane, dict[int, Epoch]] = {lane: {} for lane in Lane}
        self._root = root
        self._last = last
        self._newest_epoch = -1
        self._labels: dict[str, Labels] = {}
        self._remaining: dict[tuple[str, str], Governed] = {}
        """By the hashes of an older catalog and of the newest."""

    def learn(self, epoch: Epoch) -> None:
        """Take an epoch that a lane enters.

        Raises:
            Refused: its site, gateway or conduit cannot be part of a topic.
        """
        entered = self._entered[epoch.lane]
        entered.pop(epoch.epoch, None)
        entered[epoch.epoch] = epoch
        if len(entered) > KEPT:
            del entered[next(iter(entered))]
        self.govern(epoch.epoch, epoch.catalog)

    def govern(self, epoch: int, catalog: Catalog) -> None:
        """Take the catalog of ``epoch`` for the newest, unless a newer one is known.

        Raises:
            Refused: its site, gateway or conduit cannot be part of a topic.
        """
        if epoch <= self._newest_epoch:
            return
        self._newest_epoch = epoch
        labels = self.labels(catalog)
        if self.newest is None or self.newest.labels is not labels:
            self.newest = Standing(self.topics(catalog), labels, self._last)

    def remaining(self, catalog: Catalog) -> Governed:
        """Return what the newest catalog leaves of ``catalog``."""
        newest = self.newest.labels.catalog if self.newest else catalog
        key = catalog.hash, newest.hash
        if key not in self._remaining:
            while len(self._remaining) >= KEPT:
                del self._remaining[next(iter(self._remaining))]
            same = key[0] == key[1]
            self._remaining[key] = Governed(catalog, None) if same else governed(catalog, newest)
        return self._remaining[key]

    def entered(self, lane: Lane, epoch: int) -> Epoch | None:
        """Return how ``lane`` entered ``epoch``, if that was recently."""
        return self._entered[lane].get(epoch)

    def labels(self, catalog: Catalog) -> Labels:
        """Return what publishing needs of ``catalog``."""
        known = self._labels.get(catalog.hash)
        if known is None:
            while len(self._labels) >= KEPT:
                del self._labels[next(iter(self._labels))]
            known = self._labels[catalog.hash] = Labels(catalog)
        return known

    def topics(self, catalog: Catalog) -> Topics:
        """Return the topics below which a catalog's messages go."""
        return Topics(self._root, catalog.site, catalog.gateway, catalog.conduit)
