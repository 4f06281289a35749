"""Pictures, folders, videos and streams that a command line names."""

from glip.sources.expand import Source, expand_sources
from glip.sources.frames import Picture, Sampling, pictures_of

__all__ = ['Picture', 'Sampling', 'Source', 'expand_sources', 'pictures_of']
