"""What a custom workflow imports: `ctx`, `parameters` and `api` (spec 7.5).

They work in the process that the engine starts for a workflow. Elsewhere the module can be imported, since plugins
keep operations and workflows in one file, and the first use of `ctx` says so.
"""

from . import api
from ._session import Current

__all__ = ["api", "ctx", "parameters"]

ctx = Current("context")
parameters = Current("parameters")
