"""`tocsin.handler`: a logging handler that loses nothing, and words about the work at hand.

Opens nothing on import.
"""

from tocsin.handler.capture.context import bind, unbind
from tocsin.handler.emit import TocsinHandler
from tocsin.handler.integrations import children as children

__all__ = ["TocsinHandler", "bind", "unbind"]
