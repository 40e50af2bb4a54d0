"""The catalogs that unsent samples refer to, and the newest one, which governs."""

from otgate.model import Lane
from otgate.publish.labels import Labels
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
        self._entered: dict[Lane, dict[int, Epoch]] = {lane: {} for lane in Lane}
        self._root = root
        self._last = last
        self._newest_epoch = -1
        self._labels: dict[str, Labels] = {}

    def learn(self, epoch: Epoch) -> None:
        """Take an epoch that a lane enters.

        Raises:
            Refused: its site, gateway or conduit cannot be part of a topic.
        """
        entered = self._entered[epoch.lane]
        entered[epoch.epoch] = epoch
        if len(entered) > KEPT:
            del entered[min(entered)]
        if epoch.epoch <= self._newest_epoch:
            return
        self._newest_epoch = epoch.epoch
        labels = self.labels(epoch.catalog)
        if self.newest is None or self.newest.labels is not labels:
            self.newest = Standing(self.topics(epoch.catalog), labels, self._last)

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
