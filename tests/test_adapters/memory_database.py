"""A database in memory in place of the server that FiftyOne starts."""

import mongoengine
import mongomock
from mongomock.gridfs import enable_gridfs_integration
from mongomock.store import ServerStore


def use_memory(monkeypatch) -> None:
    """Let FiftyOne keep its data sets in memory until the test ends."""
    import fiftyone.core.odm.database as database

    store = ServerStore()

    class Client(mongomock.MongoClient):
        _closed = False  # FiftyOne asks, and mongomock would take it for a database

        def __init__(self, *_, **__) -> None:
            super().__init__('localhost', _store=store)

    enable_gridfs_integration()
    mongoengine.disconnect_all()
    mongoengine.connect('fiftyone', mongo_client_class=Client)
    monkeypatch.setattr(database, '_client', Client())
