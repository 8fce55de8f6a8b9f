"""`tocsin.handler`: a logging handler that loses nothing, and words about the work at hand.

Opens nothing on import.
"""

from tocsin.handler import children as children
from tocsin.handler.context import bind, unbind
from tocsin.handler.emit import TocsinHandler

__all__ = ["TocsinHandler", "bind", "unbind"]
