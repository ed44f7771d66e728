"""How components are doing: one shape for every part, and groups that answer for many.

`liveness` says whether this process works, and asks nothing outside of it: restarting it would
bring no database back. `readiness` says whether it can serve, by the components it needs.
"""

from infrastructure.health.changes import HealthChange
from infrastructure.health.checks import Checkable, Probe, check_all
from infrastructure.health.registry import LIVENESS, READINESS, HealthRegistry
from infrastructure.health.status import Health, HealthReport, Status

__all__ = [
    "LIVENESS",
    "READINESS",
    "Checkable",
    "Health",
    "HealthChange",
    "HealthRegistry",
    "HealthReport",
    "Probe",
    "Status",
    "check_all",
]
