"""For tests of what a whole process shares."""

import logging
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture
def own_logging() -> Iterator[None]:
    """Let a test configure logging; afterwards all is as it was."""
    hooks = threading.excepthook, sys.unraisablehook, warnings.showwarning
    configuration, configured = structlog.get_config(), structlog.is_configured()
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    if configured:
        structlog.configure(**configuration)
    threading.excepthook, sys.unraisablehook, warnings.showwarning = hooks
    root.handlers[:] = handlers
    root.setLevel(level)
