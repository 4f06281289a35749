"""From a user's config to what is built."""

from glip.config.resolve import resolve

__all__ = ['resolve']
